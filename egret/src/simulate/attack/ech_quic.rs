//! The true host is in an encrypted hello, over QUIC or TCP: an observer sees the public name that
//! all customers of a content network share (T1090.004).

use super::deed::registrable;
use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::programs::BROWSER;
use crate::simulate::session::{Call, Route, Session, Visit, Visited};
use crate::simulate::wire::dns::{Exchange, Record, RecordType};
use crate::simulate::wire::track::Kind as Datagram;
use crate::simulate::wire::{quic, tls};
use crate::simulate::world::{Host, public};

/// The public name of the largest network that has encrypted hellos.
const PUBLIC_NAME: &str = "cloudflare-ech.com";

/// Bytes of the key's configuration in the DNS record.
const KEY_BYTES: usize = 71;

const ANSWER_BYTES: usize = 300;

pub(super) static KIND: Kind = Kind {
    name: "ech-quic",
    about: "an archive goes to a host whose name is encrypted, over QUIC and TCP",
    technique: "T1090.004",
    channel: Channel::Quic,
    found_by: &["protocol_mismatch", "upload_size"],
    paces: [
        // An archive.
        Pace { contacts: 1..2, bytes: 300_000..1_000_000, apart_ms: 0..1 },
        // In parts of any size.
        Pace { contacts: 5..13, bytes: 20_000..200_000, apart_ms: 500..30_000 },
        // A file every few minutes.
        Pace { contacts: 40..61, bytes: 4_000..20_000, apart_ms: 240_000..600_000 },
    ],
    roles: &[
        Role { route: Route::Direct, v6: false, act: over_quic },
        Role { route: Route::Direct, v6: false, act: over_tcp },
    ],
    sessions: 1,
};

fn over_quic(session: &mut Session, mission: &Mission) -> Attack {
    act(session, mission, |session, front, bytes| {
        let sizes = (bytes, ANSWER_BYTES);
        let datagrams =
            quic::conversation(&tls::BROWSER_QUIC, PUBLIC_NAME, sizes, &mut session.dice);
        session.exchange((front, 443), Datagram::Udp, &datagrams)
    })
}

fn over_tcp(session: &mut Session, mission: &Mission) -> Attack {
    act(session, mission, |session, front, bytes| {
        let post = [Call::post("/up", bytes, ANSWER_BYTES)];
        let visited = session.connect(session.now, &Visit::https(front, &BROWSER, &post));
        session.now = visited.ended;
        visited
    })
}

/// DNS is asked for the true name, for its addresses and for the key.
fn act(
    session: &mut Session,
    mission: &Mission,
    connect: fn(&mut Session, &Host, usize) -> Visited,
) -> Attack {
    let front = public(PUBLIC_NAME);
    let hidden = Host { name: mission.host("www").name, ..front.clone() };
    let mut attack = Attack::to(&hidden, session);
    attack.seen_as.push(registrable(PUBLIC_NAME));
    mission.each(session, |session, bytes| {
        session.look_up(&hidden);
        let key = session.dice.noise(KEY_BYTES);
        let records = vec![Record::Service(key)];
        let name = hidden.name.clone();
        session.ask(&[Exchange { name, asked: RecordType::HTTPS, code: 0, records }]);
        attack.add(connect(session, &front, bytes), bytes);
    });
    attack
}
