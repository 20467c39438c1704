//! Cilium Hubble's flows in JSON: as exported (`{"flow":…}`) or bare.
//!
//! What the lines mean here:
//! - Hubble tells of packets, and of each at several points on its way. A TCP flow is its first
//!   packet (SYN without ACK), any other its first packet in 30 s; what repeats is a note.
//! - There are no byte counts: volumes are unknown. An incident's bytes are then a lower bound.
//! - `DROPPED` and `ERROR` are refusals: the packet got no answer. `AUDIT` was let through.
//! - The server's name is the first of `destination_names`, by DNS answers that Cilium saw.
//! - `lost_events` is a gap. Answers (`is_reply`) are notes.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use egret_event::{
    BlockReason, FlowPhase, GapReason, NameSource, Timestamp, Transport, Verdict, Volume,
};
use serde::Deserialize;

use super::entry::{DnsRecord, Ends, Entry, FlowRecord, GapRecord};
use super::recent::Recent;
use super::record::LineProblem;

/// How long packets of the same ends are of the same flow: as long as a connection tracker keeps
/// UDP without answers.
const IDLE: Duration = Duration::from_secs(30);

/// Reads the lines of a file.
#[derive(Debug, Default)]
pub struct Hubble {
    recent: Recent,
}

impl Hubble {
    /// Reads a line, without its line end.
    ///
    /// # Errors
    /// See [`LineProblem`].
    pub fn read<'a>(&mut self, line: &'a [u8]) -> Result<Entry<'a>, LineProblem> {
        let read = serde_json::from_slice(line).map_err(|_| LineProblem::Malformed("JSON"))?;
        let Line { flow, lost_events, time, bare } = read;
        let flow = match (flow, lost_events, bare.l4.is_some()) {
            (Some(flow), ..) => flow,
            (None, Some(lost), _) => return lost.gap(bare.time.as_ref().or(time.as_ref())),
            (None, None, true) => Flow { time, ..bare },
            (None, None, false) => return Err(LineProblem::Note),
        };
        self.entry(flow)
    }

    fn entry<'a>(&mut self, flow: Flow<'a>) -> Result<Entry<'a>, LineProblem> {
        if flow.is_reply == Some(true) {
            return Err(LineProblem::Note);
        }
        let (transport, protocol, ports, starts) = flow.transport()?;
        let ends = flow.ends(ports)?;
        if let Some(dns) = flow.dns(ends, transport) {
            return Ok(dns);
        }
        if !starts || self.recent.number(&ends, protocol, IDLE) > 0 {
            return Err(LineProblem::Note);
        }
        let verdict = flow.verdict();
        let name = flow.destination_names.unwrap_or_default().into_iter().next();
        Ok(Entry::Flow(FlowRecord {
            ends,
            from: ends.at,
            transport,
            protocol: None,
            host: name.map(|name| (bytes(name), NameSource::Dns)),
            up: Volume::UNKNOWN,
            down: Volume::UNKNOWN,
            verdict,
            phase: FlowPhase::Open,
            id: None,
            number: 0,
        }))
    }
}

/// A line: a flow with what is around it, or without.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    flow: Option<Flow<'a>>,
    #[serde(borrow)]
    lost_events: Option<Lost<'a>>,
    #[serde(borrow)]
    time: Option<Text<'a>>,
    #[serde(borrow, flatten)]
    bare: Flow<'a>,
}

/// Text, borrowed where JSON does not escape it.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize, Default)]
#[serde(default)]
struct Flow<'a> {
    #[serde(borrow)]
    time: Option<Text<'a>>,
    #[serde(borrow)]
    verdict: Option<Text<'a>>,
    #[serde(borrow, rename = "IP")]
    ip: Option<Ip<'a>>,
    l4: Option<Layer4>,
    #[serde(borrow)]
    l7: Option<Layer7<'a>>,
    #[serde(borrow)]
    destination_names: Option<Vec<Text<'a>>>,
    is_reply: Option<bool>,
}

#[derive(Deserialize)]
struct Ip<'a> {
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    destination: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
struct Layer4 {
    tcp: Option<Ports>,
    udp: Option<Ports>,
    sctp: Option<Ports>,
}

