//! Small conversions of text fields, shared by the dialects.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use egret_event::SmolStr;

use super::digits::{dotted_begin, formed, number, pairs};
use super::scan::find;

/// Makes text from a log printable and short: control characters and bytes that are not UTF-8
/// are escaped or replaced, and what would exceed `max_bytes` is left out.
pub(super) fn printable(raw: &[u8], max_bytes: usize) -> SmolStr {
    // Without an early end the compiler looks at many bytes at once.
    let is_plain = raw.iter().fold(true, |so_far, byte| so_far & matches!(byte, b' '..=b'~'));
    if raw.len() <= max_bytes
        && is_plain
        && let Ok(text) = str::from_utf8(raw)
    {
        return SmolStr::new(text);
    }
    // Four bytes make at most one character, so this much is enough to fill the limit.
    let head = &raw[..raw.len().min(max_bytes.saturating_mul(4))];
    let mut clean = String::with_capacity(max_bytes);
    for character in String::from_utf8_lossy(head).chars() {
        let before = clean.len();
        if character.is_control() {
            clean.extend(character.escape_default());
        } else {
            clean.push(character);
        }
        if clean.len() > max_bytes {
            clean.truncate(before);
            break;
        }
    }
    clean.into()
}

/// Undoes `%XX`. What is no valid escape stays as it is.
pub(crate) fn percent_decoded(raw: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'%', raw) else { return Cow::Borrowed(raw) };
    let mut decoded = raw[..first].to_vec();
    let mut rest = &raw[first..];
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = (byte == b'%').then(|| after.first_chunk::<2>()).flatten();
        if let Some(value) = escaped.and_then(|pair| hex_pair(*pair)) {
            decoded.push(value);
            rest = &after[2..];
        } else {
            decoded.push(byte);
            rest = after;
        }
    }
    Cow::Owned(decoded)
}

/// Undoes the escapes of a JSON string that are one character each. What is none stays as it is.
pub(super) fn json_decoded(raw: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', raw).is_none() {
        return Cow::Borrowed(raw);
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = (byte == b'\\').then(|| after.first().and_then(|mark| json_escape(*mark)));
        if let Some(value) = escaped.flatten() {
            decoded.push(value);
            rest = &after[1..];
        } else {
            decoded.push(byte);
            rest = after;
        }
    }
    Cow::Owned(decoded)
}

/// What a JSON string means by a backslash before `mark` (RFC 8259, section 7), but for `\u`.
pub(super) fn json_escape(mark: u8) -> Option<u8> {
    Some(match mark {
        b'"' | b'\\' | b'/' => mark,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        _ => return None,
    })
}

