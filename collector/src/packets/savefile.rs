//! Classic capture files (pcap), read in large pieces.
//!
//! libpcap reads them in pieces of 4 KiB and twice for each packet, which costs as much as half of
//! all decoding. Everything but the plain format (version 2.4, either byte order, micro- or
//! nanoseconds, a link type that is decoded here) is left to it.

use std::io::Read;

use egret_event::Timestamp;

use super::link::Link;
use super::window::Window;

/// Bytes before the first packet.
pub const FILE_HEADER_BYTES: usize = 24;

/// Bytes before each packet.
pub const RECORD_HEADER_BYTES: usize = 16;

/// Longest packet that is believed: the largest snapshot length that libpcap knows.
pub(super) const MAX_PACKET_BYTES: usize = 262_144;

/// How a classic capture file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    is_swapped: bool,
    nanos_per_tick: u32,
    /// How its frames begin.
    pub link: Link,
}

impl Layout {
    /// Reads the header of a file. `None`: it is of another kind, or must be left to libpcap.
    pub fn of(header: &[u8; FILE_HEADER_BYTES]) -> Option<Self> {
        const MICROSECONDS: u32 = 0xa1b2_c3d4;
        const NANOSECONDS: u32 = 0xa1b2_3c4d;
        const VERSION: [u16; 2] = [2, 4];
        let magic = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        let (is_swapped, nanos_per_tick) = match (magic, magic.swap_bytes()) {
            (MICROSECONDS, _) => (false, 1000),
            (NANOSECONDS, _) => (false, 1),
            (_, MICROSECONDS) => (true, 1000),
            (_, NANOSECONDS) => (true, 1),
            _ => return None,
        };
        let short = |at: usize| {
            let number = u16::from_le_bytes([header[at], header[at + 1]]);
            if is_swapped { number.swap_bytes() } else { number }
        };
        let link = word(header, 20, is_swapped);
        let link = i32::try_from(link).ok().and_then(Link::from_number)?;
        ([short(4), short(6)] == VERSION).then_some(Self { is_swapped, nanos_per_tick, link })
    }

    /// Reads the header of a packet.
    #[inline]
    pub fn record(&self, header: &[u8; RECORD_HEADER_BYTES]) -> RecordHeader {
        let word = |at| word(header, at, self.is_swapped);
        let nanos = i64::from(word(4)) * i64::from(self.nanos_per_tick);
        RecordHeader {
            at: Timestamp::from_parts(i64::from(word(0)), nanos),
            captured_bytes: word(8) as usize,
            wire_bytes: word(12),
        }
    }
}

#[inline]
fn word(header: &[u8], at: usize, is_swapped: bool) -> u32 {
    let bytes = [header[at], header[at + 1], header[at + 2], header[at + 3]];
    let word = u32::from_le_bytes(bytes);
    if is_swapped { word.swap_bytes() } else { word }
}

/// What stands before a packet in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader {
    /// When it was captured.
    pub at: Timestamp,
    /// Bytes of it that follow.
    pub captured_bytes: usize,
    /// Bytes that it had.
    pub wire_bytes: u32,
}

/// A file that is being read.
pub struct SaveFile<R> {
    layout: Layout,
    window: Window<R>,
}

impl<R: Read> SaveFile<R> {
    /// A file of this layout, of which `input` brings what follows the header.
    pub fn new(layout: Layout, input: R) -> Self {
        Self { layout, window: Window::new(input) }
    }

    /// How its frames begin.
    pub fn link(&self) -> Link {
        self.layout.link
    }

    /// The next packet. `None`: that was all.
    ///
    /// # Errors
    /// What is wrong with the rest of the file.
    #[inline]
    pub fn next_packet(&mut self) -> Result<Option<(RecordHeader, &[u8])>, String> {
        let head = self.window.head::<RECORD_HEADER_BYTES>("a packet's header")?;
        let Some(head) = head else { return Ok(None) };
        let header = self.layout.record(&head);
        if header.captured_bytes > MAX_PACKET_BYTES {
            return Err(claims_too_much(header.captured_bytes));
        }
        let record_bytes = RECORD_HEADER_BYTES + header.captured_bytes;
        self.window.need(record_bytes, "a packet")?;
        Ok(Some((header, &self.window.take(record_bytes)[RECORD_HEADER_BYTES..])))
    }
}

