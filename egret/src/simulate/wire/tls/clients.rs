//! How well-known TLS libraries introduce themselves: what they send by default, in their order
//! (OpenSSL 3, Node 20 and 22, Go 1.23 and 1.26, Java 17, Chrome 131).

use super::{Client, HYBRID_GROUP, Style, X25519, ext};

/// Python's ssl module on OpenSSL 3 (pip, requests).
pub(crate) static PYTHON: Client = Client {
    style: Style::Plain,
    ciphers: &[
        0x1302, 0x1303, 0x1301, 0xc02c, 0xc030, 0xc02b, 0xc02f, 0xcca9, 0xcca8, 0x009f, 0x009e,
        0xccaa, 0xc024, 0xc028, 0xc023, 0xc027, 0x006b, 0x0067, 0x00ff,
    ],
    extensions: &[
        ext::SERVER_NAME,
        ext::POINT_FORMATS,
        ext::GROUPS,
        ext::TICKET,
        ext::ALPN,
        ext::ENCRYPT_THEN_MAC,
        ext::MASTER_SECRET,
        ext::SIGNATURES,
        ext::VERSIONS,
        ext::PSK_MODES,
        ext::KEY_SHARE,
    ],
    groups: &[X25519, 0x0017, 0x001e, 0x0019, 0x0018],
    signatures: OPENSSL_SIGNATURES,
    alpn: &["http/1.1"],
};

/// cargo 1.95: its own curl on OpenSSL 3.5, with a post-quantum share.
pub(crate) static CARGO: Client = Client {
    style: Style::Plain,
    ciphers: &[
        0x1302, 0x1303, 0x1301, 0xc02c, 0xc030, 0x009f, 0xcca9, 0xcca8, 0xccaa, 0xc02b, 0xc02f,
        0x009e, 0xc024, 0xc028, 0x006b, 0xc023, 0xc027, 0x0067, 0xc00a, 0xc014, 0x0039, 0xc009,
        0xc013, 0x0033, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f,
    ],
    extensions: &[
        ext::RENEGOTIATION,
        ext::SERVER_NAME,
        ext::POINT_FORMATS,
        ext::GROUPS,
        ext::ALPN,
        ext::ENCRYPT_THEN_MAC,
        ext::MASTER_SECRET,
        ext::POST_HANDSHAKE_AUTH,
        ext::SIGNATURES,
        ext::VERSIONS,
        ext::PSK_MODES,
        ext::KEY_SHARE,
    ],
    groups: &[HYBRID_GROUP, X25519, 0x0017, 0x001e, 0x0018, 0x0019, 0x0100, 0x0101],
    signatures: &[
        0x0905, 0x0906, 0x0904, 0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x081a, 0x081b, 0x081c,
        0x0809, 0x080a, 0x080b, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0303, 0x0301,
        0x0302, 0x0402, 0x0502, 0x0602,
    ],
    alpn: &["h2", "http/1.1"],
};

/// curl and git on OpenSSL 3.
pub(crate) static CURL: Client = Client {
    style: Style::Plain,
    ciphers: &[
        0x1302, 0x1303, 0x1301, 0xc02c, 0xc030, 0x009f, 0xcca9, 0xcca8, 0xccaa, 0xc02b, 0xc02f,
        0x009e, 0xc024, 0xc028, 0x006b, 0xc023, 0xc027, 0x0067, 0xc00a, 0xc014, 0x0039, 0xc009,
        0xc013, 0x0033, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f, 0x00ff,
    ],
    extensions: PYTHON.extensions,
    groups: &[X25519, 0x0017, 0x001e, 0x0019, 0x0018],
    signatures: OPENSSL_SIGNATURES,
    alpn: &["h2", "http/1.1"],
};

