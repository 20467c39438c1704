//! Export datagrams that arrive at a UDP port.
//!
//! Nothing here waits for what is behind it: when the queue is full, the newest events are dropped
//! and counted, and what the kernel drops before it can be read is asked of the kernel.

use std::net::UdpSocket;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use egret_event::SmolStr;

use super::intake::Intake;
use crate::udp::{self, Drops};
use crate::{CollectError, Context, Emit, UdpOptions};

/// Largest datagram there can be.
const MAX_DATAGRAM: usize = 65_535;

/// Datagrams between two looks at anything else.
const DATAGRAMS_PER_TURN: u32 = 256;

/// How often the kernel is asked for drops.
const SETTLE_EVERY: Duration = Duration::from_secs(1);

/// Listens until told to stop.
pub(crate) fn run_listening(
    name: &SmolStr,
    options: &UdpOptions,
    context: &Context,
    emit: &mut Emit<'_>,
) -> Result<(), CollectError> {
    let socket = udp::open(name, options)?;
    let mut drops = Drops::of(&socket);
    let mut intake = Intake::new(name, context, emit);
    let mut buffer = vec![0; MAX_DATAGRAM];
    let mut settled_at = (context.now)();
    while !context.stop.load(Relaxed) && !intake.is_closed() {
        receive(&socket, &mut buffer, context, &mut intake);
        let now = (context.now)();
        if now.since(settled_at) >= SETTLE_EVERY {
            let dropped = drops.since_last();
            if dropped > 0 {
                intake.dropped(dropped, settled_at, now);
            }
            settled_at = now;
        }
        intake.tick(now);
    }
    intake.finish();
    Ok(())
}

/// Takes what is there, and waits a moment for more.
fn receive(socket: &UdpSocket, buffer: &mut [u8], context: &Context, intake: &mut Intake<'_, '_>) {
    for _ in 0..DATAGRAMS_PER_TURN {
        // An error is a time-out, or an answer to nothing that was sent from here.
        let Ok((length, from)) = socket.recv_from(buffer) else { return };
        context.progress.fetch_add(length as u64, Relaxed);
        intake.datagram(Some(from), &buffer[..length], Some((context.now)()));
    }
}
