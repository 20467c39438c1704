//! The fields of Envoy's log that are read, by their keys.

/// A field that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    StartTime,
    Duration,
    Method,
    Authority,
    Path,
    ResponseCode,
    ResponseCodeDetails,
    ConnectionTerminationDetails,
    ResponseFlags,
    BytesReceived,
    BytesSent,
    DownstreamDirectRemoteAddress,
    DownstreamRemoteAddress,
    XForwardedFor,
    UpstreamHost,
    UpstreamCluster,
    RequestedServerName,
    UserAgent,
    User,
}

impl Field {
    /// The field whose key `text` begins with, and the length of that with its closing mark.
    ///
    /// Few keys share a first byte, and each is compared as a constant: that is several times as
    /// fast as to look for the closing mark first.
    pub(super) fn at(text: &[u8]) -> Option<(Self, usize)> {
        match text.first()? {
            b'a' => key(text, b"authority\"", Self::Authority),
            b'b' => key(text, b"bytes_received\"", Self::BytesReceived)
                .or_else(|| key(text, b"bytes_sent\"", Self::BytesSent)),
            b'c' => {
                key(text, b"connection_termination_details\"", Self::ConnectionTerminationDetails)
            }
            b'd' => key(text, b"duration\"", Self::Duration)
                .or_else(|| {
                    let direct = Self::DownstreamDirectRemoteAddress;
                    key(text, b"downstream_direct_remote_address\"", direct)
                })
                .or_else(|| {
                    key(text, b"downstream_remote_address\"", Self::DownstreamRemoteAddress)
                }),
            b'm' => key(text, b"method\"", Self::Method),
            b'p' => key(text, b"path\"", Self::Path),
            b'r' => key(text, b"response_code\"", Self::ResponseCode)
                .or_else(|| key(text, b"response_flags\"", Self::ResponseFlags))
                .or_else(|| key(text, b"requested_server_name\"", Self::RequestedServerName))
                .or_else(|| key(text, b"response_code_details\"", Self::ResponseCodeDetails)),
            b's' => key(text, b"start_time\"", Self::StartTime),
            b'u' => key(text, b"upstream_host\"", Self::UpstreamHost)
                .or_else(|| key(text, b"user_agent\"", Self::UserAgent))
                .or_else(|| key(text, b"upstream_cluster\"", Self::UpstreamCluster))
                .or_else(|| key(text, b"user\"", Self::User)),
            b'x' => key(text, b"x_forwarded_for\"", Self::XForwardedFor),
            _ => None,
        }
    }
}

#[inline]
fn key<const N: usize>(text: &[u8], key: &[u8; N], field: Field) -> Option<(Field, usize)> {
    text.starts_with(key).then_some((field, N))
}