/// Node 22 (npm, undici).
pub(crate) static NODE: Client = Client {
    style: Style::Plain,
    ciphers: &[
        0x1302, 0x1303, 0x1301, 0xc02f, 0xc02b, 0xc030, 0xc02c, 0x009e, 0xc027, 0x0067, 0xc028,
        0x006b, 0x00a3, 0x009f, 0xcca9, 0xcca8, 0xccaa, 0xc0af, 0xc0ad, 0xc0a3, 0xc09f, 0xc05d,
        0xc061, 0xc057, 0xc053, 0x00a2, 0xc0ae, 0xc0ac, 0x00ff,
    ],
    extensions: &[
        ext::RENEGOTIATION,
        ext::SERVER_NAME,
        ext::POINT_FORMATS,
        ext::GROUPS,
        ext::TICKET,
        ext::ALPN,
        ext::ENCRYPT_THEN_MAC,
        ext::MASTER_SECRET,
        ext::SIGNATURES,
        ext::VERSIONS,
        ext::PSK_MODES,
        ext::KEY_SHARE,
    ],
    groups: &[X25519, 0x0017, 0x001e, 0x0019, 0x0018],
    signatures: OPENSSL_SIGNATURES,
    alpn: &["http/1.1"],
};

/// npm on Node 20: it offers no protocols.
pub(crate) static NPM: Client = Client {
    style: Style::Plain,
    ciphers: &[
        0x1302, 0x1303, 0x1301, 0xc02f, 0xc02b, 0xc030, 0xc02c, 0x009e, 0xc027, 0x0067, 0xc028,
        0x006b, 0x00a3, 0x009f, 0xcca9, 0xcca8, 0xccaa, 0xc0af, 0xc0ad, 0xc0a3, 0xc09f, 0xc05d,
        0xc061, 0xc057, 0xc053, 0x00a2, 0xc0ae, 0xc0ac, 0xc0a2, 0xc09e, 0xc05c, 0xc060, 0xc056,
        0xc052, 0xc024, 0x006a, 0xc023, 0x0040, 0xc00a, 0xc014, 0x0039, 0x0038, 0xc009, 0xc013,
        0x0033, 0x0032, 0x009d, 0xc0a1, 0xc09d, 0xc051, 0x009c, 0xc0a0, 0xc09c, 0xc050, 0x003d,
        0x003c, 0x0035, 0x002f, 0x00ff,
    ],
    extensions: &[
        ext::SERVER_NAME,
        ext::POINT_FORMATS,
        ext::GROUPS,
        ext::TICKET,
        ext::ENCRYPT_THEN_MAC,
        ext::MASTER_SECRET,
        ext::SIGNATURES,
        ext::VERSIONS,
        ext::PSK_MODES,
        ext::KEY_SHARE,
    ],
    groups: &[X25519, 0x0017, 0x001e, 0x0019, 0x0018, 0x0100, 0x0101, 0x0102, 0x0103, 0x0104],
    signatures: OPENSSL_SIGNATURES,
    alpn: &[],
};

/// Go 1.23 without its hybrid group (telemetry agents).
pub(crate) static GO: Client = Client {
    style: Style::Plain,
    ciphers: &[
        0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc009, 0xc013, 0xc00a, 0xc014, 0x1301,
        0x1302, 0x1303,
    ],
    extensions: &[
        ext::SERVER_NAME,
        ext::STATUS_REQUEST,
        ext::GROUPS,
        ext::POINT_FORMATS,
        ext::SIGNATURES,
        ext::RENEGOTIATION,
        ext::MASTER_SECRET,
        ext::ALPN,
        ext::SCT,
        ext::VERSIONS,
        ext::KEY_SHARE,
    ],
    groups: &[X25519, 0x0017, 0x0018, 0x0019],
    signatures: &[
        0x0804, 0x0403, 0x0807, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0503, 0x0603, 0x0201,
        0x0203,
    ],
    alpn: &["h2", "http/1.1"],
};

/// Go 1.26: the go command.
pub(crate) static GO_COMMAND: Client = Client {
    style: Style::Plain,
    ciphers: GO.ciphers,
    extensions: &[
        ext::SERVER_NAME,
        ext::POINT_FORMATS,
        ext::RENEGOTIATION,
        ext::MASTER_SECRET,
        ext::SCT,
        ext::STATUS_REQUEST,
        ext::GROUPS,
        ext::SIGNATURES,
        ext::SIGNATURES_OF_CERTIFICATES,
        ext::ALPN,
        ext::VERSIONS,
        ext::KEY_SHARE,
    ],
    groups: &[HYBRID_GROUP, 0x11eb, 0x11ed, X25519, 0x0017, 0x0018, 0x0019],
    signatures: &[0x0804, 0x0403, 0x0807, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0503, 0x0603],
    alpn: &["h2", "http/1.1"],
};

