//! Names of packages that do not exist carry the data; whoever runs the index, or watches what it asks for upstream, reads them (T1030).

use super::alphabet::BASE32;
use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::dice::Dice;
use crate::simulate::programs::PIP;
use crate::simulate::session::{Call, Session};
use crate::simulate::world::public;

/// Bytes in a name: 48 letters, which passes for one.
const NAME_BYTES: usize = 30;

/// That there is no such package.
const ANSWER_BYTES: usize = 13;

pub(super) static KIND: Kind = Kind {
    name: "mirror-requests",
    about: "data in the names of packages asked of an index",
    technique: "T1030",
    channel: Channel::Https,
    found_by: &["not_found", "rate_burst"],
    paces: [
        // Forty names on a connection, one after the other.
        Pace { contacts: 10..17, bytes: 1_200..1_201, apart_ms: 100..101 },
        Pace { contacts: 20..41, bytes: 60..900, apart_ms: 200..9_000 },
        // One or two names every few minutes.
        Pace { contacts: 50..71, bytes: 30..60, apart_ms: 240_000..600_000 },
    ],
    roles: &Role::each_way(act),
    sessions: 1,
};

fn act(session: &mut Session, mission: &Mission) -> Attack {
    mission.send(session, (&public("pypi.org"), &PIP), |dice, bytes| {
        let names = (0..bytes).step_by(NAME_BYTES).map(|from| NAME_BYTES.min(bytes - from));
        names.map(|bytes| ask(dice, bytes)).collect()
    })
}

fn ask(dice: &mut Dice, bytes: usize) -> Call {
    let name = BASE32.noise(dice, bytes);
    Call { status: 404, ..Call::get(format!("/simple/{name}/"), ANSWER_BYTES) }
}
