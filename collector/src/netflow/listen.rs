//! Export datagrams that arrive at a UDP port.
//!
//! Nothing here waits for what is behind it: when the queue is full, the newest events are dropped
//! and counted, and what the kernel drops before it can be read is asked of the kernel.

use std::sync::atomic::Ordering::Relaxed;

use egret_event::SmolStr;

use super::intake::Intake;
use crate::udp::Port;
use crate::{CollectError, Context, Emit, UdpOptions};

/// Listens until told to stop.
pub(crate) fn run_listening(
    name: &SmolStr,
    options: &UdpOptions,
    context: &Context,
    emit: &mut Emit<'_>,
) -> Result<(), CollectError> {
    let mut port = Port::open(name, options, (context.now)())?;
    let mut intake = Intake::new(name, context, emit);
    while !context.stop.load(Relaxed) && !intake.is_closed() {
        port.receive(&context.progress, |from, datagram| {
            intake.datagram(Some(from), datagram, Some((context.now)()));
        });
        let now = (context.now)();
        if let Some((dropped, since)) = port.drops_until(now) {
            intake.dropped(dropped, since, now);
        }
        intake.tick(now);
    }
    intake.finish();
    Ok(())
}
