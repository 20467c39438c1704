//! Signatures of protocols that are text.

use egret_event::Protocol;
use memchr::{memchr, memmem};

use super::{Clue, First, Says, Side};
use crate::packets::http;

/// How much of a payload is searched for a word, in bytes.
const WINDOW: usize = 512;

/// A line that begins with this, from this side, perhaps with this word in it, is this protocol.
struct Line {
    from: Option<Side>,
    start: &'static [u8],
    /// In lower case. Empty: none is needed.
    word: &'static [u8],
    protocol: Protocol,
}

const fn line(
    from: Option<Side>,
    start: &'static [u8],
    word: &'static [u8],
    protocol: Protocol,
) -> Line {
    Line { from, start, word, protocol }
}

const CLIENT: Option<Side> = Some(Side::Client);
const SERVER: Option<Side> = Some(Side::Server);

/// The first that fits counts.
const LINES: [Line; 36] = [
    line(None, b"SSH-2.0-", b"", Protocol::Ssh),
    line(None, b"SSH-1.", b"", Protocol::Ssh),
    line(None, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"", Protocol::Http2),
    line(SERVER, b"HTTP/1.", b"", Protocol::Http),
    line(SERVER, b"220", b"smtp", Protocol::Smtp),
    line(SERVER, b"220", b"mail", Protocol::Smtp),
    line(SERVER, b"220", b"ftp", Protocol::Ftp),
    line(SERVER, b"220", b"filezilla", Protocol::Ftp),
    line(CLIENT, b"EHLO ", b"\n", Protocol::Smtp),
    line(CLIENT, b"HELO ", b"\n", Protocol::Smtp),
    line(CLIENT, b"LHLO ", b"\n", Protocol::Smtp),
    line(SERVER, b"+OK", b"pop", Protocol::Pop3),
    line(SERVER, b"* OK", b"imap", Protocol::Imap),
    line(SERVER, b"* OK [CAPABILITY ", b"", Protocol::Imap),
    line(SERVER, b"* PREAUTH", b"imap", Protocol::Imap),
    line(SERVER, b"RFB 00", b".00", Protocol::Vnc),
    line(CLIENT, b"RFB 00", b".00", Protocol::Vnc),
    line(None, b"@RSYNCD: ", b"\n", Protocol::Rsync),
    line(SERVER, b"INFO {\"server_id\"", b"", Protocol::Nats),
    line(CLIENT, b"CONNECT {\"", b"}", Protocol::Nats),
    line(None, b"<stream:stream", b"", Protocol::Xmpp),
    line(None, b"<?xml", b"<stream:stream", Protocol::Xmpp),
    line(None, b"<?xml", b"http://etherx.jabber.org/streams", Protocol::Xmpp),
    line(None, b"SIP/2.0 ", b"\n", Protocol::Sip),
    line(None, b"RTSP/1.0 ", b"\n", Protocol::Rtsp),
    line(CLIENT, b"CAP LS", b"\n", Protocol::Irc),
    line(CLIENT, b"NICK ", b"\n", Protocol::Irc),
    line(CLIENT, b"PASS ", b"\nnick ", Protocol::Irc),
    line(CLIENT, b"USER ", b" :", Protocol::Irc),
    line(SERVER, b"NOTICE AUTH :", b"", Protocol::Irc),
    line(SERVER, b"NOTICE * :***", b"", Protocol::Irc),
    line(SERVER, b":", b" notice auth :", Protocol::Irc),
    line(SERVER, b":", b" notice * :***", Protocol::Irc),
    line(SERVER, b":", b" 001 ", Protocol::Irc),
    line(CLIENT, b"d1:ad2:id20:", b"1:y1:q", Protocol::BitTorrent),
    line(None, b"BT-SEARCH * HTTP/1.1\r\n", b"", Protocol::BitTorrent),
];

/// What a segment of text says.
pub(super) fn says(first: First<'_>, clue: Clue) -> Says {
    let bytes = first.bytes;
    if first.side == Side::Client {
        if http::is_request(bytes) {
            return Says::Is(Protocol::Http);
        }
        if let Some(protocol) = answered(bytes, clue) {
            return Says::Is(protocol);
        }
        if is_imap_command(bytes) {
            return Says::Is(Protocol::Imap);
        }
    }
    if let Some(protocol) = request_line(bytes) {
        return Says::Is(protocol);
    }
    match LINES.iter().find(|line| line.fits(first)) {
        Some(line) => Says::Is(line.protocol),
        None => greeting(first).map_or(Says::Nothing, Says::MayBe),
    }
}

