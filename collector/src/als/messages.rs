//! A gRPC stream cut into messages: each is led by a flag and its length.

/// Longest message that is taken, in bytes. Envoy sends what it has at 16 KiB unless told to wait
/// for more (`buffer_size_bytes`).
const MAX_MESSAGE_BYTES: usize = 1 << 20;

const HEAD_BYTES: usize = 5;

/// A stream's bytes, as far as they make no message yet.
#[derive(Debug, Default)]
pub struct Messages {
    buffer: Vec<u8>,
    start: usize,
}

/// A message is longer than 1 MiB or compressed, which was not agreed: the stream cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

impl Messages {
    /// Adds what came in. All messages must have been taken before.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message that is complete.
    ///
    /// # Errors
    /// See [`TooLong`].
    pub fn next_message(&mut self) -> Result<Option<&[u8]>, TooLong> {
        let rest = &self.buffer[self.start..];
        let Some((head, rest)) = rest.split_first_chunk::<HEAD_BYTES>() else { return Ok(None) };
        let [flag, length @ ..] = *head;
        let length = u32::from_be_bytes(length) as usize;
        if flag != 0 || length > MAX_MESSAGE_BYTES {
            return Err(TooLong);
        }
        if rest.len() < length {
            return Ok(None);
        }
        let begin = self.start + HEAD_BYTES;
        self.start = begin + length;
        Ok(Some(&self.buffer[begin..begin + length]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(stream: &[u8], piece: usize) -> (Vec<Vec<u8>>, bool) {
        let mut messages = Messages::default();
        let mut found = Vec::new();
        for bytes in stream.chunks(piece) {
            messages.push(bytes);
            loop {
                match messages.next_message() {
                    Ok(Some(message)) => found.push(message.to_vec()),
                    Ok(None) => break,
                    Err(TooLong) => return (found, true),
                }
            }
        }
        (found, false)
    }

    #[test]
    fn messages_are_cut_however_they_arrive() {
        let stream = b"\0\0\0\0\x03abc\0\0\0\0\0\0\0\0\0\x01d\0\0\0";
        for piece in 1..stream.len() {
            let (found, is_over) = cut(stream, piece);
            assert_eq!(found, [&b"abc"[..], b"", b"d"]);
            assert!(!is_over);
        }
    }

    #[test]
    fn what_is_too_long_or_compressed_ends_the_stream() {
        for head in [b"\0\0\x10\0\x01", b"\x01\0\0\0\x01"] {
            assert_eq!(cut(head, 5), (Vec::new(), true));
        }
    }
}