pub(super) fn hex_pair([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

/// A port number.
pub(super) fn port(raw: &[u8]) -> Option<u16> {
    number(raw).and_then(|port| u16::try_from(port).ok())
}

/// A host that is an address in text, and not a name.
pub(super) fn literal(host: &[u8]) -> Option<IpAddr> {
    // No name has a colon, and few begin with a digit.
    let may_be = host.first().is_some_and(u8::is_ascii_digit) || find(b':', host).is_some();
    may_be.then(|| address(host)).flatten()
}

/// An address in text, with or without brackets.
pub(super) fn address(raw: &[u8]) -> Option<IpAddr> {
    if let Some(address) = dotted(raw) {
        return Some(IpAddr::V4(address));
    }
    let bare = raw.strip_prefix(b"[").and_then(|raw| raw.strip_suffix(b"]")).unwrap_or(raw);
    str::from_utf8(bare).ok()?.parse().ok()
}

/// Four decimal numbers with dots and nothing else. `None`: leave it to the general parser.
fn dotted(raw: &[u8]) -> Option<Ipv4Addr> {
    dotted_begin(raw).filter(|(_, rest)| rest.is_empty()).map(|(address, _)| address)
}

/// `ADDRESS:PORT`. An IPv6 address may come without brackets, as Squid writes it: the port is
/// what follows the last colon.
pub(super) fn address_and_port(raw: &[u8]) -> Option<(IpAddr, u16)> {
    if let Some((address, [b':', rest @ ..])) = dotted_begin(raw) {
        return Some((IpAddr::V4(address), port(rest)?));
    }
    let colon = raw.iter().rposition(|byte| *byte == b':')?;
    Some((address(&raw[..colon])?, port(&raw[colon + 1..])?))
}

/// The host, without brackets, and the port of `HOST[:PORT]`.
pub(super) fn host_and_port(raw: &[u8]) -> (&[u8], Option<u16>) {
    if let Some(inner) = raw.strip_prefix(b"[")
        && let Some(end) = memchr::memchr(b']', inner)
    {
        return (&inner[..end], inner[end + 1..].strip_prefix(b":").and_then(port));
    }
    let Some(colon) = find(b':', raw) else { return (raw, None) };
    let after = &raw[colon + 1..];
    match port(after) {
        // More than one colon and no brackets: an IPv6 address without a port.
        None if find(b':', after).is_some() => (raw, None),
        port => (&raw[..colon], port),
    }
}

/// Splits `PATH?QUERY` into the path and the query, where that is known: proxies that strip queries
/// leave a bare question mark.
pub(super) fn path_and_query(raw: &[u8]) -> (&[u8], Option<&[u8]>) {
    match find(b'?', raw) {
        None => (raw, Some(b"")),
        Some(mark) => (&raw[..mark], Some(&raw[mark + 1..]).filter(|query| !query.is_empty())),
    }
}

/// Seconds since the epoch until a minute begins, of `2026-01-31T09:30` in two halves. `None`: it is not of
/// that form, or of the last days of a month, which are left to a full parser.
#[inline]
pub(super) fn quick_minute(date: [u8; 8], time: [u8; 8]) -> Option<i64> {
    let (date, time) = (formed(date, *b"0000-00-")?, formed(time, *b"00T00:00")?);
    let [century, _, year, _, _, month, _, _] = pairs(date).map(i64::from);
    let [day, _, _, hour, _, _, minute, _] = pairs(time).map(i64::from);
    let is_plain = (1..=12).contains(&month) && (1..=28).contains(&day) && hour < 24 && minute < 60;
    let days = days_since_epoch(century * 100 + year, month, day);
    is_plain.then_some(days * 86_400 + hour * 3_600 + minute * 60)
}

/// Days from 1970-01-01 in the Gregorian calendar, counted in years that begin in March, so that
/// the leap day is the last (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
pub(super) fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_becomes_printable_and_short() {
        assert_eq!(printable(b"curl/8.5", 256), "curl/8.5");
        assert_eq!(printable(b"a\x1b[2J\n", 256), "a\\u{1b}[2J\\n");
        assert_eq!(printable(b"caf\xc3\xa9 \xff", 256), "café \u{fffd}");
        assert_eq!(printable("éé".as_bytes(), 3), "é");
        assert_eq!(printable(b"abcdef", 4), "abcd");
    }

    #[test]
    fn escapes_are_undone_and_broken_ones_kept() {
        assert_eq!(percent_decoded(b"al%20ice%C3%a9").as_ref(), "al iceé".as_bytes());
        assert_eq!(percent_decoded(b"100%").as_ref(), b"100%");
        assert_eq!(percent_decoded(b"%zz%4").as_ref(), b"%zz%4");
        assert_eq!(percent_decoded(b"%2520").as_ref(), b"%20");
    }

    #[test]
    fn json_escapes_of_one_character_are_undone_and_others_kept() {
        assert_eq!(json_decoded(b"plain").as_ref(), b"plain");
        let escapes = br#"\"\\\/\b\f\n\r\t"#;
        assert_eq!(json_decoded(escapes).as_ref(), b"\"\\/\x08\x0c\n\r\t");
        assert_eq!(json_decoded(br"\x\").as_ref(), br"\x\");
    }

    #[test]
    fn hosts_ports_and_addresses_are_told_apart() {
        assert_eq!(host_and_port(b"example.org:8443"), (&b"example.org"[..], Some(8443)));
        assert_eq!(host_and_port(b"example.org"), (&b"example.org"[..], None));
        assert_eq!(host_and_port(b"[2001:db8::1]:443"), (&b"2001:db8::1"[..], Some(443)));
        assert_eq!(host_and_port(b"2001:db8::1"), (&b"2001:db8::1"[..], None));
        let squid = address_and_port(b"2001:db8::1:443").unwrap();
        assert_eq!(squid, ("2001:db8::1".parse().unwrap(), 443));
        assert_eq!(address_and_port(b"-:-"), None);
        assert_eq!(number(b"99999999999999999999"), None);
        assert_eq!(port(b"65536"), None);
    }

    #[test]
    fn a_stripped_query_has_an_unknown_length() {
        assert_eq!(path_and_query(b"/a"), (&b"/a"[..], Some(&b""[..])));
        assert_eq!(path_and_query(b"/a?"), (&b"/a"[..], None));
        assert_eq!(path_and_query(b"/a?b=c"), (&b"/a"[..], Some(&b"b=c"[..])));
    }

    proptest::proptest! {
        #[test]
        fn the_quick_reading_of_addresses_agrees_with_the_general_one(
            text in "[0-9]{1,3}(\\.[0-9]{1,4}){2,4}|[0-9.]{0,16}",
        ) {
            proptest::prop_assert_eq!(dotted(text.as_bytes()), text.parse().ok());
            let with_port = format!("{text}:8080");
            let expected = text.parse().ok().map(|address| (IpAddr::V4(address), 8080));
            proptest::prop_assert_eq!(address_and_port(with_port.as_bytes()), expected);
        }

        #[test]
        fn printable_text_is_printable_and_within_the_limit(
            raw in proptest::collection::vec(proptest::num::u8::ANY, 0..600),
            limit in 0usize..300,
        ) {
            let clean = printable(&raw, limit);
            proptest::prop_assert!(clean.len() <= limit);
            proptest::prop_assert!(!clean.chars().any(char::is_control));
        }
    }
}
