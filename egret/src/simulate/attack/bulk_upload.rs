//! A large archive goes up to a host that nobody has ever contacted (T1048).

use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::programs::CURL;
use crate::simulate::session::{Call, Session};

/// The server writes it down and says so.
const RECEIPT_BYTES: usize = 96;

pub(super) static KIND: Kind = Kind {
    name: "bulk-upload",
    about: "an archive of several MiB goes to a domain never seen",
    technique: "T1048",
    channel: Channel::Https,
    found_by: &["upload_size", "new_destination"],
    paces: [
        // A repository with its history, or a small data set, in one request.
        Pace { contacts: 1..2, bytes: 5 << 20..8 << 20, apart_ms: 0..1 },
        // The same in parts of any size.
        Pace { contacts: 6..14, bytes: 200_000..1_200_000, apart_ms: 500..25_000 },
        // Part by part over half a working day: 2 MB in all.
        Pace { contacts: 50..70, bytes: 16_000..64_000, apart_ms: 120_000..420_000 },
    ],
    roles: &Role::each_way(act),
    sessions: 1,
};

fn act(session: &mut Session, mission: &Mission) -> Attack {
    let host = mission.host("ingest");
    mission.send(session, (&host, &CURL), |_, bytes| {
        vec![Call::post("/u/archive.tar.zst", bytes, RECEIPT_BYTES)]
    })
}
