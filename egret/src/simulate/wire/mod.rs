//! From conversations to bytes on an Ethernet: TCP, UDP and ICMP with right checksums, TLS hellos
//! over TCP and QUIC, HTTP and DNS messages, and the capture file that holds them.
//!
//! It knows protocols and no scenario.

pub(crate) mod capture;
pub(crate) mod dns;
pub(crate) mod frame;
pub(crate) mod http;
pub(crate) mod merge;
pub(crate) mod quic;
pub(crate) mod tcp;
pub(crate) mod tls;
pub(crate) mod track;
