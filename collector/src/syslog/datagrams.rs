//! Messages that arrive at a UDP port, one in each datagram.

use std::sync::atomic::Ordering::Relaxed;

use egret_event::SmolStr;

use super::intake::Intake;
use crate::udp::Port;
use crate::{CollectError, Context, Dialect, Emit, UdpOptions};

/// Listens until told to stop.
pub(crate) fn run_datagrams(
    name: &SmolStr,
    options: &UdpOptions,
    dialect: Option<Dialect>,
    context: &Context,
    emit: &mut Emit<'_>,
) -> Result<(), CollectError> {
    let mut port = Port::open(name, options, (context.now)())?;
    let mut intake = Intake::new(name, dialect, context, emit);
    while !context.stop.load(Relaxed) && !intake.is_closed() {
        port.receive(&context.progress, |from, message| {
            intake.message(from.ip().to_canonical(), message);
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
