//! UDP ports that are listened at, and what the kernel drops before they are read.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use egret_event::SmolStr;
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
pub(crate) fn open(name: &SmolStr, options: &UdpOptions) -> Result<UdpSocket, CollectError> {
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

/// The kernel's count of datagrams that it dropped at a socket.
pub(crate) struct Drops {
    /// The socket's inode, as it is called in `/proc/net`.
    inode: Option<String>,
    table: &'static str,
    last: u64,
}

impl Drops {
    pub(crate) fn of(socket: &UdpSocket) -> Self {
        let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd()));
        let inode = link.ok().and_then(|link| {
            Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        });
        let is_v6 = socket.local_addr().is_ok_and(|address| address.is_ipv6());
        let table = if is_v6 { "/proc/self/net/udp6" } else { "/proc/self/net/udp" };
        Self { inode, table, last: 0 }
    }

    /// How many were dropped since this was last asked.
    pub(crate) fn since_last(&mut self) -> u64 {
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
