//! Captures and live interfaces: packets in, events out.
//!
//! [`Decoder`] is the pure core: no I/O, no clock, the same packets give the same events. `file`
//! and `live` bring packets to it, live ones through libpcap. The parsers ([`dissect`],
//! [`certificate`], [`dns`], [`dtls`], [`http`], [`protocol`], [`quic`], [`savefile`], [`tls`])
//! take any bytes and never panic; they are public so that they can be fuzzed.
//!
//! What is egress: a flow that a watched address started, to anywhere but its own link
//! (broadcast, link-local multicast and neighbour discovery cannot leave it).
//!
//! Tunnels are peeled and fragments put together, so that the flow is that of the packet inside;
//! but a tunnel from a watched address to one that is not is itself the egress.

pub mod certificate;
mod decoder;
pub mod dns;
pub mod dtls;
mod exchange;
mod fanout;
mod file;
mod flow;
mod fragments;
mod gaps;
pub mod http;
mod input;
mod inspect;
mod key;
mod link;
mod live;
mod opened;
mod outlet;
mod partial;
mod payloads;
pub mod pcapng;
pub mod protocol;
mod proxied;
mod questions;
pub mod quic;
pub mod savefile;
mod sequence;
mod stream;
mod table;
mod tell;
#[cfg(test)]
mod tests;
pub mod tls;
mod window;

pub(crate) use certificate::hexadecimal;
pub use decoder::{Decoder, Sink};
pub use file::count_packets;
pub(crate) use file::run_file;
pub(crate) use gaps::{Tally, blind_since, event as gap_event};
pub use link::{Fragment, Link, Packet, dissect, dissect_outer};
pub use live::can_capture;
pub(crate) use live::run_live;
pub(crate) use outlet::Outlet;
pub(crate) use payloads::{CaptureFile, UdpPayload};
