//! AWS VPC flow logs: version 2 as it comes, or any fields in any order by a header line.
//!
//! Files in S3 begin with the names of their fields; lines from CloudWatch have none, and are then
//! the fourteen of version 2. What the lines mean here:
//! - A line tells of one direction in one interval (1 or 10 minutes), not of a connection. Lines
//!   that follow each other are parts of one flow, so that a long connection is one contact.
//! - Who began it: by TCP flags (version 3) where the line has the first packet. Otherwise the
//!   source, unless only its port is a well-known one: then it answers. What comes back between
//!   two high ports is therefore not told; what is sent always is.
//! - `bytes` are those on the wire. Payload is what the usual headers leave of them: a lower bound.
//! - `pkt-srcaddr` and `pkt-dstaddr`, where they are, are the ends behind a NAT gateway.
//! - `REJECT` is a refusal by security group or network ACL: the packets got no answer.
//! - `NODATA` is a note; `SKIPDATA` a gap.

use std::net::IpAddr;
use std::time::Duration;

use egret_event::{BlockReason, FlowPhase, GapReason, Timestamp, Transport, Verdict, Volume};

use super::digits::number;
use super::entry::{Ends, Entry, FlowRecord, GapRecord};
use super::recent::Recent;
use super::record::LineProblem;
use super::text::{address, port};

/// How long a connection may be quiet between two lines: the longest aggregation interval, twice.
const IDLE: Duration = Duration::from_secs(1200);

/// Ports below are those of services (RFC 6335, system ports).
const FIRST_HIGH_PORT: u16 = 1024;

/// A field that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Source,
    Destination,
    PacketSource,
    PacketDestination,
    SourcePort,
    DestinationPort,
    Protocol,
    Packets,
    Bytes,
    Start,
    End,
    Action,
    Status,
    Flags,
}

const FIELDS: usize = Field::Flags as usize + 1;

/// Most columns that a header may name: there are about 40 fields.
const MAX_COLUMNS: usize = 64;

/// Version 2, as AWS documents it. `None`: not read.
const VERSION_2: [Option<Field>; 14] = [
    None,
    None,
    None,
    Some(Field::Source),
    Some(Field::Destination),
    Some(Field::SourcePort),
    Some(Field::DestinationPort),
    Some(Field::Protocol),
    Some(Field::Packets),
    Some(Field::Bytes),
    Some(Field::Start),
    Some(Field::End),
    Some(Field::Action),
    Some(Field::Status),
];

/// Reads the lines of a file.
#[derive(Debug, Default)]
pub struct Vpc {
    /// The columns that a header named. `None`: those of version 2.
    columns: Option<Vec<Option<Field>>>,
    recent: Recent,
}

/// Whether a line names the columns of those after it.
pub(super) fn is_header(line: &[u8]) -> bool {
    line.first().is_some_and(u8::is_ascii_lowercase)
        && words(line).any(|word| word == b"srcaddr" || word == b"pkt-srcaddr")
}

/// Whether a line is of version 2, by its look.
pub(super) fn is_version_2(line: &[u8]) -> bool {
    line.starts_with(b"2 ")
        && words(line).count() == VERSION_2.len()
        && matches!(words(line).last(), Some(b"OK" | b"NODATA" | b"SKIPDATA"))
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

impl Vpc {
    /// Forgets the columns: another file begins.
    pub fn next_file(&mut self) {
        self.columns = None;
    }

    /// Reads a line, without its line end.
    ///
    /// # Errors
    /// See [`LineProblem`].
    pub fn read(&mut self, line: &[u8]) -> Result<Entry<'static>, LineProblem> {
        if is_header(line) {
            self.columns = Some(words(line).take(MAX_COLUMNS).map(field).collect());
            return Err(LineProblem::Note);
        }
        let row = self.row(line)?;
        match row.get(Field::Status) {
            Some(b"NODATA") => return Err(LineProblem::Note),
            Some(b"SKIPDATA") => return row.gap(),
            _ => {}
        }
        self.flow(&row)
    }

    fn row<'a>(&self, line: &'a [u8]) -> Result<Row<'a>, LineProblem> {
        let columns = self.columns.as_deref().unwrap_or(&VERSION_2);
        let mut row = Row([None; FIELDS]);
        let mut count = 0;
        for (column, word) in columns.iter().zip(words(line)) {
            count += 1;
            if let Some(field) = column {
                row.0[*field as usize] = Some(word).filter(|word| *word != b"-");
            }
        }
        if count < columns.len() || words(line).nth(count).is_some() {
            return Err(LineProblem::Malformed("not as many fields as columns"));
        }
        Ok(row)
    }

    fn flow(&mut self, row: &Row<'_>) -> Result<Entry<'static>, LineProblem> {
        let protocol = row.protocol()?;
        let (source, destination) = row.addresses()?;
        let is_answer = row.is_answer(source, destination);
        let (client, server) =
            if is_answer { (destination, source) } else { (source, destination) };
        let (from, at) = (row.time(Field::Start)?, row.time(Field::End)?);
        let ends = Ends { at, client, server };
        let told = row.volume(source.0, protocol);
        let number = self.recent.number(&ends, protocol, IDLE);
        let refused = row.get(Field::Action) == Some(b"REJECT");
        Ok(Entry::Flow(FlowRecord {
            ends,
            from,
            transport: transport(protocol),
            protocol: None,
            host: None,
            up: if is_answer { Volume::UNKNOWN } else { told },
            down: if is_answer { told } else { Volume::UNKNOWN },
            verdict: if refused {
                Verdict::Blocked(BlockReason::NoAnswer)
            } else {
                Verdict::Allowed
            },
            phase: FlowPhase::Open,
            id: None,
            number,
        }))
    }
}

