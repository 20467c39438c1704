//! The cloud's metadata service is asked for the machine's own credentials (T1552.005).

use std::net::Ipv4Addr;

use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::programs::CURL;
use crate::simulate::session::{Call, Over, Session};
use crate::simulate::world::internal;

/// The same on every machine of the large clouds (link-local, RFC 3927).
const SERVICE: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// Bytes of a token, of a role's name, and of credentials in JSON.
const ANSWERS: [usize; 3] = [56, 18, 1_320];

pub(super) static KIND: Kind = Kind {
    name: "metadata",
    about: "the metadata service is asked for credentials",
    technique: "T1552.005",
    channel: Channel::Http,
    found_by: &["policy"],
    paces: [
        // Token, role, credentials.
        Pace { contacts: 3..4, bytes: 0..1, apart_ms: 20..21 },
        // More than once: they expire.
        Pace { contacts: 6..13, bytes: 0..1, apart_ms: 1_000..30_000 },
        // A question now and then.
        Pace { contacts: 8..13, bytes: 0..1, apart_ms: 600_000..2_400_000 },
    ],
    roles: &Role::direct(act),
    sessions: 1,
};

/// Nothing leaves by it: what it gives is what later attacks carry out.
fn act(session: &mut Session, mission: &Mission) -> Attack {
    let host = internal(&SERVICE.to_string(), SERVICE);
    let mut turn = 0;
    mission.send_over(Over::Clear, session, (&host, &CURL), |_, _| {
        let call = match turn % ANSWERS.len() {
            0 => Call { method: "PUT", ..Call::get("/latest/api/token", ANSWERS[0]) },
            1 => Call::get("/latest/meta-data/iam/security-credentials/", ANSWERS[1]),
            _ => Call::get("/latest/meta-data/iam/security-credentials/node", ANSWERS[2]),
        };
        turn += 1;
        vec![call]
    })
}
