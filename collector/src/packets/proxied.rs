//! The PROXY protocol: the line or header with which a load balancer says for whom it speaks, before
//! anything else (HAProxy's proxy-protocol.txt).

/// The start of a header in binary form (section 2.2).
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Bytes of a header in binary form before its addresses.
const FIXED_BYTES: usize = 16;

/// Longest line of the form in text, its end included (section 2.1).
const MAX_LINE_BYTES: usize = 107;

/// How many bytes of a stream's first segment are such a header. 0: there is none.
#[inline]
pub(super) fn header_bytes(segment: &[u8]) -> usize {
    match segment.first() {
        Some(b'P') => line_bytes(segment),
        Some(b'\r') => binary_bytes(segment),
        _ => 0,
    }
}

fn line_bytes(segment: &[u8]) -> usize {
    if !segment.starts_with(b"PROXY ") {
        return 0;
    }
    let line = &segment[..segment.len().min(MAX_LINE_BYTES)];
    line.windows(2).position(|pair| pair == b"\r\n").map_or(0, |at| at + 2)
}

fn binary_bytes(segment: &[u8]) -> usize {
    match segment.strip_prefix(SIGNATURE) {
        Some([version, _, high, low, ..]) if version >> 4 == 2 => {
            FIXED_BYTES + usize::from(u16::from_be_bytes([*high, *low]))
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_end_where_they_say() {
        for (head, is_one) in [
            (&b"PROXY TCP4 192.0.2.1 198.51.100.1 50000 443\r\n"[..], true),
            (b"PROXY UNKNOWN\r\n", true),
            (
                b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x01\xc3\x50\x01\xbb",
                true,
            ),
            (b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", true),
            (b"PROPFIND / HTTP/1.1\r\n", false),
            (b"PROXY TCP4 without an end", false),
            (b"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\x0c", false),
            (b"\r\nGET / HTTP/1.1\r\n", false),
        ] {
            let segment = [head, b"rest"].concat();
            let expected = if is_one { head.len() } else { 0 };
            assert_eq!(header_bytes(&segment), expected, "{head:?}");
        }
        assert_eq!(header_bytes(b""), 0);
    }
}