#[derive(Deserialize)]
struct Ports {
    source_port: u16,
    destination_port: u16,
    #[serde(default)]
    flags: Flags,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "UPPERCASE")]
struct Flags {
    syn: bool,
    ack: bool,
}

#[derive(Deserialize)]
struct Layer7<'a> {
    #[serde(borrow)]
    dns: Option<Dns<'a>>,
}

#[derive(Deserialize)]
struct Dns<'a> {
    #[serde(borrow)]
    query: Text<'a>,
    #[serde(borrow, default)]
    qtypes: Vec<Text<'a>>,
}

#[derive(Deserialize)]
struct Lost<'a> {
    /// A number, or text as Protobuf writes 64 bits in JSON.
    #[serde(borrow)]
    num_events_lost: Option<Count<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Count<'a> {
    Number(u64),
    #[serde(borrow)]
    Text(Cow<'a, str>),
}

impl Lost<'_> {
    fn gap(&self, time: Option<&Text<'_>>) -> Result<Entry<'static>, LineProblem> {
        let at = at(time)?;
        let count = match &self.num_events_lost {
            Some(Count::Number(count)) => *count,
            Some(Count::Text(text)) => text.parse().unwrap_or(1),
            None => 1,
        };
        Ok(Entry::Gap(GapRecord { reason: GapReason::SensorLoss, count, from: at, at }))
    }
}

impl<'a> Flow<'a> {
    /// The transport, its number, the ports, and whether the packet can be the first.
    fn transport(&self) -> Result<(Transport, u8, (u16, u16), bool), LineProblem> {
        const SCTP: u8 = 132;
        let l4 = self.l4.as_ref().ok_or(LineProblem::Note)?;
        let ports = |ports: &Ports| (ports.source_port, ports.destination_port);
        Ok(match (&l4.tcp, &l4.udp, &l4.sctp) {
            (Some(tcp), ..) => (Transport::Tcp, 6, ports(tcp), tcp.flags.syn && !tcp.flags.ack),
            (_, Some(udp), _) => (Transport::Udp, 17, ports(udp), true),
            (_, _, Some(sctp)) => (Transport::Other(SCTP), SCTP, ports(sctp), true),
            _ => (Transport::Icmp, 1, (0, 0), true),
        })
    }

    fn ends(&self, ports: (u16, u16)) -> Result<Ends, LineProblem> {
        let ip = self.ip.as_ref().ok_or(LineProblem::Note)?;
        let address = |text: &str| text.parse::<IpAddr>();
        let (source, destination) = (address(&ip.source), address(&ip.destination));
        let (Ok(source), Ok(destination)) = (source, destination) else {
            return Err(LineProblem::Malformed("address"));
        };
        let at = at(self.time.as_ref())?;
        Ok(Ends { at, client: (source, ports.0), server: (destination, ports.1) })
    }

    fn dns(&self, ends: Ends, transport: Transport) -> Option<Entry<'a>> {
        let dns = self.l7.as_ref()?.dns.as_ref()?;
        let query_type = dns.qtypes.first().map_or(0, |name| query_type(&name.0));
        Some(Entry::Dns(DnsRecord {
            ends,
            name: bytes(Text(dns.query.0.clone())),
            query_type,
            over_tcp: transport == Transport::Tcp,
            resolution: None,
        }))
    }

    fn verdict(&self) -> Verdict {
        match self.verdict.as_ref().map(|verdict| &*verdict.0) {
            Some("DROPPED" | "ERROR") => Verdict::Blocked(BlockReason::NoAnswer),
            _ => Verdict::Allowed,
        }
    }
}

fn at(time: Option<&Text<'_>>) -> Result<Timestamp, LineProblem> {
    time.and_then(|time| time.0.parse().ok()).ok_or(LineProblem::Malformed("time"))
}

