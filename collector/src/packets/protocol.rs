//! What protocol a flow speaks, by its first bytes.
//!
//! Owns the signatures, and what is kept of a flow between its first payloads. Ports say nothing
//! here, but where a protocol has too little of its own to be told by. Each signature is strict:
//! what is not recognized is `None`, which is better than a wrong word. The few that are weak
//! alone are a [`Clue`] until the other side confirms them.

mod datagram;
mod endpoint;
mod socks;
mod stream;
mod text;

use egret_event::Protocol;

pub use endpoint::{is_resolver, of_hello};
pub use socks::{SocksHost, SocksTarget, socks_request};

/// Payloads of each side that are looked at. Greetings and handshakes come first.
const LOOKS: u8 = 3;

/// Which side of a flow sent something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that started it.
    Client,
    /// The other.
    Server,
}

impl Side {
    /// The side that a payload comes from.
    #[inline]
    pub fn of(from_client: bool) -> Self {
        if from_client { Self::Client } else { Self::Server }
    }
}

/// What carries a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// A stream (TCP), of which this is a segment.
    Stream,
    /// A datagram (UDP).
    Datagram,
}

/// A payload that is to be recognized.
#[derive(Debug, Clone, Copy)]
pub struct First<'a> {
    /// The payload.
    pub bytes: &'a [u8],
    /// Who sent it.
    pub side: Side,
    /// What carried it.
    pub carrier: Carrier,
    /// The server's port.
    pub server_port: u16,
}

/// What one payload says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    /// This protocol is spoken.
    Is(Protocol),
    /// It may be, if the other side agrees.
    MayBe(Clue),
    /// Nothing that is known here.
    Nothing,
}

/// What was said that is not enough alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Clue {
    #[default]
    None,
    /// The server greeted with `220`: mail or file transfer.
    Reply220,
    /// The server greeted with `+OK`.
    PlusOk,
    /// The client sent what may be a SOCKS 4 request.
    Socks4,
    /// The client sent what may be a list of SOCKS 5 methods.
    Socks5,
    /// A side sent what may be WireGuard data.
    WireGuardData(Side),
}

/// What was recognized of a flow so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recognition {
    protocol: Option<Protocol>,
    clue: Clue,
    /// Payloads of each side that may still be looked at.
    looks: [u8; 2],
}

impl Recognition {
    /// Nothing is known, and all is to be looked at.
    pub const NEW: Self = Self { protocol: None, clue: Clue::None, looks: [LOOKS; 2] };

    /// What is spoken, as far as it is known.
    #[inline]
    pub fn protocol(self) -> Option<Protocol> {
        self.protocol
    }

    /// Whether further payloads of `side` would tell something.
    #[inline]
    pub fn is_open(self, side: Side) -> bool {
        self.looks[side as usize] > 0
    }

    /// Looks at a payload. To be called while [`Self::is_open`].
    pub fn look(&mut self, first: First<'_>) {
        if first.bytes.is_empty() {
            return;
        }
        let looks = &mut self.looks[first.side as usize];
        *looks = looks.saturating_sub(1);
        let says = match first.carrier {
            Carrier::Stream => stream::says(first, self.clue),
            Carrier::Datagram => datagram::says(first, self.clue),
        };
        match says {
            // It finds the way for something else, which comes next.
            Says::Is(Protocol::Stun) => self.protocol = Some(Protocol::Stun),
            Says::Is(protocol) => self.settle(protocol),
            Says::MayBe(clue) => self.clue = clue,
            Says::Nothing => {}
        }
    }

    /// Notes what is known better than by first bytes: what was read whole. What is inside SOCKS
    /// is still SOCKS.
    pub fn settle(&mut self, protocol: Protocol) {
        if self.protocol != Some(Protocol::Socks) {
            self.protocol = Some(protocol);
        }
        self.looks = [0; 2];
    }

    /// Notes that TLS has begun, as which `protocol` it shows itself. Where it did not begin the
    /// conversation (STARTTLS, SOCKS), what did is the better word; but in a tunnel that HTTP made
    /// and after STUN has found the way, it is what is spoken.
    pub fn secure(&mut self, protocol: Protocol) {
        let is_outer = matches!(self.protocol, Some(Protocol::Http | Protocol::Stun));
        if self.protocol.is_none() || is_outer {
            self.protocol = Some(protocol);
        }
        self.looks = [0; 2];
    }

    /// What follows is another conversation: the inside of a tunnel. What was spoken before holds
    /// until that is recognized.
    pub fn start_over(&mut self) {
        self.clue = Clue::None;
        self.looks = [LOOKS; 2];
    }
}

/// `u16` at `at`, in network order.
fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    let pair: &[u8; 2] = bytes.get(at..)?.first_chunk()?;
    Some(usize::from(u16::from_be_bytes(*pair)))
}

/// `u32` at `at`, in network order.
fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let word: &[u8; 4] = bytes.get(at..)?.first_chunk()?;
    usize::try_from(u32::from_be_bytes(*word)).ok()
}

#[cfg(test)]
mod tests;
