//! Capture files, pcap and pcapng, through libpcap; also compressed ones.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

use egret_event::{Gap, GapReason, Loss, SmolStr, Timestamp};
use pcap::{Capture, Offline, PacketHeader};

use super::decoder::Decoder;
use super::gaps;
use super::input::Input;
use super::link::Link;
use super::outlet::Outlet;
use crate::{CollectError, Context, Emit};

/// Packets between two looks at the outside (progress, account, stop).
const PACKETS_PER_LOOK: u32 = 1024;

/// Bytes that a pcap file spends on a packet's header.
pub(super) const RECORD_HEADER_BYTES: u64 = 16;

/// Reads a capture to its end.
pub(crate) fn run_file(
    name: &SmolStr,
    path: &Path,
    context: &Context,
    emit: &mut Emit<'_>,
) -> Result<(), CollectError> {
    let size = size_of(path)?;
    let mut input = Input::open(path)?;
    let link = link_of(name, &input.capture)?;
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

/// Reads packets until the end. Returns what is wrong with the rest of the file, if anything.
fn read(
    input: &mut Input,
    decoder: &mut Decoder,
    outlet: &mut Outlet<'_, '_>,
    context: &Context,
) -> Option<String> {
    let mut consumed = 0;
    loop {
        for _ in 0..PACKETS_PER_LOOK {
            match input.capture.next_packet() {
                Ok(packet) => {
                    consumed += RECORD_HEADER_BYTES + packet.data.len() as u64;
                    decoder.packet(
                        time_of(packet.header),
                        packet.header.len,
                        packet.data,
                        &mut |event| {
                            outlet.push(event);
                        },
                    );
                }
                Err(pcap::Error::NoMorePackets) => return None,
                Err(error) => return Some(message_of(&error)),
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
