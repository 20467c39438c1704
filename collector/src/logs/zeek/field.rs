//! The logs and fields that are read, by their names.

/// Which log a row is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Conn,
    Dns,
    Http,
    Ssl,
    Quic,
    X509,
    CaptureLoss,
    /// One that tells of no egress of its own.
    Other,
}

impl Kind {
    /// The log of this name, as in `#path`, `_path` and file names.
    pub(super) fn of(name: &[u8]) -> Self {
        match name {
            b"conn" => Self::Conn,
            b"dns" => Self::Dns,
            b"http" => Self::Http,
            b"ssl" => Self::Ssl,
            b"quic" => Self::Quic,
            b"x509" => Self::X509,
            b"capture_loss" => Self::CaptureLoss,
            _ => Self::Other,
        }
    }
}

/// Declares the fields and their names, which are said once.
macro_rules! fields {
    ($($field:ident = $($name:literal)|+,)+) => {
        /// A field that is read, of whichever log: a name means about the same in all of them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Field {
            $($field,)+
        }

        impl Field {
            /// How many there are.
            pub(super) const COUNT: usize = [$(Self::$field),+].len();

            /// The field of this name. `None`: it is not read.
            pub(super) fn of(name: &[u8]) -> Option<Self> {
                match str::from_utf8(name).ok()? {
                    $($($name)|+ => Some(Self::$field),)+
                    _ => None,
                }
            }
        }
    };
}

fields! {
    Stream = "_path" | "@stream",
    Ts = "ts",
    Uid = "uid",
    OrigH = "id.orig_h" | "id_orig_h",
    OrigP = "id.orig_p" | "id_orig_p",
    RespH = "id.resp_h" | "id_resp_h",
    RespP = "id.resp_p" | "id_resp_p",
    Proto = "proto",
    IpProto = "ip_proto",
    Service = "service",
    Duration = "duration",
    OrigBytes = "orig_bytes",
    RespBytes = "resp_bytes",
    ConnState = "conn_state",
    MissedBytes = "missed_bytes",
    OrigPkts = "orig_pkts",
    OrigIpBytes = "orig_ip_bytes",
    RespPkts = "resp_pkts",
    RespIpBytes = "resp_ip_bytes",
    TransId = "trans_id",
    Rtt = "rtt",
    Query = "query",
    Qtype = "qtype",
    Rcode = "rcode",
    Answers = "answers",
    Ttls = "TTLs",
    TransDepth = "trans_depth",
    Method = "method",
    Host = "host",
    Uri = "uri",
    UserAgent = "user_agent",
    RequestBodyLen = "request_body_len",
    ResponseBodyLen = "response_body_len",
    StatusCode = "status_code",
    OrigMimeTypes = "orig_mime_types",
    Version = "version",
    Cipher = "cipher",
    SslHistory = "ssl_history",
    ServerName = "server_name",
    NextProtocol = "next_protocol",
    Established = "established",
    Ja4 = "ja4",
    Subject = "subject",
    Issuer = "issuer",
    CertChain = "cert_chain_fuids" | "cert_chain_fps",
    SniMatchesCert = "sni_matches_cert",
    ClientInitialDcid = "client_initial_dcid",
    ClientProtocol = "client_protocol",
    Id = "id",
    Fingerprint = "fingerprint",
    CertSubject = "certificate.subject" | "certificate_subject",
    CertIssuer = "certificate.issuer" | "certificate_issuer",
    CertNotBefore = "certificate.not_valid_before" | "certificate_not_valid_before",
    CertNotAfter = "certificate.not_valid_after" | "certificate_not_valid_after",
    CertKeyType = "certificate.key_type" | "certificate_key_type",
    CertKeyLength = "certificate.key_length" | "certificate_key_length",
    SanDns = "san.dns" | "san_dns",
    SanIp = "san.ip" | "san_ip",
    TsDelta = "ts_delta",
    Gaps = "gaps",
    PercentLost = "percent_lost",
}
