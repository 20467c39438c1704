//! A stretch of captured bytes, with the length that it had on the wire.

use egret_event::Loss;

/// Most tunnels inside one another that are entered; what is deeper is reported as what the last
/// of them carries. Networks nest two or three (VXLAN in IPsec's remains in GRE); more is an
/// attack on the parser.
pub(super) const MAX_LAYERS: u8 = 8;

/// Captured bytes, with the length they had on the wire.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) wire_len: usize,
    pub(super) bytes: &'a [u8],
    /// Tunnels entered so far.
    pub(super) layers: u8,
    /// Tunnels that may be entered.
    pub(super) most_layers: u8,
}

impl<'a> Frame<'a> {
    /// A frame of `wire_len` bytes of which `bytes` were captured, in which at most `most_layers`
    /// tunnels are to be entered.
    pub(super) fn new(wire_len: usize, bytes: &'a [u8], most_layers: u8) -> Self {
        Self { wire_len: wire_len.max(bytes.len()), bytes, layers: 0, most_layers }
    }

    /// What is missing here: cut off by the capture, or never there.
    pub(super) fn too_short(self) -> Loss {
        if self.bytes.len() < self.wire_len { Loss::Truncated } else { Loss::Malformed }
    }

    #[inline]
    pub(super) fn u8_at(self, offset: usize) -> Result<u8, Loss> {
        self.bytes.get(offset).copied().ok_or_else(|| self.too_short())
    }

    #[inline]
    pub(super) fn u16_at(self, offset: usize) -> Result<u16, Loss> {
        let pair = self.bytes.get(offset..offset + 2).ok_or_else(|| self.too_short())?;
        Ok(u16::from_be_bytes([pair[0], pair[1]]))
    }

    /// The first `N` bytes.
    #[inline]
    pub(super) fn head<const N: usize>(self) -> Result<&'a [u8; N], Loss> {
        self.bytes.first_chunk().ok_or_else(|| self.too_short())
    }

    /// What follows the first `skipped` bytes.
    #[inline]
    pub(super) fn after(self, skipped: usize) -> Result<Self, Loss> {
        let bytes = self.bytes.get(skipped..).ok_or_else(|| self.too_short())?;
        Ok(Self { wire_len: self.wire_len - skipped, bytes, ..self })
    }

    /// The same, of at most `wire_len` bytes.
    #[inline]
    pub(super) fn within(self, wire_len: usize) -> Self {
        let wire_len = wire_len.min(self.wire_len);
        Self { wire_len, bytes: &self.bytes[..self.bytes.len().min(wire_len)], ..self }
    }

    /// The same, one tunnel further in. `None`: that is too deep.
    pub(super) fn entered(self) -> Option<Self> {
        let layers = self.layers + 1;
        (layers <= self.most_layers).then_some(Self { layers, ..self })
    }
}