fn field(name: &[u8]) -> Option<Field> {
    Some(match name {
        b"srcaddr" => Field::Source,
        b"dstaddr" => Field::Destination,
        b"pkt-srcaddr" => Field::PacketSource,
        b"pkt-dstaddr" => Field::PacketDestination,
        b"srcport" => Field::SourcePort,
        b"dstport" => Field::DestinationPort,
        b"protocol" => Field::Protocol,
        b"packets" => Field::Packets,
        b"bytes" => Field::Bytes,
        b"start" => Field::Start,
        b"end" => Field::End,
        b"action" => Field::Action,
        b"log-status" => Field::Status,
        b"tcp-flags" => Field::Flags,
        _ => return None,
    })
}

const TCP: u8 = 6;
const UDP: u8 = 17;

fn transport(protocol: u8) -> Transport {
    match protocol {
        TCP => Transport::Tcp,
        UDP => Transport::Udp,
        1 | 58 => Transport::Icmp,
        other => Transport::Other(other),
    }
}

/// An address and a port.
type End = (IpAddr, u16);

/// What a line has in the fields that are read.
struct Row<'a>([Option<&'a [u8]>; FIELDS]);

impl<'a> Row<'a> {
    fn get(&self, field: Field) -> Option<&'a [u8]> {
        self.0[field as usize]
    }

    fn count(&self, field: Field) -> Option<u64> {
        self.get(field).and_then(number)
    }

    fn time(&self, field: Field) -> Result<Timestamp, LineProblem> {
        // Ten digits reach the year 2286.
        let seconds = self.count(field).filter(|seconds| *seconds < 10_000_000_000);
        let seconds = seconds.ok_or(LineProblem::Malformed("time"))?;
        Ok(Timestamp::from_secs(seconds as i64))
    }

    fn protocol(&self) -> Result<u8, LineProblem> {
        let number = self.count(Field::Protocol).and_then(|number| u8::try_from(number).ok());
        number.ok_or(LineProblem::Malformed("protocol"))
    }

    fn addresses(&self) -> Result<(End, End), LineProblem> {
        let end = |packet, interface, at| {
            let text = self.get(packet).or_else(|| self.get(interface));
            Some((text.and_then(address)?, self.get(at).and_then(port).unwrap_or(0)))
        };
        let source = end(Field::PacketSource, Field::Source, Field::SourcePort);
        let server = end(Field::PacketDestination, Field::Destination, Field::DestinationPort);
        source.zip(server).ok_or(LineProblem::Malformed("address"))
    }

    fn is_answer(&self, source: End, destination: End) -> bool {
        const SYN: u64 = 2;
        // AWS logs a SYN-ACK as 18, and no ACK by itself.
        const SYN_ACK: u64 = 18;
        match self.count(Field::Flags) {
            Some(flags) if flags & SYN_ACK == SYN_ACK => true,
            Some(flags) if flags & SYN == SYN => false,
            _ => source.1 < FIRST_HIGH_PORT && destination.1 >= FIRST_HIGH_PORT && source.1 > 0,
        }
    }

    fn volume(&self, source: IpAddr, protocol: u8) -> Volume {
        let (bytes, packets) = (self.count(Field::Bytes), self.count(Field::Packets));
        let network = if source.is_ipv4() { 20 } else { 40 };
        let headers = network
            + match protocol {
                TCP => 20,
                UDP => 8,
                _ => 0,
            };
        let payload = bytes
            .zip(packets)
            .map(|(bytes, packets)| bytes.saturating_sub(packets.saturating_mul(headers)));
        let packets = packets.map(|packets| u32::try_from(packets).unwrap_or(u32::MAX));
        Volume { bytes: payload, wire_bytes: bytes, packets }
    }

    fn gap(&self) -> Result<Entry<'static>, LineProblem> {
        let (from, at) = (self.time(Field::Start)?, self.time(Field::End)?);
        Ok(Entry::Gap(GapRecord { reason: GapReason::SensorLoss, count: 1, from, at }))
    }
}

