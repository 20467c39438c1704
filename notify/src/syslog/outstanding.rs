//! How much of what was written to a connection its peer's kernel has not acknowledged yet.

#![allow(unsafe_code, reason = "an ioctl that the libraries at hand leave out")]

use std::io;
use std::os::fd::AsRawFd;

use tokio::net::TcpStream;

/// Bytes that were written and not acknowledged (tcp(7), `SIOCOUTQ`). Those of a connection that broke stay.
pub(super) fn outstanding(tcp: &TcpStream) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open as long as `tcp` is borrowed, and SIOCOUTQ (the same number as TIOCOUTQ)
    // writes one int to where the pointer says.
    let result = unsafe { libc::ioctl(tcp.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    match result {
        0 => Ok(usize::try_from(bytes).unwrap_or(0)),
        _ => Err(io::Error::last_os_error()),
    }
}
