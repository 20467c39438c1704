//! Input by the gigabyte for benchmarks: streamed, in constant memory, from a seed.
//!
//! The mix is that of executors behind a router: TLS with a server name, HTTP in clear, and DNS.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use egret_event::Timestamp;

use super::dice::Dice;
use super::logs::{Access, Insight, envoy_line, squid_line, squid_native_line};
use super::output::{create, write_capture};
use super::programs::{CURL, PIP, Program};
use super::sensors::{suricata_line, zeek_conn_line};
use super::wire::dns::{self, Record, RecordType};
use super::wire::http::{self, Request};
use super::wire::tcp::{self, Ending, Step};
use super::wire::tls;
use super::wire::track::{Ends, Track};
use super::{SimulateError, check_start, world};

/// Flows in a thousand that are DNS, and HTTP in clear; the rest is TLS.
const DNS_PER_MILLE: usize = 150;
const HTTP_PER_MILLE: usize = 150;

/// Packets per flow that give frames of about 566 bytes in the mean; more per flow, longer frames.
pub const USUAL_PACKETS_PER_FLOW: u64 = 20;

/// Executors that take turns.
const EXECUTORS: u16 = 4_000;

/// Distinct hosts that are contacted.
const HOSTS: usize = 20_000;

/// Packets of a TCP flow that carry no body: handshakes, requests, acknowledgements, the end.
const FIXED_PACKETS: u64 = 14;

/// Packets of a DNS flow: one question, one answer.
const DNS_PACKETS: u64 = 2;

/// Bytes of body for each further packet. Two full segments and one acknowledgement would carry
/// 965; bodies end within a segment, and some go up.
const BODY_BYTES_PER_PACKET: u64 = 930;

/// Between two lines of a log: 2,000 lines a second.
const LINE_APART: Duration = Duration::from_micros(500);

/// How much to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// The time of the first packet or line.
    pub start: Timestamp,
    /// Packets wanted; as many are written to within the size of one flow.
    pub packets: u64,
    /// Flows, exactly. See [`USUAL_PACKETS_PER_FLOW`].
    pub flows: u64,
    /// Over how long the flows' beginnings are spread.
    pub span: Duration,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadWritten {
    /// Packets in the file.
    pub packets: u64,
    /// Bytes of their frames.
    pub bytes: u64,
}

/// Writes a capture of `load.packets` packets in `load.flows` flows.
///
/// # Errors
/// A start that a capture cannot hold, or a file that cannot be written.
pub fn write_load_capture(load: &Load, path: &Path) -> Result<LoadWritten, SimulateError> {
    check_start(load.start)?;
    let flows = Flows { load: *load, dice: Dice::new(load.seed, 0), number: 0, packets: 0 };
    let (packets, bytes) = create(path, |writer| write_capture(flows, writer))?;
    Ok(LoadWritten { packets, bytes })
}

/// Who writes a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadLog {
    /// Squid, in `logformat egret`.
    Squid,
    /// Squid, in its own format.
    SquidNative,
    /// Envoy, in JSON.
    Envoy,
    /// Zeek's `conn.log`, in JSON.
    ZeekConn,
    /// Suricata's EVE log: flows and TLS handshakes.
    Suricata,
}

impl LoadLog {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Squid, Self::SquidNative, Self::Envoy, Self::ZeekConn, Self::Suricata];

    fn format(self) -> fn(&Access<'_>) -> String {
        match self {
            Self::Squid => squid_line,
            Self::SquidNative => squid_native_line,
            Self::Envoy => envoy_line,
            Self::ZeekConn => zeek_conn_line,
            Self::Suricata => suricata_line,
        }
    }
}

/// Writes a log of `lines` lines, all of which but the times follow from `seed`.
///
/// # Errors
/// A start that a log cannot hold, or a file that cannot be written.
pub fn write_load_log(
    log: LoadLog,
    lines: u64,
    (seed, start): (u64, Timestamp),
    path: &Path,
) -> Result<(), SimulateError> {
    write_lines(lines, (seed, start), path, log.format())
}

/// Flows in the order in which they begin.
struct Flows {
    load: Load,
    dice: Dice,
    number: u64,
    packets: u64,
}

impl Iterator for Flows {
    type Item = Track;

    fn next(&mut self) -> Option<Track> {
        let left = self.load.flows.checked_sub(self.number).filter(|left| *left > 0)?;
        let apart = self.load.span.as_nanos() / u128::from(self.load.flows);
        let after = Duration::from_nanos((apart * u128::from(self.number)) as u64);
        let start = self.load.start + after;
        // Each flow takes its share of what is left, so that the sum comes out right.
        let share = self.load.packets.saturating_sub(self.packets) / left;
        self.number += 1;
        let track = self.flow(start, share);
        self.packets += track.packets.len() as u64;
        Some(track)
    }
}

