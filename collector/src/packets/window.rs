//! A file read in large pieces, of which the bytes to be looked at next are in one stretch.

use std::io::{self, Read};
use std::ops::Range;

/// Most that is held: more than the longest packet.
const BUFFER_BYTES: usize = 512 * 1024;

/// Bytes asked for at a time. They are looked at while they are in the core's own cache, and leave
/// room there for the flows.
const READ_BYTES: usize = 64 * 1024;

/// The stretch of a file that is being looked at.
pub(super) struct Window<R> {
    input: R,
    buffer: Box<[u8]>,
    /// What of the buffer is still to be looked at.
    left: Range<usize>,
    /// Why no more can be read. What came before is looked at first.
    trouble: Option<io::Error>,
}

impl<R: Read> Window<R> {
    pub(super) fn new(input: R) -> Self {
        let buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
        Self { input, buffer, left: 0..0, trouble: None }
    }

    /// What is there.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.left.clone()]
    }

    /// Goes on behind the first `count` bytes that are there, and gives them.
    #[inline]
    pub(super) fn take(&mut self, count: usize) -> &[u8] {
        let start = self.left.start;
        self.left.start += count;
        &self.buffer[start..self.left.start]
    }

    /// The next bytes, without going past them. `None`: there are none at all.
    ///
    /// # Errors
    /// When the file cannot be read, or ends within `what`.
    #[inline]
    pub(super) fn head<const N: usize>(&mut self, what: &str) -> Result<Option<[u8; N]>, String> {
        if self.left.len() < N {
            self.fill(N);
            if self.left.is_empty() && self.trouble.is_none() {
                return Ok(None);
            }
        }
        match self.bytes().first_chunk() {
            Some(head) => Ok(Some(*head)),
            None => Err(self.ends_within(what)),
        }
    }

    /// Makes sure that at least `count` bytes are there, of at most half a mebibyte.
    ///
    /// # Errors
    /// When the file cannot be read, or ends within `what`.
    #[inline]
    pub(super) fn need(&mut self, count: usize, what: &str) -> Result<(), String> {
        if self.left.len() < count {
            self.fill(count);
            if self.left.len() < count {
                return Err(self.ends_within(what));
            }
        }
        Ok(())
    }

    /// Goes on behind the next `count` bytes, however many they are.
    ///
    /// # Errors
    /// When the file cannot be read, or ends within `what`.
    pub(super) fn skip(&mut self, mut count: usize, what: &str) -> Result<(), String> {
        while count > self.left.len() {
            count -= self.left.len();
            self.left = 0..0;
            self.fill(count.min(BUFFER_BYTES));
            if self.left.is_empty() {
                return Err(self.ends_within(what));
            }
        }
        self.left.start += count;
        Ok(())
    }

    fn ends_within(&mut self, what: &str) -> String {
        match self.trouble.take() {
            Some(trouble) => trouble.to_string(),
            None => format!("the file is cut short within {what}"),
        }
    }

    /// Brings what is there up to `least` bytes and more, or as far as the input goes.
    #[cold]
    fn fill(&mut self, least: usize) {
        self.buffer.copy_within(self.left.clone(), 0);
        self.left = 0..self.left.len();
        while self.left.end < least && self.trouble.is_none() {
            let until = (self.left.end + READ_BYTES).min(self.buffer.len());
            match self.input.read(&mut self.buffer[self.left.end..until]) {
                Ok(0) => break,
                Ok(count) => self.left.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.trouble = Some(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes one at a time, and then fails.
    struct Failing<'a>(&'a [u8]);

    impl Read for Failing<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.split_first() {
                Some((first, rest)) => {
                    buffer[0] = *first;
                    self.0 = rest;
                    Ok(1)
                }
                None => Err(io::Error::other("the disk is gone")),
            }
        }
    }

    #[test]
    fn what_came_before_trouble_is_used() {
        let mut window = Window::new(Failing(&[1, 2, 3, 4, 5]));
        assert_eq!(window.head::<2>("a test"), Ok(Some([1, 2])));
        assert_eq!(window.take(2), [1, 2]);
        assert_eq!(window.need(3, "a test"), Ok(()));
        window.take(3);
        assert_eq!(window.head::<1>("a test"), Err("the disk is gone".to_owned()));
    }

    #[test]
    fn more_than_the_buffer_holds_is_skipped_to_the_byte() {
        let mut file = vec![7; 3 * BUFFER_BYTES + 11];
        file.extend([1, 2, 3]);
        let mut window = Window::new(&file[..]);
        assert_eq!(window.skip(3 * BUFFER_BYTES + 11, "a test"), Ok(()));
        assert_eq!(window.head::<3>("a test"), Ok(Some([1, 2, 3])));
        assert_eq!(window.skip(3, "a test"), Ok(()));
        assert_eq!(window.head::<1>("a test"), Ok(None));
        let error = window.skip(1, "a test").unwrap_err();
        assert_eq!(error, "the file is cut short within a test");
    }
}
