//! What identifies a flow.

use egret_event::Transport;

use super::link::{ICMP, ICMPV6, Packet, TCP, UDP};

/// What identifies a flow, the same for both directions: the lower end (address and port) is
/// first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct FlowKey {
    low: [u64; 2],
    high: [u64; 2],
    low_port: u16,
    high_port: u16,
    protocol: u8,
}

/// One of the two ends in a [`FlowKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Low,
    High,
}

impl End {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}

impl FlowKey {
    /// The key of a packet's flow, and which of its ends sent the packet.
    #[inline]
    pub(super) fn of(packet: &Packet<'_>) -> (Self, End) {
        let source = (packet.source, packet.source_port);
        let destination = (packet.destination, packet.destination_port);
        let (low, high, sender) = if source <= destination {
            (source, destination, End::Low)
        } else {
            (destination, source, End::High)
        };
        let key = Self {
            low: halves(low.0),
            high: halves(high.0),
            low_port: low.1,
            high_port: high.1,
            protocol: packet.protocol,
        };
        (key, sender)
    }

    /// Address and port of one end. ICMP has no ports: they hold its identifier or type.
    pub(super) fn end(&self, end: End) -> (u128, u16) {
        match end {
            End::Low => (whole(self.low), self.low_port),
            End::High => (whole(self.high), self.high_port),
        }
    }

    pub(super) fn protocol(&self) -> u8 {
        self.protocol
    }

    pub(super) fn transport(&self) -> Transport {
        match self.protocol {
            TCP => Transport::Tcp,
            UDP => Transport::Udp,
            ICMP | ICMPV6 => Transport::Icmp,
            other => Transport::Other(other),
        }
    }

    pub(super) fn words(&self) -> [u64; 5] {
        let ports = u64::from(self.low_port) << 32 | u64::from(self.high_port) << 8;
        [self.low[0], self.low[1], self.high[0], self.high[1], ports | u64::from(self.protocol)]
    }
}

// A u128 would be aligned to 16 bytes and make the key, and each flow, larger.
fn halves(address: u128) -> [u64; 2] {
    [(address >> 64) as u64, address as u64]
}

fn whole(halves: [u64; 2]) -> u128 {
    u128::from(halves[0]) << 64 | u128::from(halves[1])
}