/// Java 17 (Maven).
pub(crate) static JAVA: Client = Client {
    style: Style::Plain,
    ciphers: &[
        0x1302, 0x1301, 0x1303, 0xc02c, 0xc02b, 0xcca9, 0xc030, 0xcca8, 0xc02f, 0x009f, 0xccaa,
        0x00a3, 0x009e, 0x00a2, 0xc024, 0xc028, 0xc023, 0xc027, 0x006b, 0x006a, 0x0067, 0x0040,
        0xc00a, 0xc014, 0xc009, 0xc013, 0x0039, 0x0038, 0x0033, 0x0032, 0x009d, 0x009c, 0x003d,
        0x003c, 0x0035, 0x002f, 0x00ff,
    ],
    extensions: &[
        ext::SERVER_NAME,
        ext::STATUS_REQUEST,
        ext::GROUPS,
        ext::POINT_FORMATS,
        ext::STATUS_REQUESTS,
        ext::MASTER_SECRET,
        ext::TICKET,
        ext::SIGNATURES,
        ext::VERSIONS,
        ext::PSK_MODES,
        ext::SIGNATURES_OF_CERTIFICATES,
        ext::KEY_SHARE,
    ],
    groups: &[X25519, 0x0017, 0x0018, 0x0019, 0x001e, 0x0100, 0x0101, 0x0102, 0x0103, 0x0104],
    signatures: &[
        0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b,
        0x0401, 0x0501, 0x0601, 0x0402, 0x0303, 0x0301, 0x0302, 0x0203, 0x0201, 0x0202,
    ],
    alpn: &[],
};

/// Chrome 131: reserved values, shuffled extensions, a post-quantum share that makes the hello
/// longer than one segment.
pub(crate) static BROWSER: Client = Client {
    style: Style::Greasy,
    ciphers: &[
        0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014,
        0x009c, 0x009d, 0x002f, 0x0035,
    ],
    extensions: &[
        ext::SERVER_NAME,
        ext::MASTER_SECRET,
        ext::RENEGOTIATION,
        ext::GROUPS,
        ext::POINT_FORMATS,
        ext::TICKET,
        ext::ALPN,
        ext::STATUS_REQUEST,
        ext::SIGNATURES,
        ext::SCT,
        ext::KEY_SHARE,
        ext::PSK_MODES,
        ext::VERSIONS,
        ext::COMPRESS_CERTIFICATE,
        ext::APPLICATION_SETTINGS,
        ext::ECH,
    ],
    groups: &[HYBRID_GROUP, X25519, 0x0017, 0x0018],
    signatures: &[0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601],
    alpn: &["h2", "http/1.1"],
};

/// Chrome 131 over QUIC.
pub(crate) static BROWSER_QUIC: Client = Client {
    style: Style::Quic,
    ciphers: &[0x1301, 0x1302, 0x1303],
    extensions: &[
        ext::SERVER_NAME,
        ext::GROUPS,
        ext::ALPN,
        ext::SIGNATURES,
        ext::KEY_SHARE,
        ext::PSK_MODES,
        ext::VERSIONS,
        ext::COMPRESS_CERTIFICATE,
        ext::APPLICATION_SETTINGS,
        ext::QUIC_PARAMETERS,
        ext::ECH,
    ],
    groups: BROWSER.groups,
    signatures: BROWSER.signatures,
    alpn: &["h3"],
};

const OPENSSL_SIGNATURES: &[u16] = &[
    0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x081a, 0x081b, 0x081c, 0x0809, 0x080a, 0x080b, 0x0804,
    0x0805, 0x0806, 0x0401, 0x0501, 0x0601,
];