#[cfg(test)]
mod tests {
    //! Lines in the form of AWS's documentation.

    use super::*;

    const OUT: &str = "2 123456789010 eni-1 10.20.0.17 192.0.2.7 40000 443 6 10 5000 1769851800 1769851860 ACCEPT OK";
    const BACK: &str = "2 123456789010 eni-1 192.0.2.7 10.20.0.17 443 40000 6 20 90000 1769851800 1769851860 ACCEPT OK";

    fn flow(vpc: &mut Vpc, line: &str) -> FlowRecord<'static> {
        match vpc.read(line.as_bytes()) {
            Ok(Entry::Flow(flow)) => flow,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn both_directions_of_a_long_connection_are_one_contact() {
        let mut vpc = Vpc::default();
        let out = flow(&mut vpc, OUT);
        assert_eq!(out.ends.client, ("10.20.0.17".parse().unwrap(), 40000));
        assert_eq!(
            (out.up.bytes, out.up.wire_bytes, out.up.packets),
            (Some(4600), Some(5000), Some(10))
        );
        assert_eq!((out.down, out.number), (Volume::UNKNOWN, 0));
        let back = flow(&mut vpc, BACK);
        assert_eq!((back.ends.client, back.ends.server), (out.ends.client, out.ends.server));
        assert_eq!((back.up, back.down.bytes, back.number), (Volume::UNKNOWN, Some(89_200), 1));
        assert_eq!(flow(&mut vpc, &OUT.replace("17698518", "17698524")).number, 2);
    }

    #[test]
    fn a_header_names_the_columns_until_the_next_file() {
        let mut vpc = Vpc::default();
        let header = "version srcaddr dstaddr pkt-srcaddr srcport dstport protocol tcp-flags bytes packets start end action log-status new-field";
        assert_eq!(vpc.read(header.as_bytes()), Err(LineProblem::Note));
        let line = "5 10.0.0.5 192.0.2.7 10.20.0.17 50000 60000 6 18 100 1 1769851800 1769851860 REJECT OK x";
        let answer = flow(&mut vpc, line);
        assert_eq!(answer.ends.server, ("10.20.0.17".parse().unwrap(), 50000));
        assert!(answer.verdict.is_blocked());
        assert!(vpc.read(OUT.as_bytes()).is_err());
        vpc.next_file();
        flow(&mut vpc, OUT);
    }

    #[test]
    fn what_is_no_traffic_is_a_note_or_a_gap() {
        let mut vpc = Vpc::default();
        let line =
            |status: &str| format!("2 1 eni-1 - - - - - - - 1769851800 1769851860 - {status}");
        assert_eq!(vpc.read(line("NODATA").as_bytes()), Err(LineProblem::Note));
        let gap = vpc.read(line("SKIPDATA").as_bytes()).unwrap();
        assert!(matches!(gap, Entry::Gap(gap) if gap.reason == GapReason::SensorLoss));
        for line in ["", "2", "2 a b c d e f g h i j k l OK", &format!("{OUT} more")] {
            assert!(matches!(vpc.read(line.as_bytes()), Err(LineProblem::Malformed(_))), "{line}");
        }
        assert!(is_version_2(OUT.as_bytes()) && !is_version_2(b"2 a b OK"));
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_it_panic(
            raw in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
            words in "(version|srcaddr|bytes|[0-9.]{1,22}|-| ){0,40}",
        ) {
            let mut vpc = Vpc::default();
            for line in [&raw[..], words.as_bytes(), &raw, OUT.as_bytes()] {
                let _ = vpc.read(line);
            }
        }
    }
}
