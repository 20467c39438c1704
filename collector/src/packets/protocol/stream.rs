//! Signatures of protocols over TCP.

use egret_event::Protocol;

use super::datagram::{openvpn, stun};
use super::{Clue, First, Says, Side, text, u16_at, u32_at};
use crate::packets::dns;

/// Largest TLS record, as far as anybody allows it (RFC 5246, section 6.2.3), in bytes.
const MAX_RECORD: usize = (1 << 14) + 2048;

/// What a segment says.
pub(super) fn says(first: First<'_>, clue: Clue) -> Says {
    let bytes = first.bytes;
    if is_tls(bytes) {
        return Says::Is(Protocol::Tls);
    }
    if let Some(protocol) = confirmed(first, clue) {
        return Says::Is(protocol);
    }
    // What is text, and what is not: so each segment is held against few signatures.
    if bytes[0].is_ascii_graphic() && bytes.get(1).is_none_or(|byte| *byte >= b' ') {
        let says = text::says(first, clue);
        if says != Says::Nothing {
            return says;
        }
    }
    match SIGNATURES.iter().find(|(_, fits)| fits(first)) {
        Some((protocol, _)) => Says::Is(*protocol),
        None => may_be(first).map_or(Says::Nothing, Says::MayBe),
    }
}

type Signature = (Protocol, fn(First<'_>) -> bool);

const SIGNATURES: [Signature; 16] = [
    (Protocol::BitTorrent, |first| first.bytes.starts_with(b"\x13BitTorrent protocol")),
    (Protocol::Smb, |first| is_smb(first.bytes)),
    (Protocol::Rdp, |first| first.side == Side::Client && is_rdp(first.bytes)),
    (Protocol::Telnet, |first| is_telnet(first.bytes)),
    (Protocol::Mysql, |first| first.side == Side::Server && is_mysql(first.bytes)),
    (Protocol::Postgresql, |first| first.side == Side::Client && is_postgresql(first.bytes)),
    (Protocol::Mssql, |first| first.side == Side::Client && is_mssql(first.bytes)),
    (Protocol::Mongodb, |first| is_mongodb(first.bytes)),
    (Protocol::Redis, |first| first.side == Side::Client && is_redis(first.bytes)),
    (Protocol::Mqtt, |first| first.side == Side::Client && is_mqtt(first.bytes)),
    (Protocol::Amqp, |first| is_amqp(first.bytes)),
    (Protocol::Ldap, |first| is_ldap(first.bytes)),
    (Protocol::Stun, |first| stun(first.bytes, usize::ge)),
    (Protocol::OpenVpn, |first| framed(first.bytes).is_some_and(openvpn)),
    (Protocol::Dns, |first| framed(first.bytes).is_some_and(dns::is_message)),
    (Protocol::Git, |first| is_git(first.bytes)),
];

/// What the other side's words make of a clue.
fn confirmed(first: First<'_>, clue: Clue) -> Option<Protocol> {
    let is_socks = match (clue, first.side) {
        // Granted, or one of three ways to refuse; 8 bytes.
        (Clue::Socks4, Side::Server) => {
            matches!(first.bytes, [0, 0x5a..=0x5d, rest @ ..] if rest.len() == 6)
        }
        // The chosen method, or none.
        (Clue::Socks5, Side::Server) => matches!(first.bytes, [5, 0..=9 | 0x80..=0xff]),
        _ => false,
    };
    is_socks.then_some(Protocol::Socks)
}

fn may_be(first: First<'_>) -> Option<Clue> {
    if first.side == Side::Server {
        return None;
    }
    match first.bytes {
        // Command, port, address, user, perhaps a host name.
        [4, 1 | 2, _, _, _, _, _, _, user @ .., 0] => {
            user.iter().all(|byte| *byte == 0 || byte.is_ascii_graphic()).then_some(Clue::Socks4)
        }
        [5, count, methods @ ..] if *count > 0 && methods.len() == usize::from(*count) => {
            Some(Clue::Socks5)
        }
        _ => None,
    }
}

/// A record of a version that exists, and of a length that is allowed; or the hello of SSL 2.
fn is_tls(bytes: &[u8]) -> bool {
    match bytes {
        [20..=23, 3, 0..=4, ..] => u16_at(bytes, 3).is_some_and(|l| (1..=MAX_RECORD).contains(&l)),
        // Length, client hello, version, and three lengths that make it up (RFC 5246, E.2).
        [128..=255, _, 1, 3, 0..=3, ..] => {
            let part = |at| u16_at(bytes, at).unwrap_or(usize::MAX);
            let parts = [part(5), part(7), part(9)].into_iter().fold(9, usize::saturating_add);
            part(0) & 0x7fff == parts
        }
        _ => false,
    }
}

/// A message with its length in front, in two bytes, and nothing else.
fn framed(bytes: &[u8]) -> Option<&[u8]> {
    let (_, message) = bytes.split_first_chunk::<2>()?;
    (u16_at(bytes, 0)? == message.len()).then_some(message)
}

/// Behind a NetBIOS session header, one of the four kinds of message.
fn is_smb(bytes: &[u8]) -> bool {
    matches!(bytes, [0, 0 | 1, _, _, 0xfc..=0xff, b'S', b'M', b'B', ..])
}

/// A connection request of X.224 inside TPKT, with the cookie or the negotiation request that
/// only RDP has (MS-RDPBCGR, section 2.2.1.1). Others speak X.224 too.
fn is_rdp(bytes: &[u8]) -> bool {
    let [3, 0, _, _, indicated, 0xe0, 0, 0, _, _, 0, rest @ ..] = bytes else { return false };
    let is_whole =
        u16_at(bytes, 2) == Some(bytes.len()) && usize::from(*indicated) + 5 == bytes.len();
    let negotiates = matches!(rest.last_chunk::<8>(), Some([1, _, 8, 0, ..]));
    is_whole && (negotiates || rest.starts_with(b"Cookie: "))
}

/// Commands of option negotiation (RFC 854), at least one, up to the end or to text.
fn is_telnet(bytes: &[u8]) -> bool {
    matches!(bytes, [255, 251..=254, 0..=49] | [255, 251..=254, 0..=49, 255, 250..=254, ..])
}

/// The server's handshake, version 10: length, number 0, and the server's version as text.
fn is_mysql(bytes: &[u8]) -> bool {
    let [a, b, c, 0, 10, version @ ..] = bytes else { return false };
    let length = usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16;
    let text = version.split(|byte| *byte == 0).next().unwrap_or_default();
    length + 4 == bytes.len()
        && text.len() < version.len()
        && text.first().is_some_and(u8::is_ascii_digit)
        && text.iter().all(u8::is_ascii_graphic)
}

/// A start-up message of version 3 with the user's name, or one of the requests in its place
/// (PostgreSQL, "Message Formats").
fn is_postgresql(bytes: &[u8]) -> bool {
    match bytes {
        // Asks for TLS or GSSAPI, cancels.
        [0, 0, 0, 8, 4, 210, 22, 47 | 48] => true,
        [0, 0, 0, 16, 4, 210, 22, 46, rest @ ..] => rest.len() == 8,
        [_, _, _, _, 0, 3, 0, 0..=2, rest @ ..] => {
            u32_at(bytes, 0) == Some(bytes.len()) && rest.starts_with(b"user\0")
        }
        _ => false,
    }
}

/// A pre-login message: its first option is the version (MS-TDS, section 2.2.6.5).
fn is_mssql(bytes: &[u8]) -> bool {
    let [0x12, 0 | 1, _, _, 0, 0, 0 | 1, 0, 0, _, _, 0, 6, ..] = bytes else { return false };
    u16_at(bytes, 2) == Some(bytes.len())
}

/// A message header: its own length, and a query or a message (MongoDB, "Wire Protocol").
fn is_mongodb(bytes: &[u8]) -> bool {
    let word = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let is_whole = word(0).is_some_and(|length| length as usize == bytes.len());
    is_whole && matches!((word(8), word(12)), (Some(0), Some(2004 | 2012 | 2013)))
}

/// A command as an array of strings: `*2\r\n$4\r\nAUTH`.
fn is_redis(bytes: &[u8]) -> bool {
    let command = number_line(bytes, b'*').and_then(|rest| number_line(rest, b'$'));
    command.is_some_and(|word| word.first().is_some_and(u8::is_ascii_alphabetic))
}

fn number_line(bytes: &[u8], mark: u8) -> Option<&[u8]> {
    let rest = bytes.strip_prefix(&[mark])?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (1..=6).contains(&digits).then(|| rest[digits..].strip_prefix(b"\r\n"))?
}

/// CONNECT, with the name of the protocol and a level that exists.
fn is_mqtt(bytes: &[u8]) -> bool {
    let [0x10, rest @ ..] = bytes else { return false };
    let lengths = rest.iter().take_while(|byte| **byte >= 128).count();
    let after = rest.get(lengths + 1..).unwrap_or_default();
    lengths < 4
        && (after.starts_with(b"\0\x04MQTT\x04")
            || after.starts_with(b"\0\x04MQTT\x05")
            || after.starts_with(b"\0\x06MQIsdp\x03"))
}

/// The protocol header: name, kind and version.
fn is_amqp(bytes: &[u8]) -> bool {
    matches!(bytes, [b'A', b'M', b'Q', b'P', 0..=3, 0 | 1 | 9, 0 | 9 | 1, 0..=9, ..])
}

/// A message: sequence, number, and one of the operations (RFC 4511, section 4.2).
pub(super) fn is_ldap(bytes: &[u8]) -> bool {
    let Some(content) = sequence(bytes) else { return false };
    let [2, count @ 1..=4, rest @ ..] = content else { return false };
    let Some(operation) = rest.get(usize::from(*count)..) else { return false };
    match operation {
        // A bind: its version. Lengths take one byte or more.
        [0x60, _, 2, 1, 2 | 3, ..] | [0x60, 0x81, _, 2, 1, 2 | 3, ..] => true,
        [0x60, 0x82, _, _, 2, 1, 2 | 3, ..] => true,
        // The answer to one, and the end of a search: a result code.
        [0x61 | 0x65, _, 10, 1, ..] => true,
        // A search: where, and how deep.
        [0x63, rest @ ..] => rest.iter().take(6).any(|byte| *byte == 4),
        // An extended request, by its name.
        [0x77, _, 0x80, ..] => true,
        _ => false,
    }
}

/// What a BER sequence holds, where its length is that of all that is there.
pub(super) fn sequence(bytes: &[u8]) -> Option<&[u8]> {
    let (length, content) = match bytes {
        [0x30, length @ 0..=127, content @ ..] => (usize::from(*length), content),
        [0x30, 0x81, length, content @ ..] => (usize::from(*length), content),
        [0x30, 0x82, _, _, content @ ..] => (u16_at(bytes, 2)?, content),
        [0x30, 0x84, _, _, _, _, content @ ..] => (u32_at(bytes, 2)?, content),
        _ => return None,
    };
    (length == content.len()).then_some(content)
}

/// A request of the git daemon: its length in hexadecimal, and a service.
fn is_git(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return false };
    length.iter().all(u8::is_ascii_hexdigit)
        && [&b"git-upload-pack /"[..], b"git-receive-pack /", b"git-upload-archive /"]
            .iter()
            .any(|service| rest.starts_with(service))
}
