//! The header of a message: RFC 5424, RFC 3164 as it is really sent, or none.

/// A message without its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Who wrote it: host and program as the header has them. Empty where it does not say.
    pub writer: &'a [u8],
    /// The writer's number for it (RFC 5424, section 7.3.1).
    pub sequence: Option<u32>,
    /// What was logged.
    pub body: &'a [u8],
}

/// Longest tag that is taken for one (RFC 3164 says 32 and is not obeyed).
const MAX_TAG_BYTES: usize = 128;

const BOM: &[u8] = b"\xef\xbb\xbf";

const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

impl<'a> Message<'a> {
    /// Takes the header off a message. What has none that is known is all body.
    pub fn of(message: &'a [u8]) -> Self {
        let message = message.trim_ascii_end();
        match priority(message) {
            Some(rest) => rfc5424(rest).unwrap_or_else(|| rfc3164(rest).unwrap_or(bare(rest))),
            None => rfc3164(message).unwrap_or(bare(message)),
        }
    }
}

fn bare(body: &[u8]) -> Message<'_> {
    Message { writer: b"", sequence: None, body }
}

/// What follows `<n>`, where n is at most 191.
fn priority(message: &[u8]) -> Option<&[u8]> {
    let rest = message.strip_prefix(b"<")?;
    let end = rest.iter().take(4).position(|byte| *byte == b'>')?;
    let digits = &rest[..end];
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_number.then_some(&rest[end + 1..])
}

/// `1 TIME HOST PROGRAM PROCESS ID DATA [BOM]MESSAGE`.
fn rfc5424(rest: &[u8]) -> Option<Message<'_>> {
    let all = rest.strip_prefix(b"1 ")?;
    let (_time, rest) = word(all)?;
    let before_writer = rest;
    let (_host, rest) = word(rest)?;
    let (_program, after_writer) = word(rest)?;
    let writer = &before_writer[..before_writer.len() - after_writer.len() - 1];
    let (_process, rest) = word(after_writer)?;
    let (_id, rest) = word(rest)?;
    let (sequence, rest) = structured(rest)?;
    let body = rest.strip_prefix(b" ").unwrap_or(rest);
    Some(Message { writer, sequence, body: body.strip_prefix(BOM).unwrap_or(body) })
}

/// Goes past the structured data; returns `sequenceId` of the element `meta`, if it is there.
fn structured(rest: &[u8]) -> Option<(Option<u32>, &[u8])> {
    if let Some(rest) = rest.strip_prefix(b"-") {
        return Some((None, rest));
    }
    let mut sequence = None;
    let mut rest = rest;
    while let Some(element) = rest.strip_prefix(b"[") {
        let end = element_end(element)?;
        sequence = sequence.or_else(|| sequence_of(&element[..end]));
        rest = &element[end + 1..];
    }
    Some((sequence, rest))
}

/// Where an element's `]` is: not inside quotes.
fn element_end(element: &[u8]) -> Option<usize> {
    let mut in_quotes = false;
    let mut is_escaped = false;
    element.iter().position(|byte| {
        let escaped = std::mem::take(&mut is_escaped);
        match byte {
            _ if escaped => {}
            b'\\' => is_escaped = in_quotes,
            b'"' => in_quotes = !in_quotes,
            b']' => return !in_quotes,
            _ => {}
        }
        false
    })
}

fn sequence_of(element: &[u8]) -> Option<u32> {
    const KEY: &[u8] = b" sequenceId=\"";
    let parameters = element.strip_prefix(b"meta")?;
    let start = parameters.windows(KEY.len()).position(|window| window == KEY)? + KEY.len();
    let rest = &parameters[start..];
    let end = rest.iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
}

/// `TIME [HOST] TAG: MESSAGE`, where TIME is `Mmm dd hh:mm:ss` or RFC 3339.
fn rfc3164(rest: &[u8]) -> Option<Message<'_>> {
    let rest = after_time(rest)?;
    let (first, after_first) = word(rest)?;
    let (writer, after) = if is_tag(first) {
        (first, after_first)
    } else {
        let (second, after_second) = word(after_first)?;
        if !is_tag(second) {
            return None;
        }
        (&rest[..first.len() + 1 + second.len()], after_second)
    };
    Some(Message { writer: without_process(writer), sequence: None, body: after })
}

