//! Envoy's access log in JSON (`json_format`), one object per line.
//!
//! Read are the fields of the format that Egret ships (`deploy/envoy`); the examples in Envoy's
//! documentation use the same names. Others are skipped; absent, `null`, `""` and `"-"` are the
//! same; numbers may be written as text.
//!
//! What the lines mean here:
//! - The time is `start_time` and `duration`: the end. `bytes_received` is the upload; Envoy
//!   counts bodies and tunnelled bytes, not headers.
//! - The client is the peer of the connection, `downstream_direct_remote_address`, and only where
//!   that is not logged `downstream_remote_address`, then the last of `x_forwarded_for`: by
//!   default Envoy takes both of these from a header, which the executor can write.
//! - Refused by rule (`Blocked`): flag `UAEX` (external authorization), `RL` (rate limit), `NR`
//!   (no route or filter chain for it, which is how Envoy allows by list); details that begin
//!   with `rbac_access_denied` or `ext_authz_denied`; the cluster `BlackHoleCluster` (Istio's
//!   REGISTRY_ONLY); status 403 without an upstream. Not so status 407, which asks for a login.
//! - Other failures (no healthy upstream, time-outs, resets) were allowed and did not succeed.
//! - A line without a method is a TCP connection passed through by its TLS server name
//!   (`requested_server_name`). It is recorded as the opaque tunnel it is, method CONNECT.
//! - For CONNECT, `requested_server_name` is the proxy's own name as the client dialled it, so it
//!   is not taken as the server name inside the tunnel.

mod field;
pub mod grpc;

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use egret_event::{BlockReason, NameSource, SeenBy, Timestamp, Verdict};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

use super::digits::{formed, number, pairs};
use super::flat::Flat;
use super::record::{Coding, LineProblem, LogRecord, PROXY_LOGIN, Written};
use super::text::{address, address_and_port, host_and_port, quick_minute};
use crate::logs;

/// Reads a line, without its line end.
///
/// # Errors
/// See [`LineProblem`].
#[inline]
pub fn parse(line: &[u8]) -> Result<logs::Entry<'_>, LineProblem> {
    let mut entry = Entry::default();
    if entry.read_quickly(line).is_none() {
        entry = serde_json::from_slice(line).map_err(|_| LineProblem::Malformed("JSON"))?;
    }
    let start = entry.start_time.get().ok_or(LineProblem::Malformed("start_time"))?;
    let start = timestamp(start).ok_or(LineProblem::Malformed("start_time"))?;
    entry.take_entry(start, None)
}

/// The fields that are read.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Entry<'a> {
    #[serde(borrow)]
    start_time: Text<'a>,
    duration: Number,
    #[serde(borrow)]
    method: Text<'a>,
    #[serde(borrow)]
    authority: Text<'a>,
    #[serde(borrow)]
    path: Text<'a>,
    response_code: Number,
    #[serde(borrow)]
    response_code_details: Text<'a>,
    #[serde(borrow)]
    connection_termination_details: Text<'a>,
    #[serde(borrow)]
    response_flags: Text<'a>,
    bytes_received: Number,
    bytes_sent: Number,
    #[serde(borrow)]
    downstream_direct_remote_address: Text<'a>,
    #[serde(borrow)]
    downstream_remote_address: Text<'a>,
    #[serde(borrow)]
    x_forwarded_for: Text<'a>,
    #[serde(borrow)]
    upstream_host: Text<'a>,
    #[serde(borrow)]
    upstream_cluster: Text<'a>,
    #[serde(borrow)]
    requested_server_name: Text<'a>,
    #[serde(borrow)]
    user_agent: Text<'a>,
    /// Whether `user_agent` still has its escapes.
    #[serde(skip)]
    is_agent_escaped: bool,
    #[serde(borrow)]
    user: Text<'a>,
}

/// The parts of an entry that the record takes over.
struct Target<'a> {
    host: Cow<'a, [u8]>,
    named_by: NameSource,
    port: u16,
    method: Cow<'a, [u8]>,
    /// With its query.
    path: Option<Cow<'a, [u8]>>,
    user_agent: Option<Written<'a>>,
    user: Option<Cow<'a, [u8]>>,
    sni: Option<Cow<'a, [u8]>>,
}