impl Flows {
    fn flow(&mut self, start: Timestamp, share: u64) -> Track {
        let name = host_name(self.dice.count(0..HOSTS));
        let kind = self.dice.count(0..1000);
        if kind < DNS_PER_MILLE {
            return self.look_up(&name, start);
        }
        // DNS flows are short of the share; the others have what they leave.
        let dns = DNS_PER_MILLE as u64;
        let packets = (share * 1000).saturating_sub(DNS_PACKETS * dns) / (1000 - dns);
        let spread = self.dice.count(20..181) as u64;
        let body = packets.saturating_sub(FIXED_PACKETS) * BODY_BYTES_PER_PACKET * spread / 100;
        let port = if kind < DNS_PER_MILLE + HTTP_PER_MILLE { 80 } else { 443 };
        let steps = match port {
            80 => self.in_clear(&name, body as usize),
            _ => self.sealed(&name, body as usize),
        };
        let host = world::public(&name);
        let ends = self.ends((host.v4, port).into());
        let conversation = (&steps[..], Ending::ClientCloses);
        tcp::play((ends, host.link()), start, conversation, &mut self.dice).0
    }

    fn look_up(&mut self, name: &str, start: Timestamp) -> Track {
        let exchange = dns::Exchange {
            name: name.to_owned(),
            asked: RecordType::A,
            code: 0,
            records: vec![Record::Address(world::public(name).v4.into())],
        };
        let ends = self.ends(world::resolver(false));
        let asked = (&[exchange][..], Duration::from_millis(9));
        dns::play(ends, start, asked, &mut self.dice).0
    }

    /// A tenth of the bytes goes up, the rest comes down.
    fn sealed(&mut self, name: &str, body: usize) -> Vec<Step> {
        let mut steps = tls::resumption(CURL.tls, name, &mut self.dice);
        steps.push(Step::Up(tls::sealed(300 + body / 10, &mut self.dice)));
        steps.push(Step::Down(tls::sealed(400 + body * 9 / 10, &mut self.dice)));
        steps
    }

    fn in_clear(&mut self, name: &str, body: usize) -> Vec<Step> {
        let asked =
            Request { method: "GET", target: "/pool/package.deb", host: name, agent: CURL.agent };
        let up = Step::Up(http::request(asked, &[]));
        vec![up, Step::Down(http::answer(200, &self.dice.noise(body)))]
    }

    fn ends(&mut self, server: SocketAddr) -> Ends {
        // Ports go round once in 28,000 flows, executors once in 4,000: no two flows that live at
        // one time have both in common.
        let executor = (self.number % u64::from(EXECUTORS)) as u16 + 1;
        let port = 32_768 + (self.number % 28_000) as u16;
        Ends { client: SocketAddr::new(world::executor_address(0, executor, false), port), server }
    }
}

fn write_lines(
    lines: u64,
    (seed, start): (u64, Timestamp),
    path: &Path,
    format: fn(&Access<'_>) -> String,
) -> Result<(), SimulateError> {
    check_start(start)?;
    let mut dice = Dice::new(seed, 1);
    create(path, |writer| {
        let mut at = start;
        for _ in 0..lines {
            writeln!(writer, "{}", line(at, &mut dice, format))?;
            at = at + LINE_APART;
        }
        Ok(())
    })
}

fn line(at: Timestamp, dice: &mut Dice, format: fn(&Access<'_>) -> String) -> String {
    let host = host_name(dice.count(0..HOSTS));
    let tunnel = dice.chance(0.7);
    let denied = dice.chance(0.02);
    let (method, target, port) = if tunnel {
        ("CONNECT", format!("{host}:443"), 443)
    } else {
        ("GET", format!("http://{host}/pool/package-{}.deb", dice.count(0..100_000)), 80)
    };
    let program: &Program = &PIP;
    let executor = dice.count(1..usize::from(EXECUTORS)) as u16;
    format(&Access {
        ended: at,
        lasted: dice.ms(2..4_000),
        client: (world::executor_address(0, executor, false), 32_768 + dice.u16() / 3).into(),
        method,
        target: &target,
        host: &host,
        agent: program.agent,
        upstream: (!denied).then(|| (world::public(&host).v4, port).into()),
        status: if denied { 403 } else { 200 },
        up_bytes: dice.size(400..200_000) as u64,
        up_header_bytes: 180,
        down_bytes: dice.size(300..2_000_000) as u64,
        insight: Insight::None,
    })
}

/// Host number `number` of the load: four hosts to a domain.
fn host_name(number: usize) -> String {
    format!("h{}.load-{}.example", number % 4, number / 4)
}
