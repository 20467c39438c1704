//! How long a body is (RFC 9112, sections 6 and 7).

use memchr::memchr;

/// Most chunks that are counted: more than fit into the segments that are kept.
const MAX_CHUNKS: usize = 4096;

/// What the headers say of a body's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// So many bytes.
    Length(u64),
    /// In chunks, each with its length.
    Chunked,
    /// Nothing that can be relied on.
    Unknown,
}

impl Body {
    /// Takes in what a header says, if it is about the length.
    pub(super) fn header(&mut self, name: &[u8], value: &[u8]) {
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let last = value.rsplit(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
            let is_chunked = last.eq_ignore_ascii_case(b"chunked");
            *self = if is_chunked { Self::Chunked } else { Self::Unknown };
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let said = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            *self = match (*self, said) {
                // Transfer-Encoding counts, where both are there.
                (Self::Chunked, _) => Self::Chunked,
                (Self::Length(0), Some(said)) => Self::Length(said),
                (Self::Length(before), Some(said)) if before == said => Self::Length(said),
                _ => Self::Unknown,
            };
        }
    }
}

/// The bytes of content of the chunked body at the start of `bytes`, and the bytes that it takes.
/// `None`: not all of it is there, or it is damaged.
pub fn chunked(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut content = 0;
    let mut at = 0;
    for _ in 0..MAX_CHUNKS {
        let line = line(bytes, &mut at)?;
        let digits = line.split(|byte| *byte == b';').next()?.trim_ascii();
        let length = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        if length == 0 {
            return end(bytes, at).map(|end| (content, end));
        }
        content += u64::from(length);
        at = at.checked_add(usize::try_from(length).ok()?)?;
        // The end of the chunk.
        if !self::line(bytes, &mut at)?.is_empty() {
            return None;
        }
    }
    None
}

/// Where the trailer ends that starts at `at`.
fn end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        if line(bytes, &mut at)?.is_empty() {
            return Some(at);
        }
    }
}

/// The line at `at`, without its end.
fn line<'a>(bytes: &'a [u8], at: &mut usize) -> Option<&'a [u8]> {
    let rest = bytes.get(*at..)?;
    let end = memchr(b'\n', rest)?;
    *at += end + 1;
    Some(rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]))
}
