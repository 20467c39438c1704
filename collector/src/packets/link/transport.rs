//! The fixed part of transport headers.

use egret_event::Loss;

use super::frame::Frame;
use super::{ACK, Fragment, ICMP, ICMPV6, Packet, TCP, UDP, clamp, tunnels};

/// What an IP packet carries, and between whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Datagram<'a> {
    pub(super) source: u128,
    pub(super) destination: u128,
    pub(super) protocol: u8,
    /// Whether the body may begin with extension headers, of which `protocol` tells the first.
    pub(super) may_be_extended: bool,
    pub(super) fragment: Fragment,
    /// Bytes from the IP header on, of all packets that carried it.
    pub(super) wire_bytes: u32,
    /// How many packets carried it.
    pub(super) packets: u32,
    /// What comes after the IP header and its extensions.
    pub(super) body: Frame<'a>,
}

impl<'a> Datagram<'a> {
    /// The packet in it: that of a tunnel, if it carries one that can be read.
    #[inline]
    pub(super) fn open(&self) -> Result<Packet<'a>, Loss> {
        if self.fragment != Fragment::Whole {
            return Ok(self.part());
        }
        match self.protocol {
            TCP => self.tcp(),
            UDP => self.udp(),
            ICMP | ICMPV6 => self.icmp(),
            protocol => match tunnels::in_ip(protocol, self.body) {
                Some(inner) => Ok(Packet { packets: self.packets, ..inner }),
                None => Ok(self.with_payload(self.bare(), 0)),
            },
        }
    }

    /// The packet that an ICMP error quotes, down to its ports: a quote need not hold more than
    /// the first eight bytes of the transport header (RFC 792).
    pub(super) fn open_quoted(&self) -> Option<Packet<'a>> {
        let head: &[u8; 8] = self.body.head().ok()?;
        match self.protocol {
            TCP | UDP => Some(Packet {
                source_port: u16::from_be_bytes([head[0], head[1]]),
                destination_port: u16::from_be_bytes([head[2], head[3]]),
                ..self.bare()
            }),
            ICMP | ICMPV6 => self.icmp().ok(),
            _ => Some(self.bare()),
        }
    }

    #[inline]
    fn bare(&self) -> Packet<'a> {
        Packet {
            source: self.source,
            destination: self.destination,
            protocol: self.protocol,
            source_port: 0,
            destination_port: 0,
            flags: 0,
            code: 0,
            sequence: 0,
            acknowledged: 0,
            payload: &[],
            payload_bytes: 0,
            wire_bytes: self.wire_bytes,
            packets: self.packets,
            layers: self.body.layers,
            fragment: self.fragment,
        }
    }

    /// A fragment: all that follows the IP header is its payload, and to its flow it is more of
    /// the same.
    fn part(&self) -> Packet<'a> {
        Packet { flags: ACK, ..self.with_payload(self.bare(), 0) }
    }

    #[inline]
    fn with_payload(&self, packet: Packet<'a>, header_len: usize) -> Packet<'a> {
        let payload_bytes = clamp(self.body.wire_len.saturating_sub(header_len));
        let payload = self.body.bytes.get(header_len..).unwrap_or(&[]);
        let payload = &payload[..payload.len().min(payload_bytes as usize)];
        Packet { payload, payload_bytes, ..packet }
    }

    // Only the first bytes of each header are asked for, so that a capture cut within the options
    // is still of use.
    #[inline]
    fn tcp(&self) -> Result<Packet<'a>, Loss> {
        let head: &[u8; 14] = self.body.head()?;
        let header_len = usize::from(head[12] >> 4) * 4;
        if header_len < 20 {
            return Err(Loss::Malformed);
        }
        let packet = Packet {
            source_port: u16::from_be_bytes([head[0], head[1]]),
            destination_port: u16::from_be_bytes([head[2], head[3]]),
            sequence: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            acknowledged: u32::from_be_bytes([head[8], head[9], head[10], head[11]]),
            flags: head[13],
            ..self.bare()
        };
        Ok(self.with_payload(packet, header_len))
    }

    #[inline]
    fn udp(&self) -> Result<Packet<'a>, Loss> {
        let head: &[u8; 4] = self.body.head()?;
        let packet = Packet {
            source_port: u16::from_be_bytes([head[0], head[1]]),
            destination_port: u16::from_be_bytes([head[2], head[3]]),
            ..self.bare()
        };
        if tunnels::may_be_tunnel(packet.destination_port, self.body)
            && let Some(inner) = tunnels::in_udp(packet.destination_port, self.body)
        {
            return Ok(Packet { packets: self.packets, ..inner });
        }
        Ok(self.with_payload(packet, 8))
    }

    fn icmp(&self) -> Result<Packet<'a>, Loss> {
        let head: &[u8; 2] = self.body.head()?;
        let identifier = match self.body.bytes.get(4..6) {
            Some(id) if is_echo(self.protocol, head[0]) => u16::from_be_bytes([id[0], id[1]]),
            _ => u16::from(head[0]),
        };
        let packet = Packet {
            flags: head[0],
            code: head[1],
            source_port: identifier,
            destination_port: identifier,
            ..self.bare()
        };
        Ok(self.with_payload(packet, 8))
    }
}

fn is_echo(protocol: u8, kind: u8) -> bool {
    matches!((protocol, kind), (ICMP, 0 | 8) | (ICMPV6, 128 | 129))
}
