//! Splits what is read into lines, without copying them and with a limit on their length.

use std::io::{self, Read};

/// Longest line that is read, in bytes. Squid's and Envoy's are a few hundred; headers in them
/// are limited to 60–64 KiB by both.
pub(crate) const MAX_LINE_BYTES: usize = 64 * 1024;

/// Bytes asked for at a time. With more it is no faster, and less is left of the core's cache for
/// what is remembered of clients and hosts.
const READ_BYTES: usize = 128 * 1024;

/// What [`Lines::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// A line, without its end (`\n` or `\r\n`).
    Whole {
        /// Where it begins, in bytes from the start of the input.
        offset: u64,
        /// Where the next one begins.
        next: u64,
        /// Its content.
        bytes: &'a [u8],
    },
    /// A line of more than [`MAX_LINE_BYTES`], skipped.
    TooLong {
        /// Where it begins.
        offset: u64,
        /// Where the next one begins.
        next: u64,
    },
}

/// A reader's buffer, cut into lines.
#[derive(Debug)]
pub(crate) struct Lines {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes before `end` that are known to hold no line end.
    searched: usize,
    /// Offset in the input of the line that comes next.
    offset: u64,
    /// Bytes already thrown away of a line that is too long.
    skipped: u64,
}

impl Lines {
    /// An empty buffer for an input that is read from `offset` on.
    pub(crate) fn starting_at(offset: u64) -> Self {
        Self { buffer: vec![0; READ_BYTES], start: 0, end: 0, searched: 0, offset, skipped: 0 }
    }

    /// Offset of the first byte that was not handed out as part of a line.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Offset of the first byte that was not read.
    pub(crate) fn read_until(&self) -> u64 {
        self.offset + self.skipped + (self.end - self.start) as u64
    }

    /// Reads once from `input`. Returns the number of bytes; 0 at the end of the input.
    ///
    /// All lines must have been taken before: what is left is the begin of one.
    pub(crate) fn fill(&mut self, input: &mut impl Read) -> io::Result<usize> {
        self.make_room();
        loop {
            match input.read(&mut self.buffer[self.end..]) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Moves the begin of a line to the front, or throws it away if the line is too long.
    fn make_room(&mut self) {
        if self.skipped > 0 || self.end - self.start > MAX_LINE_BYTES {
            self.skipped += (self.end - self.start) as u64;
            (self.start, self.end, self.searched) = (0, 0, 0);
            return;
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.searched -= self.start;
        self.start = 0;
    }

    /// The next line that is complete.
    pub(crate) fn next(&mut self) -> Option<Line<'_>> {
        let Some(found) = memchr::memchr(b'\n', &self.buffer[self.searched..self.end]) else {
            self.searched = self.end;
            return None;
        };
        let line_end = self.searched + found;
        Some(self.take(line_end, line_end + 1))
    }

    /// What is left at the end of the input: a line without a line end.
    pub(crate) fn rest(&mut self) -> Option<Line<'_>> {
        if self.start == self.end && self.skipped == 0 {
            return None;
        }
        Some(self.take(self.end, self.end))
    }

    fn take(&mut self, line_end: usize, next: usize) -> Line<'_> {
        let from = self.start;
        let offset = self.offset;
        let too_long = self.skipped > 0 || line_end - from > MAX_LINE_BYTES;
        self.offset += self.skipped + (next - from) as u64;
        self.skipped = 0;
        self.start = next;
        self.searched = next;
        if too_long {
            return Line::TooLong { offset, next: self.offset };
        }
        let bytes = &self.buffer[from..line_end];
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        Line::Whole { offset, next: self.offset, bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines as (offset, content); `None` for one that is too long.
    fn split(input: &[u8], piece: usize) -> Vec<(u64, Option<Vec<u8>>)> {
        let mut lines = Lines::starting_at(0);
        let mut found = Vec::new();
        let mut keep = |line: Line<'_>| match line {
            Line::Whole { offset, bytes, .. } => found.push((offset, Some(bytes.to_vec()))),
            Line::TooLong { offset, .. } => found.push((offset, None)),
        };
        let mut rest = input;
        while lines.fill(&mut (&mut rest).take(piece as u64)).unwrap() > 0 {
            while let Some(line) = lines.next() {
                keep(line);
            }
        }
        if let Some(line) = lines.rest() {
            keep(line);
        }
        assert_eq!(lines.offset(), input.len() as u64);
        found
    }

    #[test]
    fn line_ends_of_both_kinds_and_none_at_the_end() {
        let expected = [
            (0, Some(b"one".to_vec())),
            (5, Some(b"".to_vec())),
            (6, Some(b"two\r".to_vec())),
            (12, Some(b"three".to_vec())),
        ];
        assert_eq!(split(b"one\r\n\ntwo\r\r\nthree", 1000), expected);
        assert_eq!(split(b"one\r\n\ntwo\r\r\nthree", 1), expected);
    }

    #[test]
    fn a_megabyte_line_is_skipped_and_the_next_one_is_read() {
        let long = vec![b'x'; 1 << 20];
        let input = [b"good\n", long.as_slice(), b"\nalso good\n"].concat();
        for piece in [1 << 22, 100_000, 4_096] {
            assert_eq!(
                split(&input, piece),
                [
                    (0, Some(b"good".to_vec())),
                    (5, None),
                    (6 + (1 << 20), Some(b"also good".to_vec()))
                ]
            );
        }
    }

    #[test]
    fn the_limit_is_exact_however_the_line_arrives() {
        for (length, whole) in [(MAX_LINE_BYTES, true), (MAX_LINE_BYTES + 1, false)] {
            let input = [vec![b'x'; length], b"\n".to_vec()].concat();
            for piece in [1 << 22, 1_000] {
                assert_eq!(split(&input, piece)[0].1.is_some(), whole, "{length} {piece}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn lines_do_not_depend_on_how_they_were_read(
            input in proptest::collection::vec(proptest::sample::select(&b"ab\r\n"[..]), 0..200),
            piece in 1usize..50,
        ) {
            let whole = split(&input, 1 << 20);
            proptest::prop_assert_eq!(&split(&input, piece), &whole);
            for (offset, line) in whole {
                let line = line.unwrap();
                proptest::prop_assert!(input[offset as usize..].starts_with(&line));
            }
        }
    }
}