impl<'a> Entry<'a> {
    /// What was logged of a request or connection that began at `start`.
    #[inline]
    fn take_entry(
        &mut self,
        start: Timestamp,
        client_certificate: Option<Cow<'a, [u8]>>,
    ) -> Result<logs::Entry<'a>, LineProblem> {
        let duration_ms = self.duration.0;
        let client = self.client().ok_or(LineProblem::Malformed("client address"))?;
        let upstream = self.upstream_host.get().and_then(address_and_port);
        let verdict = self.verdict();
        let up_bytes = self.up_bytes();
        let down_bytes = self.bytes_sent.0;
        let status = self.status();
        let target = self.take_target(upstream)?;
        Ok(logs::Entry::Request(LogRecord {
            at: start + Duration::from_millis(duration_ms.unwrap_or(0)),
            client,
            host: target.host,
            named_by: target.named_by,
            port: target.port,
            address: upstream.map(|(address, _)| address),
            verdict,
            up_bytes,
            down_bytes,
            method: target.method,
            target: target.path,
            user_agent: target.user_agent,
            status,
            duration_ms,
            user: target.user,
            sni: target.sni,
            content_type: None,
            body_bytes: None,
            client_certificate,
            seen_by: SeenBy::Proxy,
        }))
    }

    /// Reads a line of the plain form that Envoy writes unless a value needs escapes. `None`: it is
    /// not of that form, and what was read means nothing.
    fn read_quickly(&mut self, line: &'a [u8]) -> Option<()> {
        let mut object = Flat::of(line)?;
        loop {
            match self.slot(object.text()) {
                Some((slot, key_bytes)) => {
                    object.pass_key(key_bytes);
                    slot.fill(&mut object)?;
                }
                None => {
                    object.key()?;
                    object.value()?;
                }
            }
            if !object.goes_on()? {
                return Some(());
            }
        }
    }

    fn status(&self) -> Option<u16> {
        self.response_code.0.and_then(|code| u16::try_from(code).ok()).filter(|code| *code > 0)
    }

    fn client(&self) -> Option<(IpAddr, u16)> {
        let peer = |field: &Text<'_>| {
            let text = field.get()?;
            address_and_port(text).or_else(|| Some((address(text)?, 0)))
        };
        peer(&self.downstream_direct_remote_address)
            .or_else(|| peer(&self.downstream_remote_address))
            .or_else(|| {
                let nearest = self.x_forwarded_for.get()?.rsplit(|byte| *byte == b',').next()?;
                Some((address(nearest.trim_ascii())?, 0))
            })
    }

    fn verdict(&self) -> Verdict {
        let status = self.status();
        let refused = status != Some(PROXY_LOGIN)
            && (self.is_flagged_as_refused()
                || is_refusal(self.response_code_details.get())
                || is_refusal(self.connection_termination_details.get())
                || self.upstream_cluster.get() == Some(b"BlackHoleCluster")
                || (status == Some(403) && self.upstream_host.get().is_none()));
        if refused { Verdict::Blocked(BlockReason::ProxyDenied) } else { Verdict::Allowed }
    }

    fn is_flagged_as_refused(&self) -> bool {
        self.response_flags.get().is_some_and(|flags| {
            flags.split(|byte| *byte == b',').any(|flag| matches!(flag, b"UAEX" | b"RL" | b"NR"))
        })
    }

    /// Nothing was passed on where the client was only asked to log in.
    fn up_bytes(&self) -> Option<u64> {
        let challenge = self.status() == Some(PROXY_LOGIN);
        self.bytes_received.0.map(|bytes| if challenge { 0 } else { bytes })
    }

    #[inline]
    fn take_target(&mut self, upstream: Option<(IpAddr, u16)>) -> Result<Target<'a>, LineProblem> {
        let method = self.method.take();
        let tunnel = method.as_deref().is_none_or(|method| method == b"CONNECT");
        let sni = self.requested_server_name.take();
        let path = self.path.take().filter(|_| !tunnel);
        let upstream_port = upstream.map(|(_, port)| port);
        let (host, port, named_by) = match (self.authority.take(), &sni, upstream) {
            (Some(authority), ..) => {
                let (host, port) = split(authority, host_and_port);
                let by = if tunnel { NameSource::Connect } else { NameSource::ProxyLog };
                (host, port, by)
            }
            (None, Some(sni), _) => (sni.clone(), None, NameSource::Sni),
            (None, None, Some((address, _))) => {
                (Cow::Owned(address.to_string().into_bytes()), None, NameSource::ProxyLog)
            }
            (None, None, None) => return Err(LineProblem::NoDestination),
        };
        if host.is_empty() {
            return Err(LineProblem::NoDestination);
        }
        let coding = if self.is_agent_escaped { Coding::Json } else { Coding::Plain };
        let user_agent = self.user_agent.take().map(|raw| Written { raw, coding });
        let usual = if sni.is_some() || tunnel { 443 } else { 80 };
        Ok(Target {
            host,
            named_by,
            port: port.or(upstream_port).unwrap_or(usual),
            sni: sni.filter(|_| named_by != NameSource::Connect),
            method: method.unwrap_or(Cow::Borrowed(b"CONNECT")),
            path,
            user_agent,
            user: self.user.take(),
        })
    }
}

