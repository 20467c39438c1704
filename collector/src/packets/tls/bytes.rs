//! Reading numbers and blocks with their lengths in front (RFC 8446, section 3).

/// Most numbers that are read of one list: cipher suites, extensions, signature algorithms.
pub(super) const MAX_ITEMS: usize = 512;

/// Bytes not yet read.
#[derive(Clone, Copy)]
pub(in crate::packets) struct Reader<'a>(pub(in crate::packets) &'a [u8]);

impl<'a> Reader<'a> {
    pub(in crate::packets) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(in crate::packets) fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    pub(in crate::packets) fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
    }

    pub(in crate::packets) fn u24(&mut self) -> Option<usize> {
        self.take(3).map(|bytes| {
            usize::from(bytes[0]) << 16 | usize::from(bytes[1]) << 8 | usize::from(bytes[2])
        })
    }

    /// What a length of one byte announces.
    pub(in crate::packets) fn short_block(&mut self) -> Option<Self> {
        let length = usize::from(self.u8()?);
        self.take(length).map(Self)
    }

    /// What a length of two bytes announces.
    pub(in crate::packets) fn block(&mut self) -> Option<Self> {
        let length = usize::from(self.u16()?);
        self.take(length).map(Self)
    }

    /// What a length of three bytes announces.
    pub(in crate::packets) fn long_block(&mut self) -> Option<Self> {
        let length = self.u24()?;
        self.take(length).map(Self)
    }

    /// All of it as numbers of two bytes, without GREASE.
    pub(super) fn numbers(self) -> Vec<u16> {
        let (pairs, _) = self.0.as_chunks();
        // To take all and let some go is several times as fast as to look before each is taken.
        let mut numbers: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
        numbers.retain(|number| !is_grease(*number));
        numbers.truncate(MAX_ITEMS);
        numbers
    }
}

/// Values that clients scatter so that servers stay tolerant (RFC 8701).
pub(super) fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}
