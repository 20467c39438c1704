//! Capture files, read to their end.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use egret_event::{Gap, GapReason, Loss, SmolStr};
use pcap::Linktype;

use super::decoder::Decoder;
use super::gaps;
use super::input::Input;
use super::opened::{Captured, Opened, link_name};
use super::outlet::Outlet;
use super::pcapng::Dropped;
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
    let mut input = Opened::open(name, path)?;
    let mut decoder = Decoder::new(name.clone(), input.link(), context.attribution.clone())
        .with_scanner(Arc::clone(&context.scanner));
    let mut outlet = Outlet::new(name, &context.ledger, emit);
    let trouble = read(&mut input, &mut decoder, &mut outlet, context);
    let dropped = input.dropped();
    let trouble = input.close().or(trouble);
    decoder.finish(&mut |event| outlet.push(event));
    decoder.settle(&context.ledger);
    if let Some(Dropped { count, from, until }) = dropped {
        let gap = Gap { reason: GapReason::KernelDrop, count, from };
        outlet.push(gaps::event(name, gap, until));
    }
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
    input: &mut Opened,
    decoder: &mut Decoder,
    outlet: &mut Outlet<'_, '_>,
    context: &Context,
) -> Option<String> {
    let mut not_decoded = HashSet::new();
    loop {
        for _ in 0..PACKETS_PER_LOOK {
            let mut out = |event| outlet.push(event);
            match input.next_packet() {
                Ok(Some(Captured { at, link: Ok(link), wire_bytes, bytes })) => {
                    decoder.read_as(link);
                    decoder.packet(at, wire_bytes, bytes, &mut out);
                }
                Ok(Some(Captured { at, link: Err(number), .. })) => {
                    decoder.not_understood(at, &mut out);
                    if not_decoded.insert(number) {
                        let link_type = link_name(Linktype(number.into()));
                        tracing::warn!(%link_type, "packets of this link type cannot be decoded");
                    }
                }
                Ok(None) => return None,
                Err(trouble) => return Some(trouble),
            }
        }
        context.progress.store(input.consumed(), Relaxed);
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
