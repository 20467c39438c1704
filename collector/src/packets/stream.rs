//! Bytes put back in order.
//!
//! Owns the bounded buffer that pieces of a stream are put into, in whatever order they come. Where
//! two pieces overlap, what came first holds.

use super::link::{Packet, SYN};

/// Most stretches that wait behind a gap. QUIC clients cut a hello into a dozen pieces on purpose;
/// TCP has rarely more than three segments on their way at the start of a connection.
const MAX_WAITING: usize = 64;

/// Bytes that follow one another, from a given position on.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// What was seen, and zeros in the gaps.
    bytes: Vec<u8>,
    /// How many bytes are there from the start on, without a gap.
    whole: usize,
    /// What is there behind gaps: from and to, in order and apart.
    waiting: Vec<(usize, usize)>,
    /// Sequence number of the first byte, where the stream is TCP's.
    first: u32,
}

/// What became of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Continued {
    /// There is more to read than before.
    Yes,
    /// It is a repetition, or one before it is missing: another may still come.
    NotYet,
    /// It cannot be added: too long, or cut by the capture.
    Never,
}

impl Stream {
    /// The stream that starts with the last `kept` bytes of a packet's payload.
    pub(super) fn starting_with(packet: &Packet<'_>, kept: usize) -> Self {
        let start = packet.payload.len().saturating_sub(kept);
        Self {
            bytes: packet.payload[start..].to_vec(),
            whole: packet.payload.len() - start,
            waiting: Vec::new(),
            first: sequence_of(packet).wrapping_add(start as u32),
        }
    }

    /// A stream of which nothing is there yet, and whose first byte has this sequence number.
    pub(super) fn starting_at(first: u32) -> Self {
        Self { first, ..Self::default() }
    }

    /// Sequence number of its first byte.
    pub(super) fn first(&self) -> u32 {
        self.first
    }

    /// What is there from the start on, without a gap.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.whole]
    }

    /// Whether nothing is held, not even behind a gap.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether the payload of a packet is the very next of the stream.
    pub(super) fn is_next(&self, packet: &Packet<'_>) -> bool {
        sequence_of(packet) == self.first.wrapping_add(self.whole as u32)
    }

    /// Adds the payload of a packet, up to `most` bytes in all.
    pub(super) fn extend(&mut self, packet: &Packet<'_>, most: usize) -> Continued {
        // Sequence numbers wrap (RFC 9293, section 3.4).
        let ahead = sequence_of(packet).wrapping_sub(self.first);
        let (at, piece) = if ahead < 1 << 31 {
            (ahead as usize, packet.payload)
        } else {
            let before = ahead.wrapping_neg() as usize;
            (0, packet.payload.get(before..).unwrap_or_default())
        };
        match self.insert(at, piece, most) {
            Continued::Yes if is_cut(packet) => Continued::Never,
            outcome => outcome,
        }
    }

    /// Adds `piece` at position `at`, up to `most` bytes in all.
    pub(super) fn insert(&mut self, at: usize, piece: &[u8], most: usize) -> Continued {
        let end = at.saturating_add(piece.len());
        if end <= self.whole {
            return Continued::NotYet;
        }
        if end > most {
            return Continued::Never;
        }
        if at <= self.whole && self.waiting.is_empty() {
            self.bytes.extend_from_slice(&piece[self.whole - at..]);
            self.whole = end;
            return Continued::Yes;
        }
        self.fill(at, piece)
    }

    fn fill(&mut self, at: usize, piece: &[u8]) -> Continued {
        let (mut from, mut to) = (at, at + piece.len());
        if at > self.whole && self.waiting.len() >= MAX_WAITING {
            return Continued::NotYet;
        }
        self.bytes.resize(self.bytes.len().max(to), 0);
        let mut next = self.whole.max(at);
        for &(start, end) in self.waiting.iter().filter(|(_, end)| *end > at) {
            copy(&mut self.bytes, (next, start.min(at + piece.len())), at, piece);
            next = next.max(end);
        }
        copy(&mut self.bytes, (next, at + piece.len()), at, piece);
        let touches = |&(start, end): &(usize, usize)| start <= at + piece.len() && end >= at;
        for (start, end) in self.waiting.extract_if(.., |stretch| touches(stretch)) {
            (from, to) = (from.min(start), to.max(end));
        }
        if from <= self.whole {
            self.whole = to;
            return Continued::Yes;
        }
        let place = self.waiting.partition_point(|(start, _)| *start < from);
        self.waiting.insert(place, (from, to));
        Continued::NotYet
    }

    /// Forgets the first `count` bytes.
    pub(super) fn consume(&mut self, count: usize) {
        let count = count.min(self.whole);
        self.bytes.drain(..count);
        self.whole -= count;
        self.first = self.first.wrapping_add(count as u32);
        for (start, end) in &mut self.waiting {
            (*start, *end) = (*start - count, *end - count);
        }
    }
}

