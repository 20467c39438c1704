//! From the server to events. The server has a thread of its own, since what is behind a source
//! may keep it waiting; then messages stay with Envoy, which drops them when it has too many.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use egret_event::SmolStr;
use tokio::runtime;
use tokio::sync::mpsc;

use super::server::{Told, serve};
use crate::logs::envoy::grpc;
use crate::syslog::Intake;
use crate::{CollectError, Context, Emit};

/// Messages between the server and the source; at most 1 MiB each, mostly 16 KiB.
const QUEUED_MESSAGES: usize = 64;

/// Listens until told to stop.
pub(crate) fn run(
    name: &SmolStr,
    listen: SocketAddr,
    context: &Context,
    emit: &mut Emit<'_>,
) -> Result<(), CollectError> {
    let failed = |error: io::Error| CollectError::listening(listen, &error);
    let listener = TcpListener::bind(listen).map_err(failed)?;
    run_on(name, listener, context, emit).map_err(failed)
}

fn run_on(
    name: &SmolStr,
    listener: TcpListener,
    context: &Context,
    emit: &mut Emit<'_>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let (out, mut told) = mpsc::channel(QUEUED_MESSAGES);
    let server = thread::spawn(move || {
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            serve(listener, out).await;
            io::Result::Ok(())
        })
    });
    let mut intake = Intake::new(name, None, context, emit);
    while !context.stop.load(Relaxed)
        && !intake.is_closed()
        && let Some(told) = told.blocking_recv()
    {
        take(told, context, &mut intake);
    }
    // What had already arrived is taken along.
    told.close();
    while let Ok(told) = told.try_recv() {
        take(told, context, &mut intake);
    }
    drop(told);
    intake.finish();
    server.join().unwrap_or_else(|_| Err(io::Error::other("the server's thread broke off")))
}

fn take(told: Told, context: &Context, intake: &mut Intake<'_, '_>) {
    match told {
        Told::Tick => intake.tick((context.now)()),
        Told::TooLong => intake.too_long(),
        Told::Message(sender, message) => {
            context.progress.fetch_add(message.len() as u64, Relaxed);
            let whole = grpc::read(&message, |entry, record| {
                intake.entry(sender, entry, record);
            });
            if let Err(problem) = whole {
                intake.entry(sender, &message, Err(problem));
            }
        }
    }
}