/// What is wrong with a packet of so many bytes.
#[cold]
pub(super) fn claims_too_much(captured_bytes: usize) -> String {
    format!(
        "a packet claims {captured_bytes} bytes, more than the {MAX_PACKET_BYTES} that can be \
         captured"
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A file of one packet of four bytes, in either byte order.
    fn file(magic: u32, is_big: bool) -> Vec<u8> {
        let word = |number: u32| if is_big { number.to_be_bytes() } else { number.to_le_bytes() };
        let version = if is_big { [0, 2, 0, 4] } else { [2, 0, 4, 0] };
        let mut file = [word(magic), version].concat();
        for number in [0, 0, 65_535, 1, 1_767_600_000, 7, 4, 60] {
            file.extend(word(number));
        }
        file.extend([1, 2, 3, 4]);
        file
    }

    fn opened(file: &[u8]) -> Option<SaveFile<&[u8]>> {
        let (header, rest) = file.split_first_chunk()?;
        Layout::of(header).map(|layout| SaveFile::new(layout, rest))
    }

    #[test]
    fn both_byte_orders_and_both_precisions_are_read() {
        for (magic, nanos) in [(0xa1b2_c3d4, 7_000), (0xa1b2_3c4d, 7)] {
            for is_big in [false, true] {
                let mut opened = opened(&file(magic, is_big)).unwrap().packets();
                let (header, bytes) = opened.remove(0);
                assert_eq!(header.at, Timestamp::from_parts(1_767_600_000, nanos));
                assert_eq!((header.wire_bytes, bytes), (60, vec![1, 2, 3, 4]));
                assert!(opened.is_empty());
            }
        }
    }

    #[test]
    fn other_formats_and_links_are_left_to_libpcap() {
        let mut older = file(0xa1b2_c3d4, false);
        older[6] = 2;
        let mut unknown_link = file(0xa1b2_c3d4, false);
        unknown_link[20] = 195;
        for other in [older, unknown_link, file(0x0a0d_0d0a, false)] {
            assert!(opened(&other).is_none());
        }
    }

    #[test]
    fn a_packet_that_claims_too_much_ends_the_file() {
        let mut lying = file(0xa1b2_c3d4, false);
        lying[32..36].copy_from_slice(&u32::MAX.to_le_bytes());
        let error = opened(&lying).unwrap().next_packet().unwrap_err();
        assert!(error.contains("claims 4294967295 bytes"), "{error}");
        let whole = file(0xa1b2_c3d4, false);
        let error = opened(&whole[..whole.len() - 1]).unwrap().next_packet().unwrap_err();
        assert!(error.contains("cut short"), "{error}");
    }

    impl SaveFile<&[u8]> {
        fn packets(mut self) -> Vec<(RecordHeader, Vec<u8>)> {
            let mut packets = Vec::new();
            while let Ok(Some((header, bytes))) = self.next_packet() {
                packets.push((header, bytes.to_vec()));
            }
            packets
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_their_end(
            damage in prop::collection::vec((24..200_usize, any::<u8>()), 0..8),
            sizes in prop::collection::vec(0..40_usize, 0..8),
        ) {
            let mut bytes = file(0xa1b2_c3d4, false);
            for size in &sizes {
                bytes.extend([0; 8]);
                bytes.extend((*size as u32).to_le_bytes());
                bytes.extend((*size as u32).to_le_bytes());
                bytes.resize(bytes.len() + size, 9);
            }
            for (at, value) in damage {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            let packets = opened(&bytes).unwrap().packets();
            prop_assert!(packets.len() * RECORD_HEADER_BYTES <= bytes.len());
        }
    }
}
