//! What a flow is in the middle of.
//!
//! A flow has one of these only while a message is incomplete or its answer is awaited.

use egret_event::SmolStr;

use super::dtls::Fragment;
use super::quic::Origin;
use super::stream::Stream;
use super::{http, tls};

/// Longest DNS message kept in part; it is far more than a resolver sends in two segments.
pub(super) const MAX_DNS: usize = 16 * 1024;

/// Most bytes kept of what a client says.
pub(super) const MAX_SAID: usize = if tls::MAX_HELLO_BYTES > http::MAX_HEAD_BYTES {
    tls::MAX_HELLO_BYTES
} else {
    http::MAX_HEAD_BYTES
};

/// Something of which more is to come.
#[derive(Debug)]
pub(super) enum Partial {
    /// What the client says: a TLS hello or the head of an HTTP request. Which of them shows when
    /// its first bytes are there.
    Said(Stream),
    /// What the server answers to a hello.
    Answer(Answer),
    /// A hello in QUIC.
    Quic(QuicHello),
    /// A hello in DTLS.
    Dtls(DtlsHello),
    /// DNS over TCP, both ways.
    Dns {
        /// What the client sent.
        up: Stream,
        /// What the server sent.
        down: Stream,
    },
}

/// The answer to a TLS hello, up to the server's certificate.
#[derive(Debug)]
pub(super) struct Answer {
    /// The name that the client asked for.
    pub(super) sni: Option<SmolStr>,
    /// What was received. `None`: where it starts is not known before its first segment.
    pub(super) stream: Option<Stream>,
}

/// The handshake that a QUIC client sends first.
#[derive(Debug)]
pub(super) struct QuicHello {
    /// What its keys come from.
    pub(super) origin: Origin,
    pub(super) stream: Stream,
}

/// A ClientHello in several fragments.
#[derive(Debug)]
pub(super) struct DtlsHello {
    /// Number of the message in its handshake.
    pub(super) message: u16,
    /// Its bytes in all.
    pub(super) length: usize,
    pub(super) stream: Stream,
}

impl DtlsHello {
    /// The message that a fragment belongs to, of which nothing is there yet.
    pub(super) fn of(fragment: &Fragment<'_>) -> Self {
        let Fragment { message, length, .. } = *fragment;
        Self { message, length, stream: Stream::default() }
    }
}

impl Partial {
    /// Whether it keeps bytes, and counts among those that are bounded.
    pub(super) fn holds_bytes(&self) -> bool {
        match self {
            Self::Answer(answer) => answer.stream.as_ref().is_some_and(|stream| !stream.is_empty()),
            _ => true,
        }
    }
}
