//! A stream cut into messages (RFC 6587): each led by its length, or ended by a line end.

/// Longest message that is read, in bytes: as for lines of files.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// Most digits of a length.
const MAX_DIGITS: usize = 7;

/// A stream's bytes, as far as they make no message yet.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: Vec<u8>,
    start: usize,
    /// Bytes of a message that is too long, still to be thrown away; `None`: up to a line end.
    skip: Skip,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Skip {
    #[default]
    Nothing,
    Bytes(usize),
    Line,
}

/// What [`Frames::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A message, without its length or line end.
    Whole(&'a [u8]),
    /// A message of more than 64 KiB, which is left out.
    TooLong,
}

impl Frames {
    /// Adds what came in. All messages must have been taken before, so that what is kept is the
    /// begin of one.
    pub fn push(&mut self, mut bytes: &[u8]) {
        match self.skip {
            Skip::Nothing => {}
            Skip::Bytes(left) => {
                let skipped = left.min(bytes.len());
                bytes = &bytes[skipped..];
                self.skip =
                    if left > skipped { Skip::Bytes(left - skipped) } else { Skip::Nothing };
            }
            Skip::Line => match memchr::memchr(b'\n', bytes) {
                Some(end) => {
                    bytes = &bytes[end + 1..];
                    self.skip = Skip::Nothing;
                }
                None => return,
            },
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message that is complete, or too long to become so.
    pub fn next_frame(&mut self) -> Option<Frame<'_>> {
        let rest = &self.buffer[self.start..];
        if let Some((digits, length)) = counted(rest) {
            let (begin, end) = (self.start + digits + 1, self.start + digits + 1 + length);
            if length > MAX_MESSAGE_BYTES {
                let left = end.saturating_sub(self.buffer.len());
                return Some(self.give_up(end, Skip::Bytes(left)));
            }
            let is_whole = end <= self.buffer.len();
            self.start = if is_whole { end } else { self.start };
            return is_whole.then(|| Frame::Whole(&self.buffer[begin..end]));
        }
        let begin = self.start;
        match memchr::memchr(b'\n', rest) {
            Some(length) if length > MAX_MESSAGE_BYTES => {
                self.start = begin + length + 1;
                Some(Frame::TooLong)
            }
            Some(length) => {
                self.start = begin + length + 1;
                Some(Frame::Whole(&self.buffer[begin..begin + length]))
            }
            None if rest.len() > MAX_MESSAGE_BYTES => {
                Some(self.give_up(self.buffer.len(), Skip::Line))
            }
            None => None,
        }
    }

    /// What is left at the end of the stream: a message without a line end.
    pub fn rest(&mut self) -> Option<&[u8]> {
        let begin = std::mem::replace(&mut self.start, self.buffer.len());
        let rest = &self.buffer[begin..];
        (!rest.is_empty() && self.skip == Skip::Nothing && counted(rest).is_none()).then_some(rest)
    }

    fn give_up(&mut self, end: usize, skip: Skip) -> Frame<'static> {
        self.start = end.min(self.buffer.len());
        self.skip = if skip == Skip::Bytes(0) { Skip::Nothing } else { skip };
        Frame::TooLong
    }
}

/// The digits of the length that leads a message, and the length. Lines of logs may begin with
/// digits too, but not with `<` after them.
fn counted(rest: &[u8]) -> Option<(usize, usize)> {
    let digits = rest.iter().take(MAX_DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits > MAX_DIGITS || !rest[digits..].starts_with(b" <") {
        return None;
    }
    let length = rest[..digits].iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
    (length > 0).then_some((digits, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages of a stream that arrives in pieces; `None` for one that is too long.
    fn cut(stream: &[u8], piece: usize) -> Vec<Option<Vec<u8>>> {
        let mut frames = Frames::default();
        let mut found = Vec::new();
        for bytes in stream.chunks(piece) {
            frames.push(bytes);
            while let Some(frame) = frames.next_frame() {
                found.push(match frame {
                    Frame::Whole(bytes) => Some(bytes.to_vec()),
                    Frame::TooLong => None,
                });
            }
        }
        found.extend(frames.rest().map(|rest| Some(rest.to_vec())));
        found
    }

    #[test]
    fn lengths_and_line_ends_may_be_mixed() {
        let stream = b"9 <1>a\nb c1795.4 line\n<2>x\n5 <3>yz";
        let expected: Vec<_> = [&b"<1>a\nb c1"[..], b"795.4 line", b"<2>x", b"<3>yz"]
            .map(|message| Some(message.to_vec()))
            .into();
        for piece in [1, 2, 7, 100] {
            assert_eq!(cut(stream, piece), expected, "{piece}");
        }
    }

    #[test]
    fn what_is_too_long_is_left_out_and_the_next_one_is_read() {
        let long = vec![b'x'; 200_000];
        let by_line = [&long[..], b"\nnext\n"].concat();
        let by_length = [b"200001 <", &long[..], b"6 <1>abc"].concat();
        for piece in [1_000, 65_536, 1 << 20] {
            assert_eq!(cut(&by_line, piece), [None, Some(b"next".to_vec())]);
            assert_eq!(cut(&by_length, piece), [None, Some(b"<1>abc".to_vec())]);
        }
    }

    proptest::proptest! {
        #[test]
        fn messages_do_not_depend_on_how_they_arrive(
            stream in proptest::collection::vec(proptest::sample::select(&b"12 <a\n"[..]), 0..60),
            piece in 1usize..20,
        ) {
            proptest::prop_assert_eq!(cut(&stream, piece), cut(&stream, 1_000));
        }
    }
}
