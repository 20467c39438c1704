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
                match name {
                    $($($name)|+ => Some(Self::$field),)+
                    _ => None,
                }
            }
        }
    };
}

fields! {
    Stream = b"_path" | b"@stream",
    Ts = b"ts",
    Uid = b"uid",
    OrigH = b"id.orig_h" | b"id_orig_h",
    OrigP = b"id.orig_p" | b"id_orig_p",
    RespH = b"id.resp_h" | b"id_resp_h",
    RespP = b"id.resp_p" | b"id_resp_p",
    Proto = b"proto",
    IpProto = b"ip_proto",
    Service = b"service",
    Duration = b"duration",
    OrigBytes = b"orig_bytes",
    RespBytes = b"resp_bytes",
    ConnState = b"conn_state",
    MissedBytes = b"missed_bytes",
    OrigPkts = b"orig_pkts",
    OrigIpBytes = b"orig_ip_bytes",
    RespPkts = b"resp_pkts",
    RespIpBytes = b"resp_ip_bytes",
    TransId = b"trans_id",
    Rtt = b"rtt",
    Query = b"query",
    Qtype = b"qtype",
    Rcode = b"rcode",
    Answers = b"answers",
    Ttls = b"TTLs",
    TransDepth = b"trans_depth",
    Method = b"method",
    Host = b"host",
    Uri = b"uri",
    UserAgent = b"user_agent",
    RequestBodyLen = b"request_body_len",
    ResponseBodyLen = b"response_body_len",
    StatusCode = b"status_code",
    OrigMimeTypes = b"orig_mime_types",
    Version = b"version",
    Cipher = b"cipher",
    SslHistory = b"ssl_history",
    ServerName = b"server_name",
    NextProtocol = b"next_protocol",
    Established = b"established",
    Ja4 = b"ja4",
    Subject = b"subject",
    Issuer = b"issuer",
    CertChain = b"cert_chain_fuids" | b"cert_chain_fps",
    SniMatchesCert = b"sni_matches_cert",
    ClientInitialDcid = b"client_initial_dcid",
    ClientProtocol = b"client_protocol",
    Id = b"id",
    Fingerprint = b"fingerprint",
    CertSubject = b"certificate.subject" | b"certificate_subject",
    CertIssuer = b"certificate.issuer" | b"certificate_issuer",
    CertNotBefore = b"certificate.not_valid_before" | b"certificate_not_valid_before",
    CertNotAfter = b"certificate.not_valid_after" | b"certificate_not_valid_after",
    CertKeyType = b"certificate.key_type" | b"certificate_key_type",
    CertKeyLength = b"certificate.key_length" | b"certificate_key_length",
    SanDns = b"san.dns" | b"san_dns",
    SanIp = b"san.ip" | b"san_ip",
    TsDelta = b"ts_delta",
    Gaps = b"gaps",
    PercentLost = b"percent_lost",
}
