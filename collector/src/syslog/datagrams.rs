//! Messages that arrive at a UDP port, one in each datagram.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use egret_event::SmolStr;

use super::intake::Intake;
use crate::udp::{self, Drops};
use crate::{CollectError, Context, Dialect, Emit, UdpOptions};

/// Largest datagram there can be.
const MAX_DATAGRAM: usize = 65_535;

/// Datagrams between two looks at anything else.
const DATAGRAMS_PER_TURN: u32 = 256;

/// How often the kernel is asked for drops.
const SETTLE_EVERY: Duration = Duration::from_secs(1);

/// Listens until told to stop.
pub(crate) fn run_datagrams(
    name: &SmolStr,
    options: &UdpOptions,
    dialect: Option<Dialect>,
    context: &Context,
    emit: &mut Emit<'_>,
) -> Result<(), CollectError> {
    let socket = udp::open(name, options)?;
    let mut drops = Drops::of(&socket);
    let mut intake = Intake::new(name, dialect, context, emit);
    let mut buffer = vec![0; MAX_DATAGRAM];
    let mut settled_at = (context.now)();
    while !context.stop.load(Relaxed) && !intake.is_closed() {
        for _ in 0..DATAGRAMS_PER_TURN {
            // An error is a time-out, or an answer to nothing that was sent from here.
            let Ok((length, from)) = socket.recv_from(&mut buffer) else { break };
            context.progress.fetch_add(length as u64, Relaxed);
            intake.message(from.ip().to_canonical(), &buffer[..length]);
        }
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
