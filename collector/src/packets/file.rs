//! Capture files: plain ones by [`super::savefile`], all others (pcapng, compressed ones) through
//! libpcap.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

use egret_event::{Gap, GapReason, Loss, SmolStr, Timestamp};
use pcap::{Capture, Offline, PacketHeader};

use super::decoder::Decoder;
use super::gaps;
use super::input::Input;
use super::link::Link;
use super::outlet::Outlet;
use super::savefile::{FILE_HEADER_BYTES, Layout, RECORD_HEADER_BYTES, SaveFile};
use crate::{CollectError, Context, Emit};

/// Packets between two looks at the outside (progress, account, stop).
const PACKETS_PER_LOOK: u32 = 1024;

/// Reads a capture to its end.
pub(crate) fn run_file(
    name: &SmolStr,
    path: &Path,
    context: &Context,
    emit: &mut Emit<'_>,
) -> Result<(), CollectError> {
    let size = size_of(path)?;
    let mut input = Packets::open(path)?;
    let link = input.link(name)?;
    let mut decoder = Decoder::new(name.clone(), link, context.attribution.clone());
    let mut outlet = Outlet::new(name, &context.ledger, emit);
    let trouble = read(&mut input, &mut decoder, &mut outlet, context);
    let trouble = input.close().or(trouble);
    decoder.finish(&mut |event| outlet.push(event));
    decoder.settle(&context.ledger);
    if let Some(trouble) = trouble {
        tracing::warn!(
            source = %name, path = %path.display(), trouble,
            "capture ends early; what came before is used"
        );
        let at = decoder.now();
        context.ledger.receive(1);
        context.ledger.lose(Loss::Truncated, 1);
        let gap = Gap { reason: GapReason::Truncated, count: 1, from: at };
        outlet.push(gaps::event(name, gap, at));
    }
    outlet.flush();
    context.progress.store(size, Relaxed);
    Ok(())
}

/// Counts the packets of a capture, doing nothing with them: what libpcap itself costs, to compare
/// with.
///
/// # Errors
/// A file that cannot be read or is no capture.
pub fn count_packets(path: &Path) -> Result<u64, CollectError> {
    let mut input = Input::open(path)?;
    let mut packets = 0;
    while input.capture.next_packet().is_ok() {
        packets += 1;
    }
    Ok(packets)
}

/// A packet: when it came, how long it was on the wire, and what was captured.
type Captured<'a> = (Timestamp, u32, &'a [u8]);

/// A capture that is being read.
enum Packets {
    Plain(SaveFile<File>),
    Other(Input),
}

impl Packets {
    fn open(path: &Path) -> Result<Self, CollectError> {
        Ok(match plain(path) {
            Some(file) => Self::Plain(file),
            None => Self::Other(Input::open(path)?),
        })
    }

    fn link(&self, name: &SmolStr) -> Result<Link, CollectError> {
        match self {
            Self::Plain(file) => Ok(file.link()),
            Self::Other(input) => link_of(name, &input.capture),
        }
    }

    /// The next packet. `None`: that was all.
    ///
    /// # Errors
    /// What is wrong with the rest of the file.
    #[inline]
    fn next_packet(&mut self) -> Result<Option<Captured<'_>>, String> {
        match self {
            Self::Plain(file) => {
                let packet = file.next_packet()?;
                Ok(packet.map(|(header, bytes)| (header.at, header.wire_bytes, bytes)))
            }
            Self::Other(input) => match input.capture.next_packet() {
                Ok(packet) => Ok(Some((time_of(packet.header), packet.header.len, packet.data))),
                Err(pcap::Error::NoMorePackets) => Ok(None),
                Err(error) => Err(message_of(&error)),
            },
        }
    }

    /// Bytes of the file that were read, where that is not what the packets add up to.
    fn consumed(&self) -> Option<u64> {
        match self {
            Self::Plain(_) => None,
            Self::Other(input) => input.consumed(),
        }
    }

    /// Ends the reading. Returns what was wrong with the file, beyond what its packets showed.
    fn close(self) -> Option<String> {
        match self {
            Self::Plain(_) => None,
            Self::Other(input) => input.close(),
        }
    }
}

/// A file that need not be left to libpcap.
fn plain(path: &Path) -> Option<SaveFile<File>> {
    let mut file = File::open(path).ok()?;
    // What is read of a pipe is gone.
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut header = [0; FILE_HEADER_BYTES];
    file.read_exact(&mut header).ok()?;
    Layout::of(&header).map(|layout| SaveFile::new(layout, file))
}

/// Reads packets until the end. Returns what is wrong with the rest of the file, if anything.
fn read(
    input: &mut Packets,
    decoder: &mut Decoder,
    outlet: &mut Outlet<'_, '_>,
    context: &Context,
) -> Option<String> {
    let mut consumed = 0;
    loop {
        for _ in 0..PACKETS_PER_LOOK {
            match input.next_packet() {
                Ok(Some((at, wire_len, bytes))) => {
                    consumed += (RECORD_HEADER_BYTES + bytes.len()) as u64;
                    decoder.packet(at, wire_len, bytes, &mut |event| outlet.push(event));
                }
                Ok(None) => return None,
                Err(trouble) => return Some(trouble),
            }
        }
        context.progress.store(input.consumed().unwrap_or(consumed), Relaxed);
        decoder.settle(&context.ledger);
        if outlet.is_closed() || context.stop.load(Relaxed) {
            return None;
        }
    }
}

/// Asks the system first: libpcap mixes up what cannot be read with what is no capture.
fn size_of(path: &Path) -> Result<u64, CollectError> {
    let wrong = |error: std::io::Error| CollectError::Read {
        path: path.display().to_string(),
        reason: error.to_string().to_lowercase(),
    };
    let metadata = File::open(path).and_then(|file| file.metadata()).map_err(wrong)?;
    if metadata.is_dir() {
        return Err(CollectError::Read {
            path: path.display().to_string(),
            reason: "it is a directory; name a file".into(),
        });
    }
    Ok(metadata.len())
}

pub(super) fn link_of(name: &SmolStr, capture: &Capture<Offline>) -> Result<Link, CollectError> {
    let number = capture.get_datalink();
    Link::from_number(number.0).ok_or_else(|| CollectError::LinkType {
        name: name.to_string(),
        link_type: link_name(number),
    })
}

/// The name of a link type, else its number.
pub(super) fn link_name(number: pcap::Linktype) -> String {
    number.get_name().unwrap_or_else(|_| number.0.to_string())
}

/// The time of a packet captured with nanosecond precision.
pub(super) fn time_of(header: &PacketHeader) -> Timestamp {
    Timestamp::from_parts(header.ts.tv_sec, header.ts.tv_usec)
}

/// What libpcap says, without the crate's prefix.
pub(super) fn message_of(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(message) => message.trim().to_owned(),
        other => other.to_string(),
    }
}
