//! Signatures of protocols over UDP.

use egret_event::Protocol;

use super::stream::{is_ldap, sequence};
use super::{Clue, First, Says, text, u16_at, u32_at};
use crate::packets::dns;

/// The port of NTP: its messages have no mark of their own.
const NTP_PORT: u16 = 123;

/// The value that marks STUN messages (RFC 8489, section 5).
const STUN_COOKIE: usize = 0x2112_a442;

/// Bytes of a STUN header.
const STUN_HEADER: usize = 20;

/// What a datagram says.
pub(super) fn says(first: First<'_>, clue: Clue) -> Says {
    let bytes = first.bytes;
    if let Some(protocol) = SIGNATURES.iter().find(|(_, fits)| fits(first)).map(|found| found.0) {
        return Says::Is(protocol);
    }
    if bytes[0].is_ascii_graphic()
        && let Some(protocol) = text::datagram(bytes)
    {
        return Says::Is(protocol);
    }
    match (is_wireguard_data(bytes), clue) {
        (true, Clue::WireGuardData(side)) if side != first.side => Says::Is(Protocol::WireGuard),
        (true, _) => Says::MayBe(Clue::WireGuardData(first.side)),
        (false, _) => Says::Nothing,
    }
}

type Signature = (Protocol, fn(First<'_>) -> bool);

const SIGNATURES: [Signature; 12] = [
    (Protocol::Quic, |first| is_quic(first.bytes)),
    (Protocol::Dtls, |first| is_dtls(first.bytes)),
    (Protocol::Stun, |first| stun(first.bytes, usize::eq)),
    (Protocol::Ntp, is_ntp),
    (Protocol::WireGuard, |first| is_wireguard_handshake(first.bytes)),
    (Protocol::OpenVpn, |first| openvpn(first.bytes)),
    (Protocol::Ike, |first| is_ike(first.bytes)),
    (Protocol::Snmp, |first| is_snmp(first.bytes)),
    (Protocol::Tftp, |first| is_tftp(first.bytes)),
    (Protocol::BitTorrent, |first| is_micro_transport(first.bytes) || is_tracker(first.bytes)),
    (Protocol::Ldap, |first| is_ldap(first.bytes)),
    (Protocol::Dns, |first| dns::is_message(first.bytes)),
];

/// A long header of a version that exists, with connection ids of an allowed length (RFC 9000,
/// section 17.2), or a packet of Google's before that.
fn is_quic(bytes: &[u8]) -> bool {
    let [head, version @ ..] = bytes else { return false };
    let Some(version) = version.first_chunk::<4>() else { return false };
    let is_known = matches!(
        version,
        // 1, 2 (RFC 9369), the drafts, those of Facebook.
        [0, 0, 0, 1] | [0x6b, 0x33, 0x43, 0xcf] | [0xff, 0, 0, 15..=34] | [0xfa, 0xce, 0xb0, _]
    ) || matches!(version, [b'Q' | b'T', b'0', b'4'..=b'5', b'0'..=b'9']);
    let id_lengths = bytes.get(5).is_some_and(|length| {
        // Older drafts packed both lengths into one byte, and Google's kept that.
        *length <= 20 || version[0] != 0
    });
    (head & 0xc0 == 0xc0 && is_known && id_lengths && bytes.len() > 16) || is_old_quic(bytes)
}

/// Google's QUIC to version 43: flags with a version, an id of eight bytes, then the version.
fn is_old_quic(bytes: &[u8]) -> bool {
    let has_version_and_id = bytes[0] & 0x09 == 0x09 && bytes[0] & 0xc0 == 0;
    let version = bytes.get(9..13);
    has_version_and_id && matches!(version, Some([b'Q', b'0', b'2'..=b'4', b'0'..=b'9']))
}

/// A record of DTLS 1.0, 1.2 or what OpenSSL sent before, of which all is there.
fn is_dtls(bytes: &[u8]) -> bool {
    let [20..=25, major, minor, rest @ ..] = bytes else { return false };
    let is_version = matches!((major, minor), (0xfe, 0xfd | 0xff) | (1, 0));
    let length = u16_at(rest, 8).unwrap_or(usize::MAX);
    is_version && length > 0 && rest.len().checked_sub(10).is_some_and(|there| length <= there)
}

/// A message with the magic value, or one of before there was one (RFC 3489) whose attributes end
/// where it ends. `fits` compares the bytes there with the bytes announced.
pub(super) fn stun(bytes: &[u8], fits: fn(&usize, &usize) -> bool) -> bool {
    let (Some(kind), Some(length)) = (u16_at(bytes, 0), u16_at(bytes, 2)) else { return false };
    let is_sized =
        kind < 0x4000 && length.is_multiple_of(4) && fits(&bytes.len(), &(STUN_HEADER + length));
    if !is_sized {
        return false;
    }
    u32_at(bytes, 4) == Some(STUN_COOKIE)
        || (is_classic_stun(kind) && has_attributes(bytes, length))
}

/// A binding or a shared secret: request, response or error.
fn is_classic_stun(kind: usize) -> bool {
    matches!(kind, 1 | 2 | 0x101 | 0x102 | 0x111 | 0x112)
}

/// Whether there are attributes, all of kinds that RFC 3489 has or that it lets be ignored.
fn has_attributes(bytes: &[u8], length: usize) -> bool {
    let mut rest = bytes.get(STUN_HEADER..STUN_HEADER + length).unwrap_or_default();
    let mut count = 0;
    while !rest.is_empty() {
        let (Some(kind), Some(size)) = (u16_at(rest, 0), u16_at(rest, 2)) else { return false };
        let Some(next) = rest.get(4 + size.next_multiple_of(4)..) else { return false };
        if !matches!(kind, 1..=0x22 | 0x8000..) {
            return false;
        }
        count += 1;
        rest = next;
    }
    count > 0
}

/// A message of version 1 to 4 on the port (RFC 5905, section 7.3): time, control or private.
fn is_ntp(first: First<'_>) -> bool {
    let bytes = first.bytes;
    let (version, mode) = (bytes[0] >> 3 & 7, bytes[0] & 7);
    let is_sized = match mode {
        1..=5 => bytes.len() >= 48 && bytes[1] <= 16,
        6 => bytes.len() >= 12 && bytes.len().is_multiple_of(4),
        7 => bytes.len() >= 8,
        _ => false,
    };
    first.server_port == NTP_PORT && (1..=4).contains(&version) && is_sized
}

/// The first three of the four kinds of message, each of its own length (WireGuard,
/// "Protocol & Cryptography").
fn is_wireguard_handshake(bytes: &[u8]) -> bool {
    matches!(
        (bytes.first_chunk::<4>(), bytes.len()),
        (Some([1, 0, 0, 0]), 148) | (Some([2, 0, 0, 0]), 92) | (Some([3, 0, 0, 0]), 64)
    )
}

/// The fourth kind: padded to 16 bytes, behind a header of 16 and before a tag of 16.
fn is_wireguard_data(bytes: &[u8]) -> bool {
    bytes.starts_with(&[4, 0, 0, 0]) && bytes.len() >= 32 && bytes.len().is_multiple_of(16)
}

/// The packet that resets a session, of either side: nothing acknowledged, packet 0; or, with
/// `tls-auth` and `tls-crypt`, behind the first packet's number (OpenVPN, "Network protocol").
pub(super) fn openvpn(bytes: &[u8]) -> bool {
    // Operations 7, 8 and 10, with key 0.
    let [0x38 | 0x40 | 0x50, rest @ ..] = bytes else { return false };
    let Some((session, rest)) = rest.split_first_chunk::<8>() else { return false };
    if *session == [0; 8] {
        return false;
    }
    const FIRST: [u8; 4] = [0, 0, 0, 1];
    let ends_with_packet_0 = rest.ends_with(&[0; 5]);
    // The lengths of HMAC-SHA1, -SHA256 and -SHA512.
    let authenticated = [20, 32, 64].iter().any(|mac| {
        rest.get(*mac..).is_some_and(|after| after.starts_with(&FIRST) && after.len() >= 13)
    });
    let answers = matches!(rest, [1, 0, 0, 0, 0, ids @ ..] if ids.len() == 12);
    // Number, time, 32 bytes of tag, 5 or more of what is encrypted.
    let encrypted = rest.starts_with(&FIRST) && rest.len() >= 45;
    (rest.len() == 5 && ends_with_packet_0) || answers || encrypted || authenticated
}

/// A header that says its length (RFC 2408, RFC 7296), perhaps behind the four zeros that it has
/// on port 4500 (RFC 3948).
fn is_ike(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(&[0; 4]).unwrap_or(bytes);
    let Some(head) = bytes.first_chunk::<28>() else { return false };
    let is_exchange = match head[17] {
        0x10 => matches!(head[18], 1..=6 | 32 | 33),
        0x20 => matches!(head[18], 34..=44),
        _ => false,
    };
    is_exchange && head[..8] != [0; 8] && u32_at(bytes, 24) == Some(bytes.len())
}

/// A version and a community, or the header of version 3 (RFC 3416, RFC 3412).
fn is_snmp(bytes: &[u8]) -> bool {
    match sequence(bytes) {
        Some([2, 1, 0 | 1, 4, length @ 0..=127, rest @ ..]) => {
            matches!(rest.get(usize::from(*length)), Some(0xa0..=0xa8))
        }
        Some([2, 1, 3, 0x30, _, 2, ..]) => true,
        _ => false,
    }
}

/// A request to read or write a file: its name, and a mode.
fn is_tftp(bytes: &[u8]) -> bool {
    let [0, 1 | 2, rest @ ..] = bytes else { return false };
    let mut words = rest.split(|byte| *byte == 0);
    let name = words.next().unwrap_or_default();
    let mode = words.next().unwrap_or_default();
    !name.is_empty()
        && name.iter().all(|byte| (b' '..=b'~').contains(byte))
        && [&b"octet"[..], b"netascii", b"mail"].iter().any(|m| mode.eq_ignore_ascii_case(m))
}

/// The first packet of a uTP connection, which acknowledges nothing, or one that carries the start
/// of the peer protocol (BEP 29).
fn is_micro_transport(bytes: &[u8]) -> bool {
    let Some(head) = bytes.first_chunk::<20>() else { return false };
    let is_syn = head[0] == 0x41
        && head[8..12] == [0; 4]
        && head[18..] == [0; 2]
        && ends_extensions(&bytes[20..], head[1]);
    let starts_peer = head[..2] == [1, 0] && bytes[20..].starts_with(b"\x13BitTorrent protocol");
    is_syn || starts_peer
}

/// Whether nothing but a list of extensions, the first of `kind`, is there.
fn ends_extensions(mut bytes: &[u8], mut kind: u8) -> bool {
    while kind != 0 {
        let [next, length, rest @ ..] = bytes else { return false };
        let Some(rest) = rest.get(usize::from(*length)..) else { return false };
        (kind, bytes) = (*next, rest);
    }
    bytes.is_empty()
}

/// A connection to a tracker: the number that marks it, and action 0 (BEP 15).
fn is_tracker(bytes: &[u8]) -> bool {
    bytes.len() == 16 && bytes.starts_with(&[0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0])
}
