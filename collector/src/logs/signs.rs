//! What tells a line's dialect, by a look and without reading it.

use memchr::memmem;

use super::{argus, mapping, vpc};
use crate::Dialect;

/// Keys that only one dialect's objects have, most telling first. A key ends in `":`, which cannot
/// stand inside a JSON string, so no value can pass for one.
const KEYS: [(Dialect, &[u8]); 10] = [
    (Dialect::Smokescreen, b"\"inbound_remote_addr\":"),
    (Dialect::CiliumHubble, b"\"traffic_direction\":"),
    (Dialect::CiliumHubble, b"\"flow\":{\"time\":"),
    (Dialect::CiliumHubble, b"\"lost_events\":"),
    (Dialect::SuricataEve, b"\"event_type\":"),
    (Dialect::ZeekJson, b"\"_path\":"),
    (Dialect::ZeekJson, b"\"@stream\":"),
    (Dialect::ZeekJson, b"\"uid\":"),
    (Dialect::ZeekJson, b"\"fuid\":"),
    (Dialect::ZeekJson, b"\"percent_lost\":"),
];

/// The dialect that a line can only be of, if it is of any.
pub(crate) fn looks_like(line: &[u8]) -> Dialect {
    let otherwise =
        || if line.trim_ascii_start().starts_with(b"{") { object(line) } else { text(line) };
    mapping::looks_like(line).map_or_else(otherwise, Dialect::Mapped)
}

/// Whether a line says what the columns of those after it are.
pub(super) fn is_header(line: &[u8]) -> bool {
    line.starts_with(b"#") || argus::is_header(line) || vpc::is_header(line)
}

fn object(line: &[u8]) -> Dialect {
    let has = |key: &[u8]| memmem::find(line, key).is_some();
    let known = KEYS.into_iter().find(|(_, key)| has(key));
    known.map_or(Dialect::EnvoyJson, |(dialect, _)| dialect)
}

fn text(line: &[u8]) -> Dialect {
    if line.starts_with(b"#separator ") || line.starts_with(b"#fields\t") {
        return Dialect::ZeekTsv;
    }
    if argus::is_header(line) {
        return Dialect::Argus;
    }
    if vpc::is_header(line) || vpc::is_version_2(line) {
        return Dialect::AwsVpc;
    }
    let mut fields = line.split(|byte| *byte == b' ').filter(|field| !field.is_empty());
    match fields.nth(4) {
        Some(field) if field.starts_with(b"up=") => Dialect::SquidEgret,
        _ => Dialect::SquidNative,
    }
}
