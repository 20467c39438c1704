//! UDP ports that are listened at, and what the kernel drops before they are read.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use egret_event::{SmolStr, Timestamp};
use rustix::net::sockopt;

use crate::CollectError;

/// Longest wait for a datagram.
pub(crate) const POLL: Duration = Duration::from_millis(50);

/// How to listen at a UDP port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UdpOptions {
    /// Address and port.
    pub listen: SocketAddr,
    /// Kernel buffer, in bytes.
    pub buffer_bytes: u64,
}

/// Opens the port. Reading from it waits for at most [`POLL`].
fn open(name: &SmolStr, options: &UdpOptions) -> Result<UdpSocket, CollectError> {
    let failed = |error: io::Error| CollectError::listening(options.listen, &error);
    let socket = UdpSocket::bind(options.listen).map_err(failed)?;
    socket.set_read_timeout(Some(POLL)).map_err(failed)?;
    let wanted = usize::try_from(options.buffer_bytes).unwrap_or(usize::MAX);
    // Beyond the system's limit only with CAP_NET_ADMIN.
    if sockopt::set_socket_recv_buffer_size_force(&socket, wanted).is_err() {
        let _ = sockopt::set_socket_recv_buffer_size(&socket, wanted);
    }
    let got = sockopt::socket_recv_buffer_size(&socket).unwrap_or(0);
    if got < wanted {
        tracing::warn!(
            source = %name, wanted_bytes = wanted, got_bytes = got,
            "the kernel gives a smaller buffer (raise net.core.rmem_max, or give CAP_NET_ADMIN)"
        );
    }
    Ok(socket)
}

/// Largest datagram there can be.
const MAX_DATAGRAM: usize = 65_535;

/// Datagrams between two looks at anything else.
const DATAGRAMS_PER_TURN: u32 = 256;

/// How often the kernel is asked for drops.
const SETTLE_EVERY: Duration = Duration::from_secs(1);

/// A port that is listened at.
pub(crate) struct Port {
    socket: UdpSocket,
    drops: Drops,
    buffer: Vec<u8>,
    settled_at: Timestamp,
}

impl Port {
    /// Opens the port at `now`.
    pub(crate) fn open(
        name: &SmolStr,
        options: &UdpOptions,
        now: Timestamp,
    ) -> Result<Self, CollectError> {
        let socket = open(name, options)?;
        let drops = Drops::of(&socket);
        Ok(Self { socket, drops, buffer: vec![0; MAX_DATAGRAM], settled_at: now })
    }

    /// Takes what is there, and waits a moment for more. The bytes are added to `progress`.
    pub(crate) fn receive(
        &mut self,
        progress: &AtomicU64,
        mut take: impl FnMut(SocketAddr, &[u8]),
    ) {
        for _ in 0..DATAGRAMS_PER_TURN {
            // An error is a time-out, or an answer to nothing that was sent from here.
            let Ok((length, from)) = self.socket.recv_from(&mut self.buffer) else { return };
            progress.fetch_add(length as u64, Relaxed);
            take(from, &self.buffer[..length]);
        }
    }

    /// How many datagrams the kernel dropped, if any, and since when; asked once a second.
    pub(crate) fn drops_until(&mut self, now: Timestamp) -> Option<(u64, Timestamp)> {
        if now.since(self.settled_at) < SETTLE_EVERY {
            return None;
        }
        let since = std::mem::replace(&mut self.settled_at, now);
        let dropped = self.drops.since_last();
        (dropped > 0).then_some((dropped, since))
    }
}

/// The kernel's count of datagrams that it dropped at a socket.
struct Drops {
    /// The socket's inode, as it is called in `/proc/net`.
    inode: Option<String>,
    table: &'static str,
    last: u64,
}

impl Drops {
    fn of(socket: &UdpSocket) -> Self {
        let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd()));
        let inode = link.ok().and_then(|link| {
            Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        });
        let is_v6 = socket.local_addr().is_ok_and(|address| address.is_ipv6());
        let table = if is_v6 { "/proc/self/net/udp6" } else { "/proc/self/net/udp" };
        Self { inode, table, last: 0 }
    }

    /// How many were dropped since this was last asked.
    fn since_last(&mut self) -> u64 {
        let Some(inode) = &self.inode else { return 0 };
        let Ok(table) = std::fs::read_to_string(self.table) else { return 0 };
        let Some(total) = drops_of(&table, inode) else { return 0 };
        total.saturating_sub(std::mem::replace(&mut self.last, total))
    }
}

/// The last column of the line of the socket with this inode (proc_net_udp(5): inode is the tenth
/// column, drops the thirteenth).
fn drops_of(table: &str, inode: &str) -> Option<u64> {
    let line = table.lines().find(|line| line.split_whitespace().nth(9) == Some(inode))?;
    line.split_whitespace().nth(12)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_drops_is_counted_to_the_datagram() {
        let listen = "127.0.0.1:0".parse().unwrap();
        let socket = open(&"s".into(), &UdpOptions { listen, buffer_bytes: 4_096 }).unwrap();
        let mut drops = Drops::of(&socket);
        assert_eq!(drops.since_last(), 0);
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sent = 200;
        for _ in 0..sent {
            sender.send_to(&[0; 1_000], socket.local_addr().unwrap()).unwrap();
        }
        let mut received = 0;
        while socket.recv_from(&mut [0; 2_000]).is_ok() {
            received += 1;
        }
        assert!(received < sent, "the buffer held everything: {received}");
        assert_eq!(drops.since_last() + received, sent);
        assert_eq!(drops.since_last(), 0);
    }
}