impl Line {
    fn fits(&self, first: First<'_>) -> bool {
        let Some(rest) = first.bytes.strip_prefix(self.start) else { return false };
        let window = &rest[..rest.len().min(WINDOW)];
        self.from.is_none_or(|side| side == first.side)
            && (self.word.is_empty()
                || window.windows(self.word.len()).any(|at| at.eq_ignore_ascii_case(self.word)))
    }
}

/// What a client answers to a greeting that several protocols have.
fn answered(bytes: &[u8], clue: Clue) -> Option<Protocol> {
    let command = bytes.split(|byte| matches!(byte, b' ' | b'\r' | b'\n')).next()?;
    let is_one_of = |words: &[&[u8]]| words.iter().any(|word| command.eq_ignore_ascii_case(word));
    match clue {
        Clue::Reply220 if is_one_of(&[b"EHLO", b"HELO", b"LHLO"]) => Some(Protocol::Smtp),
        Clue::Reply220
            if is_one_of(&[b"USER", b"AUTH", b"FEAT", b"SYST", b"OPTS", b"HOST", b"CLNT"]) =>
        {
            Some(Protocol::Ftp)
        }
        Clue::PlusOk if is_one_of(&[b"USER", b"CAPA", b"STLS", b"APOP", b"AUTH"]) => {
            Some(Protocol::Pop3)
        }
        _ => None,
    }
}

fn greeting(first: First<'_>) -> Option<Clue> {
    match first.bytes {
        [b'2', b'2', b'0', b' ' | b'-', ..] if first.side == Side::Server => Some(Clue::Reply220),
        [b'+', b'O', b'K', b' ' | b'\r', ..] if first.side == Side::Server => Some(Clue::PlusOk),
        _ => None,
    }
}

/// A tag and a command that opens a session (RFC 9051).
fn is_imap_command(bytes: &[u8]) -> bool {
    let Some(end) = memchr(b' ', &bytes[..bytes.len().min(20)]) else { return false };
    let (tag, rest) = (&bytes[..end], &bytes[end + 1..]);
    let is_tag = tag.iter().all(u8::is_ascii_alphanumeric) && tag.iter().any(u8::is_ascii_digit);
    let starts =
        |word: &[u8]| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    is_tag
        && [&b"CAPABILITY\r\n"[..], b"STARTTLS\r\n", b"LOGIN ", b"AUTHENTICATE ", b"ID ("]
            .iter()
            .any(|word| starts(word))
}

/// `METHOD target VERSION`, as SIP and RTSP have it.
fn request_line(bytes: &[u8]) -> Option<Protocol> {
    let end = memchr(b'\n', &bytes[..bytes.len().min(WINDOW)])?;
    let line = bytes[..end].trim_ascii_end();
    let method = line.iter().take_while(|byte| byte.is_ascii_uppercase() || **byte == b'_').count();
    if !(3..=16).contains(&method) || line.get(method) != Some(&b' ') {
        return None;
    }
    if line.ends_with(b" SIP/2.0") {
        let target = &line[method + 1..];
        let schemes = [&b"sip:"[..], b"sips:", b"tel:"];
        return schemes.iter().any(|scheme| target.starts_with(scheme)).then_some(Protocol::Sip);
    }
    let is_rtsp = line.ends_with(b" RTSP/1.0") || line.ends_with(b" RTSP/2.0");
    is_rtsp.then_some(Protocol::Rtsp)
}

/// What a datagram of text says.
pub(super) fn datagram(bytes: &[u8]) -> Option<Protocol> {
    // Distributed hash table (BEP 5): a dictionary with a query, a response or an error in it.
    let is_dictionary = matches!(bytes, [b'd', b'1', b':', b'a' | b'r' | b'e', ..]);
    if is_dictionary && bytes.ends_with(b"e") {
        let kinds = [&b"1:y1:q"[..], b"1:y1:r", b"1:y1:e"];
        let has_kind = kinds.iter().any(|kind| memmem::find(bytes, kind).is_some());
        return has_kind.then_some(Protocol::BitTorrent);
    }
    if bytes.starts_with(b"BT-SEARCH * HTTP/1.1\r\n") {
        return Some(Protocol::BitTorrent);
    }
    if bytes.starts_with(b"SIP/2.0 ") {
        return Some(Protocol::Sip);
    }
    request_line(bytes)
}
