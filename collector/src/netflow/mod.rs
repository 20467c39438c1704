//! NetFlow v5, v9 and IPFIX: what routers, firewalls and probes tell of the flows that they saw.
//!
//! [`Decoder`] is pure: datagrams in, [`Record`]s out, with what must be remembered of each
//! exporter; it never panics and is public so that it can be fuzzed. `flows` makes of them flows
//! that somebody began, and events are written as for any log. Datagrams come from a UDP port, a
//! capture, or a file.
//!
//! What exporters cannot tell stays unknown: payload is what the usual headers leave of the bytes
//! that they count, a lower bound. Counts of exporters that look at one packet in *n* are
//! multiplied by *n*, and nothing is concluded from their TCP flags.
//!
//! We read about 50 of some 500 fields, straight from the datagram. The decoders there are build a
//! map of values for each record, and cannot count what is missing by sequence numbers.

mod decoder;
mod fields;
mod file;
mod flows;
mod intake;
mod listen;
mod record;
mod sequence;
mod template;
#[cfg(test)]
mod tests;
mod wire;

pub use decoder::{Decoded, Decoder, Export};
pub(crate) use file::{is_bare, is_capture_of, run_file};
pub(crate) use listen::run_listening;
pub use record::{Counts, Record};