/// Copies what `piece`, which belongs at `at`, has for the bytes from `gap.0` to `gap.1`.
fn copy(bytes: &mut [u8], gap: (usize, usize), at: usize, piece: &[u8]) {
    if gap.0 < gap.1 {
        bytes[gap.0..gap.1].copy_from_slice(&piece[gap.0 - at..gap.1 - at]);
    }
}

/// Whether the capture holds less of the payload than was sent.
pub(super) fn is_cut(packet: &Packet<'_>) -> bool {
    packet.payload.len() < packet.payload_bytes as usize
}

/// Sequence number of the first byte of payload. A SYN takes a number of its own.
pub(super) fn sequence_of(packet: &Packet<'_>) -> u32 {
    packet.sequence.wrapping_add(u32::from(packet.flags & SYN != 0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOST: usize = 1000;

    #[test]
    fn pieces_come_out_in_order_whatever_order_they_came_in() {
        let mut stream = Stream::default();
        assert_eq!(stream.insert(4, b"o w", MOST), Continued::NotYet);
        assert_eq!(stream.insert(9, b"ld", MOST), Continued::NotYet);
        assert_eq!(stream.bytes(), b"");
        assert_eq!(stream.insert(0, b"hell", MOST), Continued::Yes);
        assert_eq!(stream.bytes(), b"hello w");
        assert_eq!(stream.insert(2, b"XXXXXor", MOST), Continued::Yes);
        assert_eq!(stream.bytes(), b"hello world", "what came first holds");
        assert_eq!(stream.insert(3, b"XXXX", MOST), Continued::NotYet);
    }

    #[test]
    fn too_much_is_refused() {
        let mut stream = Stream::default();
        assert_eq!(stream.insert(500, &[1; 501], MOST), Continued::Never);
        assert!(stream.is_empty());
        assert_eq!(stream.insert(usize::MAX, b"x", MOST), Continued::Never);
        assert_eq!(stream.insert(0, &[1; 1001], MOST), Continued::Never);
    }

    #[test]
    fn what_was_read_can_be_forgotten() {
        let mut stream = Stream::starting_at(100);
        stream.insert(0, b"abcdef", MOST);
        stream.insert(8, b"ij", MOST);
        stream.consume(4);
        assert_eq!(stream.bytes(), b"ef");
        assert_eq!(stream.insert(2, b"gh", MOST), Continued::Yes);
        assert_eq!(stream.bytes(), b"efghij");
        stream.consume(100);
        assert!(stream.is_empty());
    }

    proptest! {
        #[test]
        fn any_pieces_give_what_they_have_in_common_with_the_whole(
            pieces in prop::collection::vec((0..200_usize, 0..40_usize), 0..120),
        ) {
            let whole: Vec<u8> = (0..240).map(|index| index as u8).collect();
            let mut stream = Stream::default();
            let mut seen = [false; 240];
            for (at, length) in pieces {
                let before = stream.bytes().len();
                let outcome = stream.insert(at, &whole[at..at + length], MOST);
                seen[at..at + length].fill(true);
                prop_assert_eq!(outcome == Continued::Yes, stream.bytes().len() > before);
                let reached = seen.iter().position(|seen| !seen).unwrap_or(seen.len());
                prop_assert_eq!(stream.bytes(), &whole[..reached]);
            }
        }
    }
}
