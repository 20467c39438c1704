//! Export datagrams out of files: captures of the way between exporter and collector, and files
//! that hold nothing but datagrams, one after the other.

use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

use egret_event::{Loss, SmolStr};

use super::intake::Intake;
use super::wire;
use crate::packets::{CaptureFile, UdpPayload};
use crate::{CollectError, Context, Emit};

/// Largest file of bare datagrams that is read: such files are samples, not archives.
const MAX_BARE_BYTES: u64 = 1 << 30;

/// Packets at the begin of a capture that are looked at to tell what it holds.
const LOOKED_AT: usize = 64;

/// Reads the file at `path` to its end.
pub(crate) fn run_file(
    name: &SmolStr,
    path: &Path,
    context: &Context,
    emit: &mut Emit<'_>,
) -> Result<(), CollectError> {
    let mut intake = Intake::new(name, context, emit);
    if CaptureFile::is_one(path)? {
        read_capture(path, context, &mut intake)?;
    } else {
        read_bare(path, context, &mut intake)?;
    }
    intake.finish();
    Ok(())
}

fn read_capture(
    path: &Path,
    context: &Context,
    intake: &mut Intake<'_, '_>,
) -> Result<(), CollectError> {
    let mut capture = CaptureFile::open(path)?;
    while let Some(payload) = capture.next_udp() {
        if intake.is_closed() || context.stop.load(Relaxed) {
            return Ok(());
        }
        match payload {
            Ok(UdpPayload { at, from, content }) if wire::is_plausible(content) => {
                intake.datagram(Some(from), content, Some(at));
            }
            _ => {
                context.ledger.receive(1);
                context.ledger.lose(Loss::NotEgress, 1);
            }
        }
        context.progress.store(capture.consumed(), Relaxed);
    }
    Ok(())
}

fn read_bare(
    path: &Path,
    context: &Context,
    intake: &mut Intake<'_, '_>,
) -> Result<(), CollectError> {
    let failed = |error: std::io::Error| CollectError::reading(path, &error);
    let mut content = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_BARE_BYTES).read_to_end(&mut content).map_err(failed)?;
    let mut rest = content.as_slice();
    while !rest.is_empty() && !context.stop.load(Relaxed) {
        // What is no datagram ends the file: nothing tells where the next one would begin.
        let length = wire::datagram_bytes(rest).unwrap_or(rest.len());
        let (datagram, after) = rest.split_at(length);
        intake.datagram(None::<SocketAddr>, datagram, None);
        context.progress.fetch_add(length as u64, Relaxed);
        rest = after;
    }
    Ok(())
}

/// Whether `head`, the begin of a file, is an export datagram.
pub(crate) fn is_bare(head: &[u8]) -> bool {
    wire::datagram_bytes(head).is_some_and(|length| wire::is_plausible(&head[..length]))
}

/// Whether a capture holds export datagrams and hardly anything else: then it was taken between
/// an exporter and its collector, and what they tell of is what is of interest.
pub(crate) fn is_capture_of(path: &Path) -> bool {
    let Ok(mut capture) = CaptureFile::open(path) else { return false };
    let (mut looked_at, mut plausible) = (0, 0);
    while looked_at < LOOKED_AT
        && let Some(payload) = capture.next_udp()
    {
        looked_at += 1;
        plausible += usize::from(payload.is_ok_and(|udp| wire::is_plausible(udp.content)));
    }
    2 * plausible > looked_at
}
