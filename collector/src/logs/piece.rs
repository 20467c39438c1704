//! A part of a line that is read together with what follows it.
//!
//! Fields are a few bytes long, and how many changes from line to line. To take just so many into
//! a register is a choice among all lengths, at which a processor guesses wrong. To take eight or
//! sixteen from where a field begins is no choice, as long as the line goes on; what lies behind
//! the field is left out afterwards.

use std::net::IpAddr;

use wide::u8x16;

use super::digits::{self, dotted_begin};
use super::scan::{self, LANE_BYTES, NEAR_BYTES};
use super::text;

/// A field of a line, or a part of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    /// From the first byte on, to the line's end.
    from: &'a [u8],
    /// How many bytes of that it has.
    length: usize,
}

impl<'a> Piece<'a> {
    /// The first `length` bytes of `from`, which has as many.
    #[inline]
    pub(super) fn of(from: &'a [u8], length: usize) -> Self {
        Self { from, length }
    }

    #[inline]
    pub(super) fn bytes(self) -> &'a [u8] {
        &self.from[..self.length]
    }

    /// What lies before its byte `at`.
    #[inline]
    pub(super) fn before(self, at: usize) -> &'a [u8] {
        &self.bytes()[..at]
    }

    /// Its first `length` bytes.
    #[inline]
    pub(super) fn until(self, length: usize) -> Self {
        Self { length, ..self }
    }

    /// From its byte `at` on.
    #[inline]
    pub(super) fn behind(self, at: usize) -> Self {
        Self { from: &self.from[at..], length: self.length - at }
    }

    /// It, where it has `N` bytes.
    #[inline]
    pub(super) fn exactly<const N: usize>(self) -> Option<&'a [u8; N]> {
        self.from.first_chunk().filter(|_| self.length == N)
    }

    /// Where `byte` first occurs.
    #[inline]
    pub(super) fn find(self, byte: u8) -> Option<usize> {
        let wanted = u8x16::splat(byte);
        let mut seen = 0;
        while let Some(lane) = self.from[seen..].first_chunk().filter(|_| seen < NEAR_BYTES) {
            let hits = u8x16::new(*lane).simd_eq(wanted).to_bitmask();
            if hits != 0 {
                let found = seen + hits.trailing_zeros() as usize;
                return (found < self.length).then_some(found);
            }
            seen += LANE_BYTES;
            if seen >= self.length {
                return None;
            }
        }
        scan::find(byte, &self.bytes()[seen..]).map(|found| seen + found)
    }

    /// As [`digits::number`].
    #[inline(always)]
    pub(super) fn number(self) -> Option<u64> {
        match self.from.first_chunk() {
            Some(word) if (1..=8).contains(&self.length) => digits::begin(*word, self.length),
            _ => digits::any_number(self.bytes()),
        }
    }

    /// As [`text::port`].
    #[inline]
    pub(super) fn port(self) -> Option<u16> {
        self.number().and_then(|port| u16::try_from(port).ok())
    }

    /// As [`text::address`].
    #[inline]
    pub(super) fn address(self) -> Option<IpAddr> {
        match dotted_begin(self.from) {
            Some((address, rest)) if self.from.len() - rest.len() == self.length => {
                Some(IpAddr::V4(address))
            }
            _ => text::address(self.bytes()),
        }
    }

    /// As [`text::address_and_port`].
    #[inline]
    pub(super) fn address_and_port(self) -> Option<(IpAddr, u16)> {
        if let Some((address, rest @ [b':', ..])) = dotted_begin(self.from) {
            let colon = self.from.len() - rest.len();
            if colon < self.length {
                return Some((IpAddr::V4(address), self.behind(colon + 1).port()?));
            }
        }
        text::address_and_port(self.bytes())
    }

    /// As [`text::host_and_port`].
    #[inline]
    pub(super) fn host_and_port(self) -> (&'a [u8], Option<u16>) {
        if !self.bytes().starts_with(b"[") {
            let Some(colon) = self.find(b':') else { return (self.bytes(), None) };
            if let Some(port) = self.behind(colon + 1).port() {
                return (self.before(colon), Some(port));
            }
        }
        text::host_and_port(self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every part of `line`.
    fn parts(line: &[u8]) -> impl Iterator<Item = Piece<'_>> {
        let begins = 0..=line.len();
        begins.flat_map(|begin| {
            let from = &line[begin..];
            (0..=from.len()).map(move |length| Piece::of(from, length))
        })
    }

    proptest::proptest! {
        #[test]
        fn what_follows_a_piece_changes_nothing(
            line in "([a-c]{1,20}|[0-9]{1,12}|[0-9]{1,3}(\\.[0-9]{1,3}){2,4}|[:\\[\\]/ ]){0,8}",
        ) {
            for piece in parts(line.as_bytes()) {
                let bytes = piece.bytes();
                for byte in [b':', b'/', b'0'] {
                    let expected = bytes.iter().position(|one| *one == byte);
                    proptest::prop_assert_eq!(piece.find(byte), expected);
                }
                proptest::prop_assert_eq!(piece.number(), digits::number(bytes));
                proptest::prop_assert_eq!(piece.port(), text::port(bytes));
                proptest::prop_assert_eq!(piece.address(), text::address(bytes));
                proptest::prop_assert_eq!(piece.address_and_port(), text::address_and_port(bytes));
                proptest::prop_assert_eq!(piece.host_and_port(), text::host_and_port(bytes));
                let exact = piece.exactly::<4>().map(|four| four.as_slice());
                proptest::prop_assert_eq!(exact, Some(bytes).filter(|bytes| bytes.len() == 4));
            }
        }
    }
}
