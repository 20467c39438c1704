//! Several sockets on one interface, each of which gets a share of the flows.
//!
//! Owns the socket option, which no crate that is used here offers, and so the only `unsafe` code
//! of this crate. The kernel picks the socket by a hash of addresses and ports that is the same
//! for both directions of a flow (packet(7), PACKET_FANOUT_HASH). Fragments have no ports, so a
//! fragmented flow may be counted in two parts.
#![allow(unsafe_code, reason = "setsockopt and getsockopt with options that libpcap leaves out")]

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use pcap::{Active, Capture};

/// From linux/if_packet.h.
const PACKET_FANOUT: libc::c_int = 18;
const PACKET_FANOUT_HASH: libc::c_int = 0;
const PACKET_FANOUT_FLAG_UNIQUEID: libc::c_int = 0x2000;

/// A group of sockets that share the flows of one interface.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group(u16);

impl Group {
    /// A new group, with one socket.
    ///
    /// # Errors
    /// What the kernel says; it knows fan-out with its own numbering since Linux 4.12.
    pub(super) fn of(first: &Capture<Active>) -> io::Result<Self> {
        let socket = first.as_raw_fd();
        set(socket, (PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_UNIQUEID) << 16)?;
        get(socket).map(|value| Self(value as u16))
    }

    /// Adds a socket on the same interface.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn add(self, capture: &Capture<Active>) -> io::Result<()> {
        set(capture.as_raw_fd(), libc::c_int::from(self.0) | PACKET_FANOUT_HASH << 16)
    }
}

fn set(socket: RawFd, value: libc::c_int) -> io::Result<()> {
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the option's value is an int, which lives longer than the call.
    let result = unsafe {
        libc::setsockopt(
            socket,
            libc::SOL_PACKET,
            PACKET_FANOUT,
            std::ptr::from_ref(&value).cast(),
            size,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn get(socket: RawFd) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: both pointers lead to values of the sizes told, which live longer than the call.
    let result = unsafe {
        libc::getsockopt(
            socket,
            libc::SOL_PACKET,
            PACKET_FANOUT,
            std::ptr::from_mut(&mut value).cast(),
            &raw mut size,
        )
    };
    if result == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}
