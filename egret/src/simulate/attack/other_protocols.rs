//! Ways out that are not the web's: ICMP echoes, NTP, and TLS on a port of the attacker's own
//! (T1095).

use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::programs::GO;
use crate::simulate::session::{Call, Over, Route, Session};
use crate::simulate::wire::track::{Kind as Datagram, Way};

/// Content of an echo, as large as fits an Ethernet frame, less some.
const ECHO_BYTES: usize = 1_400;

/// An NTP message (RFC 5905, section 7.3), the place of its four timestamps, and the first byte of
/// a client's and of a server's in version 4.
const NTP_BYTES: usize = 48;
const NTP_STAMPS_AT: usize = 16;
const NTP_CLIENT: u8 = 0x23;
const NTP_SERVER: u8 = 0x24;
const NTP_PORT: u16 = 123;

/// Where the attacker listens.
const TLS_PORT: u16 = 4443;

pub(super) static KIND: Kind = Kind {
    name: "other-protocols",
    about: "data in ICMP echoes, in NTP, and in TLS on a port of its own",
    technique: "T1095",
    channel: Channel::Other,
    found_by: &["direct_address", "protocol_mismatch", "upload_size"],
    paces: [
        // An archive.
        Pace { contacts: 1..2, bytes: 50_000..200_000, apart_ms: 0..1 },
        // In parts of any size.
        Pace { contacts: 5..13, bytes: 3_000..30_000, apart_ms: 500..30_000 },
        // A page every few minutes.
        Pace { contacts: 40..61, bytes: 500..3_000, apart_ms: 240_000..600_000 },
    ],
    roles: &[
        Role { route: Route::Direct, v6: false, act: icmp },
        Role { route: Route::Direct, v6: false, act: ntp },
        Role { route: Route::Direct, v6: false, act: tls },
    ],
    sessions: 1,
};

/// Each echo comes back as it went.
fn icmp(session: &mut Session, mission: &Mission) -> Attack {
    datagrams(session, mission, (Datagram::Echo, 0), |bytes| {
        let echoes = bytes.chunks(ECHO_BYTES);
        echoes.flat_map(|echo| [(Way::Up, echo.to_vec()), (Way::Down, echo.to_vec())]).collect()
    })
}

/// The timestamps hold what is stolen, 32 bytes a message.
fn ntp(session: &mut Session, mission: &Mission) -> Attack {
    let message = |first: u8, stamps: &[u8]| {
        let mut message = vec![0; NTP_BYTES];
        message[0] = first;
        message[NTP_STAMPS_AT..NTP_STAMPS_AT + stamps.len()].copy_from_slice(stamps);
        message
    };
    datagrams(session, mission, (Datagram::Udp, NTP_PORT), |bytes| {
        let pieces = bytes.chunks(NTP_BYTES - NTP_STAMPS_AT);
        pieces
            .flat_map(|piece| {
                [(Way::Up, message(NTP_CLIENT, piece)), (Way::Down, message(NTP_SERVER, &[]))]
            })
            .collect()
    })
}

fn datagrams(
    session: &mut Session,
    mission: &Mission,
    (kind, port): (Datagram, u16),
    write: impl Fn(&[u8]) -> Vec<(Way, Vec<u8>)>,
) -> Attack {
    let host = mission.address(false);
    let mut attack = Attack::to(&host, session);
    mission.each(session, |session, bytes| {
        let datagrams = write(&session.dice.noise(bytes));
        attack.add(session.exchange((&host, port), kind, &datagrams), bytes);
    });
    attack
}

/// No DNS, no server name, no usual port.
fn tls(session: &mut Session, mission: &Mission) -> Attack {
    let host = mission.address(false);
    mission.send_over(Over::TlsOn(TLS_PORT), session, (&host, &GO), |_, bytes| {
        vec![Call::post("/", bytes, 2)]
    })
}
