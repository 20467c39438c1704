//! Messages that arrive over TCP.
//!
//! One thread serves all connections: it reads what is there, and nothing while the queue behind
//! it is full, so that senders wait too.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::Ordering::Relaxed;

use egret_event::SmolStr;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::frames::{Frame, Frames};
use super::intake::Intake;
use crate::udp::POLL;
use crate::{CollectError, Context, Dialect, Emit};

/// Most connections at once. A new one takes the place of the one that was silent longest.
const MAX_CONNECTIONS: usize = 512;

/// Bytes that are read of a connection before others have their turn.
const READ_BYTES: usize = 64 * 1024;

/// Pause when the system gives no connection (no descriptors left, say), in place of a busy loop.
const PAUSE: std::time::Duration = POLL;

struct Connection {
    stream: TcpStream,
    sender: IpAddr,
    frames: Frames,
    /// By [`Server::turn`].
    heard: u64,
    is_over: bool,
}

struct Server<'a, 'b> {
    listener: TcpListener,
    connections: Vec<Connection>,
    buffer: Vec<u8>,
    turn: u64,
    intake: Intake<'a, 'b>,
}

/// Listens until told to stop.
pub(crate) fn run_streams(
    name: &SmolStr,
    listen: SocketAddr,
    dialect: Option<Dialect>,
    context: &Context,
    emit: &mut Emit<'_>,
) -> Result<(), CollectError> {
    let failed = |error: io::Error| CollectError::listening(listen, &error);
    let listener = TcpListener::bind(listen).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    serve(name, listener, dialect, context, emit);
    Ok(())
}

/// Serves those who connect to `listener`, which must not block, until told to stop.
pub(super) fn serve(
    name: &SmolStr,
    listener: TcpListener,
    dialect: Option<Dialect>,
    context: &Context,
    emit: &mut Emit<'_>,
) {
    let mut server = Server {
        listener,
        connections: Vec::new(),
        buffer: vec![0; READ_BYTES],
        turn: 0,
        intake: Intake::new(name, dialect, context, emit),
    };
    while !context.stop.load(Relaxed) && !server.intake.is_closed() {
        server.turn(context);
    }
    // What had already arrived is taken along.
    server.turn(context);
    for connection in &mut server.connections {
        connection.end(&mut server.intake);
    }
    server.intake.finish();
}

impl Server<'_, '_> {
    /// Waits for something to read, and reads it.
    fn turn(&mut self, context: &Context) {
        self.turn += 1;
        let ready = self.wait();
        for (connection, is_ready) in self.connections.iter_mut().zip(&ready[1..]) {
            if *is_ready {
                connection.heard = self.turn;
                let read = connection.read(&mut self.buffer, &mut self.intake);
                context.progress.fetch_add(read as u64, Relaxed);
            }
        }
        self.connections.retain(|connection| !connection.is_over);
        if ready[0] {
            self.accept();
        }
        self.intake.tick((context.now)());
    }

    /// What is ready: the listener, then each connection.
    fn wait(&self) -> Vec<bool> {
        let timeout = Timespec { tv_sec: 0, tv_nsec: POLL.as_nanos() as i64 };
        let mut waited = vec![PollFd::new(&self.listener, PollFlags::IN)];
        waited.extend(self.connections.iter().map(|c| PollFd::new(&c.stream, PollFlags::IN)));
        if poll(&mut waited, Some(&timeout)).is_err() {
            return vec![false; waited.len()];
        }
        waited.iter().map(|fd| !fd.revents().is_empty()).collect()
    }

    fn accept(&mut self) {
        match self.listener.accept() {
            Ok((stream, from)) if stream.set_nonblocking(true).is_ok() => {
                self.make_room();
                self.connections.push(Connection {
                    stream,
                    sender: from.ip().to_canonical(),
                    frames: Frames::default(),
                    heard: self.turn,
                    is_over: false,
                });
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                std::thread::sleep(PAUSE);
            }
        }
    }

    fn make_room(&mut self) {
        if self.connections.len() < MAX_CONNECTIONS {
            return;
        }
        let heard = self.connections.iter().map(|connection| connection.heard);
        let Some((silent, _)) = heard.enumerate().min_by_key(|(_, heard)| *heard) else { return };
        let mut connection = self.connections.swap_remove(silent);
        tracing::warn!(
            sender = %connection.sender, limit = MAX_CONNECTIONS,
            "too many connections: the one that was silent longest is closed"
        );
        connection.end(&mut self.intake);
    }
}

impl Connection {
    /// Reads once. Returns the number of bytes.
    fn read(&mut self, buffer: &mut [u8], intake: &mut Intake<'_, '_>) -> usize {
        match self.stream.read(buffer) {
            Ok(0) => self.end(intake),
            Ok(read) => {
                self.frames.push(&buffer[..read]);
                while let Some(frame) = self.frames.next_frame() {
                    match frame {
                        Frame::Whole(message) => intake.message(self.sender, message),
                        Frame::TooLong => intake.too_long(),
                    }
                }
                return read;
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            Err(_) => self.end(intake),
        }
        0
    }

    /// Takes a last message without a line end.
    fn end(&mut self, intake: &mut Intake<'_, '_>) {
        if let Some(rest) = self.frames.rest() {
            intake.message(self.sender, rest);
        }
        self.is_over = true;
    }
}
