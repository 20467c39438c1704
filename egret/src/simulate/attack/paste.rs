//! Text is left at a paste site, where anybody who knows the link can read it (T1567.003).

use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::programs::CURL;
use crate::simulate::session::{Call, Session};
use crate::simulate::world::public;

/// Paste sites, and where each takes text.
const SITES: [(&str, &str); 3] =
    [("pastebin.com", "/api/api_post.php"), ("dpaste.org", "/api/"), ("paste.rs", "/")];

/// The link.
const LINK_BYTES: usize = 32;

pub(super) static KIND: Kind = Kind {
    name: "paste",
    about: "text is left at a paste site",
    technique: "T1567.003",
    channel: Channel::Https,
    found_by: &["foreign_tenant", "new_destination", "upload_size"],
    paces: [
        // All of it in one paste.
        Pace { contacts: 1..2, bytes: 100_000..400_000, apart_ms: 0..1 },
        // Several, of any size.
        Pace { contacts: 4..10, bytes: 3_000..60_000, apart_ms: 1_000..60_000 },
        // A page at a time.
        Pace { contacts: 20..31, bytes: 500..4_000, apart_ms: 480_000..1_200_000 },
    ],
    roles: &Role::each_way(act),
    sessions: 1,
};

fn act(session: &mut Session, mission: &Mission) -> Attack {
    let (name, path) = *session.dice.pick(&SITES);
    mission
        .send(session, (&public(name), &CURL), |_, bytes| vec![Call::post(path, bytes, LINK_BYTES)])
}
