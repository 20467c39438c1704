//! Envoy's gRPC access log service: Envoy connects and streams its log as it happens.
//!
//! What messages say is [`crate::logs::envoy::grpc`]'s. Here are gRPC's framing ([`Messages`],
//! pure and public for fuzzing) and the server: HTTP/2 without TLS, for a port that Envoy alone
//! can reach. It is written on `h2` alone. A framework would bring a code generator and a dozen
//! crates for one call that never answers.

mod messages;
mod server;
mod source;

pub use messages::{Messages, TooLong};
pub(crate) use source::run;
