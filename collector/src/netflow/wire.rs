//! The outside of an export datagram: its header, and the sets in it.
//!
//! NetFlow v5 as Cisco documents it, NetFlow v9 (RFC 3954), IPFIX (RFC 7011). Knows nothing of
//! what the fields of a record mean.

use egret_event::Timestamp;

/// What a datagram's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: Version,
    /// When it was exported, by the exporter's clock.
    pub(super) exported: Timestamp,
    /// How long the exporter had been up then, in milliseconds; IPFIX does not say.
    pub(super) uptime_ms: Option<u32>,
    /// See [`super::sequence`] for what it counts.
    pub(super) sequence: u32,
    /// Observation domain, source id, or engine type and id.
    pub(super) domain: u32,
    /// One in how many packets was looked at; 1 where the header does not say.
    pub(super) sampling: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Version {
    V5,
    V9,
    Ipfix,
}

/// What is in a datagram.
#[derive(Debug)]
pub(super) enum Body<'a> {
    /// Records of the one layout that v5 has.
    Fixed(&'a [u8]),
    /// Sets, each led by its id and length.
    Sets(&'a [u8]),
}

/// A set: templates, or records of one template.
#[derive(Debug, Clone, Copy)]
pub(super) struct Set<'a> {
    pub(super) id: u16,
    /// Where its content begins, counted from the begin of all sets.
    pub(super) offset: usize,
    pub(super) content: &'a [u8],
}

/// A datagram or set that is not what it says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// Bytes of headers and of a record of v5.
const V5_HEADER: usize = 24;
const V9_HEADER: usize = 20;
const IPFIX_HEADER: usize = 16;
pub(super) const V5_RECORD: usize = 48;

/// Most records that a v5 datagram may hold.
const V5_MAX_RECORDS: usize = 30;

/// Reads a header. What follows the datagram's own end is ignored.
pub(super) fn open(datagram: &[u8]) -> Result<(Header, Body<'_>), Malformed> {
    match word(datagram, 0) {
        Some(5) => open_v5(datagram),
        Some(9) => open_v9(datagram),
        Some(10) => open_ipfix(datagram),
        _ => Err(Malformed("of no version that is known (5, 9, 10)")),
    }
}

fn open_v5(datagram: &[u8]) -> Result<(Header, Body<'_>), Malformed> {
    let header = datagram.get(..V5_HEADER).ok_or(Malformed("header cut short"))?;
    let count = usize::from(number(&header[2..4]) as u16);
    if count == 0 || count > V5_MAX_RECORDS {
        return Err(Malformed("holds no records, or more than v5 may"));
    }
    let records = datagram
        .get(V5_HEADER..V5_HEADER + count * V5_RECORD)
        .ok_or(Malformed("holds fewer records than it says"))?;
    let at = Timestamp::from_parts(number(&header[8..12]) as i64, number(&header[12..16]) as i64);
    let sampling = (number(&header[22..24]) & 0x3fff) as u32;
    let header = Header {
        version: Version::V5,
        exported: at,
        uptime_ms: Some(number(&header[4..8]) as u32),
        sequence: number(&header[16..20]) as u32,
        domain: number(&header[20..22]) as u32,
        sampling: sampling.max(1),
    };
    Ok((header, Body::Fixed(records)))
}

fn open_v9(datagram: &[u8]) -> Result<(Header, Body<'_>), Malformed> {
    let header = datagram.get(..V9_HEADER).ok_or(Malformed("header cut short"))?;
    let parsed = Header {
        version: Version::V9,
        exported: Timestamp::from_secs(number(&header[8..12]) as i64),
        uptime_ms: Some(number(&header[4..8]) as u32),
        sequence: number(&header[12..16]) as u32,
        domain: number(&header[16..20]) as u32,
        sampling: 1,
    };
    Ok((parsed, Body::Sets(&datagram[V9_HEADER..])))
}

