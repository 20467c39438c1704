//! Data is published as a package, for anybody to fetch (T1567).

use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::programs::NPM;
use crate::simulate::session::{Call, Session};
use crate::simulate::world::public;

/// That it was taken.
const RECEIPT_BYTES: usize = 64;

pub(super) static KIND: Kind = Kind {
    name: "package-publish",
    about: "data is published as a package",
    technique: "T1567",
    channel: Channel::Https,
    found_by: &["foreign_tenant", "upload_size"],
    paces: [
        // One version.
        Pace { contacts: 1..2, bytes: 300_000..900_000, apart_ms: 0..1 },
        // A few.
        Pace { contacts: 3..7, bytes: 20_000..200_000, apart_ms: 2_000..90_000 },
        // Versions as small as patches, over a working day.
        Pace { contacts: 12..21, bytes: 3_000..20_000, apart_ms: 900_000..2_100_000 },
    ],
    roles: &Role::each_way(act),
    sessions: 1,
};

/// npm sends the archive in base 64 inside JSON.
fn act(session: &mut Session, mission: &Mission) -> Attack {
    let package = format!("/@{}%2futil", mission.handle);
    mission.send(session, (&public("registry.npmjs.org"), &NPM), |_, bytes| {
        let body = bytes * 4 / 3 + 900;
        vec![Call { method: "PUT", ..Call::post(package.clone(), body, RECEIPT_BYTES) }]
    })
}
