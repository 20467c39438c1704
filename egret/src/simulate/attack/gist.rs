//! A file becomes a gist: the place is one that everybody uses (T1567.001).

use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::programs::CURL;
use crate::simulate::session::{Call, Session};
use crate::simulate::world::public;

/// The answer repeats the gist's description and its links.
const ANSWER_BYTES: usize = 4_800;

pub(super) static KIND: Kind = Kind {
    name: "gist",
    about: "a file becomes a gist of somebody else's",
    technique: "T1567.001",
    channel: Channel::Https,
    found_by: &["foreign_tenant", "upload_size"],
    paces: [
        // All of it in one gist.
        Pace { contacts: 1..2, bytes: 40_000..80_000, apart_ms: 0..1 },
        // Several, of any size.
        Pace { contacts: 4..9, bytes: 2_000..20_000, apart_ms: 1_000..60_000 },
        // A page at a time: 50 KB over a working day.
        Pace { contacts: 20..31, bytes: 1_000..3_000, apart_ms: 480_000..1_200_000 },
    ],
    roles: &Role::each_way(act),
    sessions: 1,
};

fn act(session: &mut Session, mission: &Mission) -> Attack {
    let host = public("api.github.com");
    mission
        .send(session, (&host, &CURL), |_, bytes| vec![Call::post("/gists", bytes, ANSWER_BYTES)])
}
