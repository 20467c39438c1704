//! Wireless frames (IEEE 802.11), as far as they carry data in the clear.

use egret_event::Loss;

use super::Packet;
use super::ethernet::llc;
use super::frame::Frame;

/// First byte of the frame control field: bits 2 and 3 are the type, 4 to 7 the subtype.
const TYPE: u8 = 0x0c;
const DATA: u8 = 0x08;
const WITHOUT_DATA: u8 = 0x40;
const WITH_QOS: u8 = 0x80;

/// Second byte.
const TO_DISTRIBUTION: u8 = 0x01;
const FROM_DISTRIBUTION: u8 = 0x02;
const MORE_FRAGMENTS: u8 = 0x04;
const PROTECTED: u8 = 0x40;
const ORDER: u8 = 0x80;

/// In the first byte of the QoS control field: several frames in one.
const AGGREGATED: u8 = 0x80;

/// A frame of 802.11. Management and control frames carry no IP; protected, aggregated and
/// fragmented ones cannot be read.
pub(super) fn wifi(frame: Frame<'_>) -> Result<Packet<'_>, Loss> {
    let head: &[u8; 24] = match frame.u8_at(0)? {
        control if control & TYPE != DATA || control & WITHOUT_DATA != 0 => {
            return Err(Loss::NotIp);
        }
        _ => frame.head()?,
    };
    let [control, flags, ..] = *head;
    let is_fragment = flags & MORE_FRAGMENTS != 0 || head[22] & 0x0f != 0;
    if flags & PROTECTED != 0 || is_fragment {
        return Err(Loss::Malformed);
    }
    let mut header_len = 24;
    if flags & TO_DISTRIBUTION != 0 && flags & FROM_DISTRIBUTION != 0 {
        header_len += 6;
    }
    if control & WITH_QOS != 0 {
        if frame.u8_at(header_len)? & AGGREGATED != 0 {
            return Err(Loss::Malformed);
        }
        header_len += if flags & ORDER != 0 { 6 } else { 2 };
    }
    llc(frame.after(header_len)?)
}

/// A frame of 802.11 behind what the radio measured (radiotap.org).
pub(super) fn radiotap(frame: Frame<'_>) -> Result<Packet<'_>, Loss> {
    let head: &[u8; 4] = frame.head()?;
    let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
    if head[0] != 0 || length < 8 {
        return Err(Loss::Malformed);
    }
    wifi(frame.after(length)?)
}