fn is_refusal(details: Option<&[u8]>) -> bool {
    details.is_some_and(|details| {
        details.starts_with(b"rbac_access_denied") || details.starts_with(b"ext_authz_denied")
    })
}

/// Splits text by `at` without copying what is borrowed.
fn split<T>(text: Cow<'_, [u8]>, at: fn(&[u8]) -> (&[u8], T)) -> (Cow<'_, [u8]>, T) {
    match text {
        Cow::Borrowed(bytes) => {
            let (head, tail) = at(bytes);
            (Cow::Borrowed(head), tail)
        }
        Cow::Owned(bytes) => {
            let (head, tail) = at(&bytes);
            (Cow::Owned(head.to_vec()), tail)
        }
    }
}

/// RFC 3339, fast for the form that Envoy writes by default (`2026-01-31T09:30:00.123Z`).
fn timestamp(text: &[u8]) -> Option<Timestamp> {
    quick_timestamp(text).or_else(|| str::from_utf8(text).ok()?.parse().ok())
}

fn quick_timestamp(text: &[u8]) -> Option<Timestamp> {
    let ([date, time, rest], []) = text.as_chunks() else { return None };
    let minute = quick_minute(*date, *time)?;
    let rest = formed(*rest, *b":00.000Z")?;
    let [_, _, _, _, _, _, last_digit, _] = rest.to_le_bytes().map(i64::from);
    let [_, second, _, _, hundredths, _, _, _] = pairs(rest).map(i64::from);
    let millis = hundredths * 10 + last_digit;
    (second < 60).then(|| Timestamp::from_parts(minute + second, millis * 1_000_000))
}

/// Text that need not be UTF-8, borrowed where JSON does not escape it.
#[derive(Debug, Default, PartialEq)]
struct Text<'a>(Option<Cow<'a, [u8]>>);

impl<'a> Text<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        let given = !matches!(bytes, b"" | b"-");
        Self(given.then_some(Cow::Borrowed(bytes)))
    }

    fn get(&self) -> Option<&[u8]> {
        self.0.as_deref()
    }

    fn take(&mut self) -> Option<Cow<'a, [u8]>> {
        self.0.take()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or null")
            }
            fn visit_none<E>(self) -> Result<Self::Value, E> {
                Ok(Text(None))
            }
            fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Self::Value, D::Error> {
                // Asked for bytes, serde_json does not insist on UTF-8.
                inner.deserialize_bytes(self)
            }
            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Text::of(bytes))
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Text(Some(Cow::Owned(bytes.to_vec()))))
            }
        }
        deserializer.deserialize_option(TextVisitor)
    }
}

/// A number, also where it is written as text. Negative ones and other text count as absent.
#[derive(Debug, Default, PartialEq)]
struct Number(Option<u64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;
        impl Visitor<'_> for NumberVisitor {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, text or null")
            }
            fn visit_u64<E>(self, value: u64) -> Result<Number, E> {
                Ok(Number(Some(value)))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Number, E> {
                Ok(Number(u64::try_from(value).ok()))
            }
            // As fractions, which Envoy does not write, a number is rounded down.
            fn visit_f64<E>(self, value: f64) -> Result<Number, E> {
                Ok(Number((value >= 0.0).then_some(value as u64)))
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<Number, E> {
                Ok(Number(number(value.as_bytes())))
            }
            fn visit_unit<E>(self) -> Result<Number, E> {
                Ok(Number(None))
            }
        }
        deserializer.deserialize_any(NumberVisitor)
    }
}

#[cfg(test)]
mod tests;