fn bytes(text: Text<'_>) -> Cow<'_, [u8]> {
    match text.0 {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// Types that are asked for, by their names (IANA, DNS parameters). 0: another.
fn query_type(name: &str) -> u16 {
    match name {
        "A" => 1,
        "NS" => 2,
        "CNAME" => 5,
        "SOA" => 6,
        "PTR" => 12,
        "MX" => 15,
        "TXT" => 16,
        "AAAA" => 28,
        "SRV" => 33,
        "SVCB" => 64,
        "HTTPS" => 65,
        "ANY" => 255,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    //! Lines in the form of Hubble's `flow.proto` as JSON.

    use super::*;

    fn line(verdict: &str, flags: &str, rest: &str) -> String {
        format!(
            r#"{{"flow":{{"time":"2026-01-31T09:30:00.123Z","uuid":"u","verdict":"{verdict}","IP":{{"source":"10.20.0.17","destination":"192.0.2.7","ipVersion":"IPv4"}},"l4":{{"TCP":{{"source_port":40000,"destination_port":443,"flags":{{{flags}}}}}}},"source":{{"identity":7,"namespace":"agents","labels":["k8s:app=x"],"pod_name":"p"}},"destination":{{"identity":2,"labels":["reserved:world"]}},"Type":"L3_L4","destination_names":["up.example"],"event_type":{{"type":4}},"traffic_direction":"EGRESS"{rest}}},"node_name":"n","time":"2026-01-31T09:30:00.123Z"}}"#
        )
    }

    #[test]
    fn a_connection_is_its_first_packet_and_its_volume_is_unknown() {
        let mut hubble = Hubble::default();
        let syn = line("FORWARDED", r#""SYN":true"#, "");
        let Ok(Entry::Flow(flow)) = hubble.read(syn.as_bytes()) else { panic!("no flow") };
        assert_eq!(flow.ends.client, ("10.20.0.17".parse().unwrap(), 40000));
        assert_eq!(flow.host, Some((Cow::Borrowed(&b"up.example"[..]), NameSource::Dns)));
        assert_eq!((flow.up, flow.verdict), (Volume::UNKNOWN, Verdict::Allowed));
        assert_eq!(hubble.read(syn.as_bytes()), Err(LineProblem::Note));
        for (flags, rest) in
            [(r#""ACK":true"#, ""), (r#""SYN":true,"ACK":true"#, r#","is_reply":true"#)]
        {
            let line = line("FORWARDED", flags, rest);
            assert_eq!(hubble.read(line.as_bytes()), Err(LineProblem::Note));
        }
    }

    #[test]
    fn drops_lookups_and_losses_are_told() {
        let mut hubble = Hubble::default();
        let dropped = line("DROPPED", r#""SYN":true"#, "");
        let dropped = hubble.read(dropped.as_bytes());
        assert!(matches!(dropped, Ok(Entry::Flow(flow)) if flow.verdict.is_blocked()));
        let dns = line(
            "REDIRECTED",
            "",
            r#","l7":{"type":"REQUEST","dns":{"query":"x.example.","qtypes":["TXT"]}}"#,
        );
        let dns = hubble.read(dns.as_bytes());
        assert!(
            matches!(dns, Ok(Entry::Dns(dns)) if dns.query_type == 16 && *dns.name == *b"x.example.")
        );
        let lost = br#"{"lost_events":{"source":"PERF_EVENT_RING_BUFFER","num_events_lost":"3"},"node_name":"n","time":"2026-01-31T09:30:00Z"}"#;
        assert!(matches!(hubble.read(lost), Ok(Entry::Gap(gap)) if gap.count == 3));
        for (line, problem) in [
            (&b"{\"node_status\":{}}"[..], LineProblem::Note),
            (b"{\"flow\":", LineProblem::Malformed("JSON")),
            (b"[]", LineProblem::Malformed("JSON")),
        ] {
            assert_eq!(hubble.read(line), Err(problem), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn a_bare_flow_is_read_as_well() {
        let wrapped = line("FORWARDED", r#""SYN":true"#, "");
        let bare = &wrapped[8..wrapped.find(r#","node_name""#).unwrap()];
        assert!(matches!(Hubble::default().read(bare.as_bytes()), Ok(Entry::Flow(_))), "{bare}");
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_it_panic(raw in proptest::collection::vec(proptest::num::u8::ANY, 0..200), cut in 0usize..600) {
            let mut hubble = Hubble::default();
            let _ = hubble.read(&raw);
            let whole = line("DROPPED", r#""SYN":true"#, "");
            let _ = hubble.read(&whole.as_bytes()[..cut.min(whole.len())]);
        }
    }
}