fn is_tag(word: &[u8]) -> bool {
    word.len() > 1 && word.len() <= MAX_TAG_BYTES && word.ends_with(b":")
}

/// A tag without `[process]:`, which changes when the writer is restarted.
fn without_process(writer: &[u8]) -> &[u8] {
    let tag = writer.strip_suffix(b":").unwrap_or(writer);
    match (tag.ends_with(b"]"), tag.iter().rposition(|byte| *byte == b'[')) {
        (true, Some(open)) => &tag[..open],
        _ => tag,
    }
}

fn after_time(rest: &[u8]) -> Option<&[u8]> {
    let (first, after) = word(rest)?;
    if MONTHS.contains(&first) {
        // Days below ten are padded with a space.
        let (day, after) = word(after.strip_prefix(b" ").unwrap_or(after))?;
        let (time, after) = word(after)?;
        let is_time = time.len() >= 8 && time[2] == b':' && time[5] == b':';
        return (is_time && day.iter().all(u8::is_ascii_digit)).then_some(after);
    }
    let is_rfc3339 = first.len() >= 19 && first[4] == b'-' && first[10] == b'T';
    is_rfc3339.then_some(after)
}

/// What comes before the next space, and what after it.
fn word(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b' ', rest)?;
    Some((&rest[..end], &rest[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(message: &str) -> (&str, Option<u32>, &str) {
        let Message { writer, sequence, body } = Message::of(message.as_bytes());
        (str::from_utf8(writer).unwrap(), sequence, str::from_utf8(body).unwrap())
    }

    #[test]
    fn headers_of_both_standards_are_taken_off() {
        for (message, writer, sequence, body) in [
            (
                "<134>1 2026-11-25T01:02:03.5Z gw squid 77 - [meta sequenceId=\"29\"] \u{feff}the line",
                "gw squid",
                Some(29),
                "the line",
            ),
            (
                "<134>1 - gw squid - - [a b=\"]\\\"\"][meta x=\"\" sequenceId=\"7\"] line\n",
                "gw squid",
                Some(7),
                "line",
            ),
            ("<134>1 - - - - - - a b", "- -", None, "a b"),
            ("<190>Nov 25 01:02:03 gw nginx: 10.0.0.1 - -", "gw nginx", None, "10.0.0.1 - -"),
            ("<134>Nov  5 01:02:03 haproxy[12]: 10.0.0.1:5 a", "haproxy", None, "10.0.0.1:5 a"),
            ("<13>2026-11-25T01:02:03.123456+00:00 gw squid: x y", "gw squid", None, "x y"),
            (
                "Nov 25 01:02:03 gw squid[123]: 1795451434.428 1",
                "gw squid",
                None,
                "1795451434.428 1",
            ),
        ] {
            assert_eq!(parts(message), (writer, sequence, body), "{message}");
        }
    }

    #[test]
    fn what_has_no_header_is_all_body() {
        for message in [
            "1795451434.428 1 10.20.0.17 TCP_MISS/200 1246 GET http://a/ - HIER_NONE/- -",
            "{\"start_time\":\"2026-01-31T09:30:00.123Z\"}",
            "Nov is not a header",
            "",
        ] {
            assert_eq!(parts(message), ("", None, message));
        }
        assert_eq!(parts("<134>{\"a\":1}"), ("", None, "{\"a\":1}"));
    }

    proptest::proptest! {
        #[test]
        fn no_message_panics(
            message in "(<[0-9]{0,4}>)?(1 |Nov +5 01:02:03 |2026-11-25T01:02:03Z )?[-a \\[\\]\\\\\"=:m]{0,40}",
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40),
        ) {
            for message in [message.as_bytes(), &bytes] {
                let body = Message::of(message).body;
                proptest::prop_assert!(body.len() <= message.len());
            }
        }
    }
}
