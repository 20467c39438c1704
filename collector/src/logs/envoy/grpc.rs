//! The same log as Envoy's access log service sends it: protobuf messages
//! (`envoy.service.accesslog.v3.StreamAccessLogsMessage`) in place of lines.
//!
//! Read are the fields that the JSON form has too, by their numbers in Envoy's API, which never
//! change. Where a message differs:
//! - Entries that tell of a connection that still goes on are left out: the last one tells all.
//! - Methods that the API does not list come as none; such a request is told with the method `?`.
//! - The server name of a connection passed through comes only as a custom tag
//!   `requested_server_name` (`value: "%REQUESTED_SERVER_NAME%"`).

use std::borrow::Cow;
use std::net::IpAddr;

use egret_event::Timestamp;

use super::{Entry, Number, Text};
use crate::logs;
use crate::logs::record::LineProblem;
use crate::protobuf::{Damaged, Fields, Value};

/// The methods of `envoy.config.core.v3.RequestMethod`, from 1 on.
const METHODS: [&[u8]; 9] =
    [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH"];

const DAMAGED: LineProblem = LineProblem::Malformed("protobuf");

/// Reads a message; `take` gets each entry in it, as it stands there and as what it says.
///
/// # Errors
/// When the message is damaged; the entries before that were taken.
pub fn read<'a>(
    message: &'a [u8],
    mut take: impl FnMut(&'a [u8], Result<logs::Entry<'a>, LineProblem>),
) -> Result<(), LineProblem> {
    for field in Fields::of(message) {
        let (read, entries): (fn(&'a [u8]) -> _, _) = match field? {
            (2, Value::Bytes(entries)) => (http, entries),
            (3, Value::Bytes(entries)) => (tcp, entries),
            _ => continue,
        };
        for field in Fields::of(entries) {
            if let (1, Value::Bytes(entry)) = field? {
                take(entry, read(entry));
            }
        }
    }
    Ok(())
}

impl From<Damaged> for LineProblem {
    fn from(Damaged: Damaged) -> Self {
        DAMAGED
    }
}

/// What is gathered of an entry.
#[derive(Default)]
struct Gathered<'a> {
    entry: Entry<'a>,
    start: Option<Timestamp>,
    client_certificate: Option<&'a [u8]>,
    is_intermediate: bool,
}

fn http(bytes: &[u8]) -> Result<logs::Entry<'_>, LineProblem> {
    let mut gathered = Gathered::default();
    gathered.entry.bytes_received = Number(Some(0));
    gathered.entry.bytes_sent = Number(Some(0));
    gathered.entry.method = Text(Some(Cow::Borrowed(b"?")));
    for field in Fields::of(bytes) {
        match field? {
            (1, Value::Bytes(common)) => gathered.common(common)?,
            (3, Value::Bytes(request)) => gathered.request(request)?,
            (4, Value::Bytes(response)) => gathered.response(response)?,
            _ => {}
        }
    }
    gathered.into_entry()
}

fn tcp(bytes: &[u8]) -> Result<logs::Entry<'_>, LineProblem> {
    let mut gathered = Gathered::default();
    gathered.entry.bytes_received = Number(Some(0));
    gathered.entry.bytes_sent = Number(Some(0));
    for field in Fields::of(bytes) {
        match field? {
            (1, Value::Bytes(common)) => gathered.common(common)?,
            (2, Value::Bytes(connection)) => gathered.connection(connection)?,
            _ => {}
        }
    }
    gathered.into_entry()
}

impl<'a> Gathered<'a> {
    fn common(&mut self, bytes: &'a [u8]) -> Result<(), LineProblem> {
        let entry = &mut self.entry;
        for field in Fields::of(bytes) {
            match field? {
                (2, Value::Bytes(address)) => entry.downstream_remote_address = peer(address)?,
                (4, Value::Bytes(tls)) => self.client_certificate = tls_properties(entry, tls)?,
                (5, Value::Bytes(time)) => {
                    let (seconds, nanos) = seconds_and_nanos(time)?;
                    self.start = Some(Timestamp::from_parts(seconds, nanos));
                }
                (13, Value::Bytes(address)) => entry.upstream_host = peer(address)?,
                (15, Value::Bytes(cluster)) => entry.upstream_cluster = Text::of(cluster),
                (16, Value::Bytes(flags)) => entry.response_flags = refusal(flags)?,
                (20, Value::Bytes(address)) => {
                    entry.downstream_direct_remote_address = peer(address)?;
                }
                (22, Value::Bytes(tag)) => custom_tag(entry, tag)?,
                // The whole duration, or the time to the last byte sent, from older versions.
                (23, Value::Bytes(time)) => entry.duration = Number(milliseconds(time)?),
                (12, Value::Bytes(time)) if entry.duration.0.is_none() => {
                    entry.duration = Number(milliseconds(time)?);
                }
                (25, Value::Bytes(why)) => entry.connection_termination_details = Text::of(why),
                (26, Value::Number(flag)) => self.is_intermediate = flag != 0,
                _ => {}
            }
        }
        Ok(())
    }

    fn request(&mut self, bytes: &'a [u8]) -> Result<(), LineProblem> {
        let entry = &mut self.entry;
        for field in Fields::of(bytes) {
            match field? {
                (1, Value::Number(method)) => {
                    let known = usize::try_from(method).ok().and_then(|n| n.checked_sub(1));
                    if let Some(method) = known.and_then(|n| METHODS.get(n)) {
                        entry.method = Text::of(method);
                    }
                }
                (3, Value::Bytes(authority)) => entry.authority = Text::of(authority),
                (5, Value::Bytes(path)) => entry.path = Text::of(path),
                (6, Value::Bytes(agent)) => entry.user_agent = Text::of(agent),
                (8, Value::Bytes(forwarded)) => entry.x_forwarded_for = Text::of(forwarded),
                (12, Value::Number(bytes)) => entry.bytes_received = Number(Some(bytes)),
                _ => {}
            }
        }
        Ok(())
    }

