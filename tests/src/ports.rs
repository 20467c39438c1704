//! Ports of loopback for programs that have to be told where to listen.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

/// Below the ports that the kernel gives to connections (`ip_local_port_range`, from 32768 on): one of those may be
/// taken by anybody before the program that is told it listens, or while it is down.
const FIRST: u16 = 10_000;
const HOW_MANY: u16 = 22_000;

/// A port of loopback that nobody listens on now, and that was not given in this process before.
pub fn free_port() -> u16 {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    // Tests of several processes at once begin in different places.
    let begin = std::process::id().wrapping_mul(7_919);
    let next =
        || (begin.wrapping_add(GIVEN.fetch_add(1, Relaxed).into()) % u32::from(HOW_MANY)) as u16;
    let mut ports = std::iter::repeat_with(|| FIRST + next()).take(HOW_MANY.into());
    ports
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("loopback has a free port")
}
