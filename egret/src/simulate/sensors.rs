//! What sensors beside the traffic write down of the same: Zeek and Suricata, both in JSON.

use std::net::{IpAddr, SocketAddr};

use egret_event::Timestamp;
use serde::Serialize;

use super::logs::Access;

/// Bytes of headers that each packet has beside its payload, and payload of a full one.
const HEADER_BYTES: u64 = 52;
const FULL_BYTES: u64 = 1448;

/// Where a refused request would have gone.
const NOWHERE: ([u8; 4], u16) = ([198, 18, 0, 1], 443);

/// A line of Zeek's `conn.log`, with its keys in Zeek's order.
#[derive(Serialize)]
struct ZeekConn<'a> {
    ts: f64,
    uid: String,
    #[serde(rename = "id.orig_h")]
    client: IpAddr,
    #[serde(rename = "id.orig_p")]
    client_port: u16,
    #[serde(rename = "id.resp_h")]
    server: IpAddr,
    #[serde(rename = "id.resp_p")]
    server_port: u16,
    proto: &'a str,
    service: &'a str,
    duration: f64,
    orig_bytes: u64,
    resp_bytes: u64,
    conn_state: &'a str,
    local_orig: bool,
    local_resp: bool,
    missed_bytes: u64,
    history: &'a str,
    orig_pkts: u64,
    orig_ip_bytes: u64,
    resp_pkts: u64,
    resp_ip_bytes: u64,
    ip_proto: u8,
}

/// A connection that went where the proxy did, as Zeek logs it.
pub(crate) fn zeek_conn_line(access: &Access<'_>) -> String {
    let server = server(access);
    let is_let_through = access.upstream.is_some();
    let (sent, received) = (on_wire(access.up_bytes), on_wire(access.down_bytes));
    let line = ZeekConn {
        ts: (access.ended - access.lasted).as_nanos() as f64 / 1e9,
        uid: format!("C{}", base62(id(access))),
        client: access.client.ip(),
        client_port: access.client.port(),
        server: server.ip(),
        server_port: server.port(),
        proto: "tcp",
        service: if server.port() == 443 { "ssl" } else { "http" },
        duration: access.lasted.as_secs_f64(),
        orig_bytes: access.up_bytes,
        resp_bytes: access.down_bytes,
        conn_state: if is_let_through { "SF" } else { "REJ" },
        local_orig: true,
        local_resp: false,
        missed_bytes: 0,
        history: if is_let_through { "ShADadFf" } else { "Sr" },
        orig_pkts: sent.packets,
        orig_ip_bytes: sent.bytes,
        resp_pkts: received.packets,
        resp_ip_bytes: received.bytes,
        ip_proto: 6,
    };
    json(&line)
}

/// A line of Suricata's EVE log, with its keys in Suricata's order.
#[derive(Serialize)]
struct Eve<'a> {
    timestamp: String,
    flow_id: u64,
    in_iface: &'a str,
    event_type: &'a str,
    src_ip: IpAddr,
    src_port: u16,
    dest_ip: IpAddr,
    dest_port: u16,
    ip_v: u8,
    proto: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_proto: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow: Option<EveFlow<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<EveTls<'a>>,
}

#[derive(Serialize)]
struct EveFlow<'a> {
    pkts_toserver: u64,
    pkts_toclient: u64,
    bytes_toserver: u64,
    bytes_toclient: u64,
    start: String,
    end: String,
    age: u64,
    state: &'a str,
    reason: &'a str,
    alerted: bool,
    tx_cnt: u64,
}

#[derive(Serialize)]
struct EveTls<'a> {
    sni: &'a str,
    version: &'a str,
}

/// Of each second tunnel its handshake, of all others the flow, as Suricata logs them.
pub(crate) fn suricata_line(access: &Access<'_>) -> String {
    let server = server(access);
    let is_tunnel = access.method == "CONNECT";
    let tells_handshake = is_tunnel && access.client.port().is_multiple_of(2);
    let line = Eve {
        timestamp: iso_micros(access.ended),
        // Suricata's have 51 bits.
        flow_id: id(access) & ((1 << 51) - 1),
        in_iface: "eth1",
        event_type: if tells_handshake { "tls" } else { "flow" },
        src_ip: access.client.ip(),
        src_port: access.client.port(),
        dest_ip: server.ip(),
        dest_port: server.port(),
        ip_v: 4,
        proto: "TCP",
        app_proto: (!tells_handshake).then_some(if is_tunnel { "tls" } else { "http" }),
        flow: (!tells_handshake).then(|| eve_flow(access)),
        tls: tells_handshake.then_some(EveTls { sni: access.host, version: "TLS 1.3" }),
    };
    json(&line)
}

fn eve_flow(access: &Access<'_>) -> EveFlow<'static> {
    let (sent, received) = (on_wire(access.up_bytes), on_wire(access.down_bytes));
    EveFlow {
        pkts_toserver: sent.packets,
        pkts_toclient: received.packets,
        bytes_toserver: sent.bytes,
        bytes_toclient: received.bytes,
        start: iso_micros(access.ended - access.lasted),
        end: iso_micros(access.ended),
        age: access.lasted.as_secs(),
        state: if access.upstream.is_some() { "closed" } else { "new" },
        reason: "timeout",
        alerted: false,
        tx_cnt: 1,
    }
}

fn json(line: &impl Serialize) -> String {
    serde_json::to_string(line).expect("text and numbers are always JSON")
}

fn server(access: &Access<'_>) -> SocketAddr {
    access.upstream.unwrap_or_else(|| NOWHERE.into())
}

/// Packets and bytes of one direction.
struct OnWire {
    packets: u64,
    bytes: u64,
}

/// What a payload is on the wire.
fn on_wire(payload_bytes: u64) -> OnWire {
    let packets = 4 + payload_bytes / FULL_BYTES;
    OnWire { packets, bytes: payload_bytes + packets * HEADER_BYTES }
}

/// Different for nearly all connections of a load.
fn id(access: &Access<'_>) -> u64 {
    (access.ended.as_nanos() as u64) << 4 ^ u64::from(access.client.port())
}

fn base62(mut number: u64) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = String::new();
    while number > 0 {
        text.push(char::from(DIGITS[(number % 62) as usize]));
        number /= 62;
    }
    text
}

/// A time with six decimals and a zone without a colon, as Suricata writes it.
fn iso_micros(at: Timestamp) -> String {
    let whole = Timestamp::from_secs(at.as_secs()).to_string();
    let micros = at.as_nanos().rem_euclid(1_000_000_000) / 1000;
    format!("{}.{micros:06}+0000", whole.trim_end_matches('Z'))
}