    fn response(&mut self, bytes: &'a [u8]) -> Result<(), LineProblem> {
        for field in Fields::of(bytes) {
            match field? {
                (1, Value::Bytes(code)) => self.entry.response_code = Number(number_in(code)?),
                (3, Value::Number(bytes)) => self.entry.bytes_sent = Number(Some(bytes)),
                (6, Value::Bytes(why)) => self.entry.response_code_details = Text::of(why),
                _ => {}
            }
        }
        Ok(())
    }

    fn connection(&mut self, bytes: &'a [u8]) -> Result<(), LineProblem> {
        for field in Fields::of(bytes) {
            match field? {
                (1, Value::Number(bytes)) => self.entry.bytes_received = Number(Some(bytes)),
                (2, Value::Number(bytes)) => self.entry.bytes_sent = Number(Some(bytes)),
                _ => {}
            }
        }
        Ok(())
    }

    fn into_entry(mut self) -> Result<logs::Entry<'a>, LineProblem> {
        if self.is_intermediate {
            return Err(LineProblem::Note);
        }
        let start = self.start.ok_or(LineProblem::Malformed("start_time"))?;
        let client_certificate = self.client_certificate.map(Cow::Borrowed);
        self.entry.take_entry(start, client_certificate)
    }
}

/// `envoy.config.core.v3.Address` as text; pipes and internal listeners have none.
fn peer<'a>(bytes: &[u8]) -> Result<Text<'a>, LineProblem> {
    let (mut host, mut port) = (None, 0);
    for field in Fields::of(bytes) {
        let (1, Value::Bytes(socket)) = field? else { continue };
        for field in Fields::of(socket) {
            match field? {
                (2, Value::Bytes(address)) => host = str::from_utf8(address).ok(),
                (3, Value::Number(number)) => port = number,
                _ => {}
            }
        }
    }
    let text = match host.and_then(|host| host.parse::<IpAddr>().ok()) {
        Some(IpAddr::V4(v4)) => format!("{v4}:{port}"),
        Some(IpAddr::V6(v6)) => format!("[{v6}]:{port}"),
        None => return Ok(Text(None)),
    };
    Ok(Text(Some(Cow::Owned(text.into_bytes()))))
}

/// Takes the server name; returns the subject of the client's certificate, if it showed one.
fn tls_properties<'a>(
    entry: &mut Entry<'a>,
    bytes: &'a [u8],
) -> Result<Option<&'a [u8]>, LineProblem> {
    let mut subject = None;
    for field in Fields::of(bytes) {
        match field? {
            (3, Value::Bytes(name)) => entry.requested_server_name = Text::of(name),
            (5, Value::Bytes(certificate)) => {
                for field in Fields::of(certificate) {
                    if let (2, Value::Bytes(text)) = field? {
                        subject = Some(text).filter(|text| !text.is_empty());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(subject)
}

fn custom_tag<'a>(entry: &mut Entry<'a>, bytes: &'a [u8]) -> Result<(), LineProblem> {
    let (mut key, mut value) = (&b""[..], &b""[..]);
    for field in Fields::of(bytes) {
        match field? {
            (1, Value::Bytes(text)) => key = text,
            (2, Value::Bytes(text)) => value = text,
            _ => {}
        }
    }
    if key == b"requested_server_name" {
        entry.requested_server_name = Text::of(value);
    }
    Ok(())
}

/// The flags that say that a rule refused it, as the JSON form writes them.
fn refusal<'a>(bytes: &[u8]) -> Result<Text<'a>, LineProblem> {
    let mut flag: &[u8] = b"";
    for field in Fields::of(bytes) {
        match field? {
            (9, Value::Number(1)) => flag = b"NR",
            (12, Value::Number(1)) => flag = b"RL",
            // Unauthorized, by the external service.
            (13, Value::Bytes(why)) if number_in(why)? == Some(1) => flag = b"UAEX",
            _ => {}
        }
    }
    Ok(Text::of(flag))
}

/// The number in a message that wraps one (`UInt32Value`).
fn number_in(bytes: &[u8]) -> Result<Option<u64>, LineProblem> {
    for field in Fields::of(bytes) {
        if let (1, Value::Number(number)) = field? {
            return Ok(Some(number));
        }
    }
    Ok(None)
}

/// `google.protobuf.Timestamp` or `Duration`.
fn seconds_and_nanos(bytes: &[u8]) -> Result<(i64, i64), LineProblem> {
    let (mut seconds, mut nanos) = (0, 0);
    for field in Fields::of(bytes) {
        match field? {
            (1, Value::Number(number)) => seconds = number as i64,
            (2, Value::Number(number)) => nanos = number as i64,
            _ => {}
        }
    }
    Ok((seconds, nanos.clamp(0, 999_999_999)))
}

fn milliseconds(bytes: &[u8]) -> Result<Option<u64>, LineProblem> {
    let (seconds, nanos) = seconds_and_nanos(bytes)?;
    let ms = seconds.checked_mul(1_000).and_then(|ms| ms.checked_add(nanos / 1_000_000));
    // 100 years: no request lasts longer, and sums of times must not overflow.
    Ok(ms.and_then(|ms| u64::try_from(ms).ok()).filter(|ms| *ms < 3_155_760_000_000))
}

#[cfg(test)]
mod tests;
