//! The capture file: classic pcap with nanoseconds (magic 0xa1b23c4d), Ethernet.

use std::io::{self, Write};

use egret_event::Timestamp;

/// Format magic for times in nanoseconds (draft-ietf-opsawg-pcap, section 4).
const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;

/// Most bytes kept of a packet; tcpdump's own default, and more than any frame here.
const SNAP_BYTES: u32 = 262_144;

/// LINKTYPE_ETHERNET.
const ETHERNET: u32 = 1;

/// Writes frames into a capture file.
pub(crate) struct CaptureWriter<W> {
    out: W,
    packets: u64,
    bytes: u64,
}

impl<W: Write> CaptureWriter<W> {
    /// Starts a capture: writes the file header.
    pub(crate) fn begin(mut out: W) -> io::Result<Self> {
        out.write_all(&MAGIC_NANOSECONDS.to_le_bytes())?;
        out.write_all(&2u16.to_le_bytes())?;
        out.write_all(&4u16.to_le_bytes())?;
        // Time zone and accuracy: always zero.
        out.write_all(&[0; 8])?;
        out.write_all(&SNAP_BYTES.to_le_bytes())?;
        out.write_all(&ETHERNET.to_le_bytes())?;
        Ok(Self { out, packets: 0, bytes: 0 })
    }

    /// Appends one frame.
    pub(crate) fn write(&mut self, at: Timestamp, frame: &[u8]) -> io::Result<()> {
        let wrong = |_| io::Error::other("a capture holds times from 1970 to 2106 only");
        let seconds = u32::try_from(at.as_secs()).map_err(wrong)?;
        let nanos = at.as_nanos().rem_euclid(1_000_000_000) as u32;
        let length = frame.len() as u32;
        for field in [seconds, nanos, length, length] {
            self.out.write_all(&field.to_le_bytes())?;
        }
        self.out.write_all(frame)?;
        self.packets += 1;
        self.bytes += u64::from(length);
        Ok(())
    }

    /// Flushes, and gives the number of frames and of their bytes.
    pub(crate) fn finish(mut self) -> io::Result<(u64, u64)> {
        self.out.flush()?;
        Ok((self.packets, self.bytes))
    }
}