fn open_ipfix(datagram: &[u8]) -> Result<(Header, Body<'_>), Malformed> {
    let header = datagram.get(..IPFIX_HEADER).ok_or(Malformed("header cut short"))?;
    let length = number(&header[2..4]) as usize;
    let sets = datagram.get(IPFIX_HEADER..length).ok_or(Malformed("shorter than it says"))?;
    let parsed = Header {
        version: Version::Ipfix,
        exported: Timestamp::from_secs(number(&header[4..8]) as i64),
        uptime_ms: None,
        sequence: number(&header[8..12]) as u32,
        domain: number(&header[12..16]) as u32,
        sampling: 1,
    };
    Ok((parsed, Body::Sets(sets)))
}

/// Goes through the sets of a datagram.
#[derive(Debug, Clone)]
pub(super) struct Sets<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Sets<'a> {
    pub(super) fn of(all: &'a [u8]) -> Self {
        Self { all, at: 0 }
    }
}

impl<'a> Iterator for Sets<'a> {
    type Item = Result<Set<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.all[self.at..];
        // Some exporters fill their datagrams up with zeros.
        if rest.iter().take(4).all(|byte| *byte == 0) {
            return None;
        }
        let start = self.at;
        self.at = self.all.len();
        let (Some(id), Some(length)) = (word(rest, 0), word(rest, 2)) else {
            return Some(Err(Malformed("set header cut short")));
        };
        let length = usize::from(length);
        let Some(content) = rest.get(4..length) else {
            return Some(Err(Malformed(
                "set longer than its datagram, or shorter than its header",
            )));
        };
        self.at = start + length;
        Some(Ok(Set { id, offset: start + 4, content }))
    }
}

/// How many bytes of `rest` the datagram at its begin takes, where datagrams follow each other in
/// a file. `None`: there is none.
pub(super) fn datagram_bytes(rest: &[u8]) -> Option<usize> {
    match (word(rest, 0)?, word(rest, 2)?) {
        (5, count) => Some(V5_HEADER + usize::from(count) * V5_RECORD).filter(|n| *n <= rest.len()),
        (10, length) => {
            Some(usize::from(length)).filter(|n| *n >= IPFIX_HEADER && *n <= rest.len())
        }
        (9, _) => v9_bytes(rest),
        _ => None,
    }
}

/// The header of v9 does not tell its length. Ids 2 to 255 are no sets, so a version ends them.
fn v9_bytes(rest: &[u8]) -> Option<usize> {
    let mut at = V9_HEADER;
    while let (Some(id @ (0 | 1 | 256..)), Some(length)) = (word(rest, at), word(rest, at + 2)) {
        if id == 0 && length == 0 {
            let zeros = rest[at..].iter().take_while(|byte| **byte == 0).count();
            // The next datagram begins with a zero too.
            let is_last = at + zeros == rest.len();
            return Some(if is_last { rest.len() } else { at + zeros - 1 });
        }
        if length < 4 {
            return None;
        }
        at += usize::from(length);
    }
    (at > V9_HEADER && at <= rest.len()).then_some(at)
}

/// Whether bytes are an export datagram beyond reasonable doubt: its lengths and the ids of its
/// sets fit, and its time is one at which NetFlow existed.
pub(super) fn is_plausible(datagram: &[u8]) -> bool {
    /// 1996-01-01, when Cisco brought it out, and 2100-01-01.
    const YEARS: std::ops::Range<i64> = 820_454_400..4_102_444_800;
    let Ok((header, body)) = open(datagram) else { return false };
    if !YEARS.contains(&header.exported.as_secs()) {
        return false;
    }
    match body {
        Body::Fixed(records) => V5_HEADER + records.len() == datagram.len(),
        Body::Sets(sets) => {
            let mut known = 0;
            let sound = Sets::of(sets).all(|set| {
                known += 1;
                set.is_ok_and(|set| match header.version {
                    Version::Ipfix => matches!(set.id, 2 | 3 | 256..),
                    _ => matches!(set.id, 0 | 1 | 256..),
                })
            });
            sound && known > 0
        }
    }
}

/// The 16-bit number at `at`.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes([pair[0], pair[1]]))
}

/// An unsigned number of any length in network order; of more than eight bytes, the last eight.
pub(super) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}
