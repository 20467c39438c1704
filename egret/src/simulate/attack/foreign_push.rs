//! A repository is pushed to an owner who has nothing to do with the tenant (T1567.001).

use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::programs::GIT;
use crate::simulate::session::{Call, Session};
use crate::simulate::world::public;

/// What the server tells of an empty repository, and of a push that it took.
const REFERENCES_BYTES: usize = 260;
const REPORT_BYTES: usize = 320;

pub(super) static KIND: Kind = Kind {
    name: "foreign-push",
    about: "a repository is pushed to somebody else's account",
    technique: "T1567.001",
    channel: Channel::Https,
    found_by: &["foreign_tenant", "upload_size"],
    paces: [
        // The whole history.
        Pace { contacts: 1..2, bytes: 200_000..900_000, apart_ms: 0..1 },
        // Branch by branch.
        Pace { contacts: 3..7, bytes: 20_000..200_000, apart_ms: 2_000..120_000 },
        // A commit now and then, as people push them.
        Pace { contacts: 12..21, bytes: 4_000..30_000, apart_ms: 900_000..2_100_000 },
    ],
    roles: &Role::each_way(act),
    sessions: 1,
};

fn act(session: &mut Session, mission: &Mission) -> Attack {
    let repository = format!("/{}/notes.git", mission.handle);
    mission.send(session, (&public("github.com"), &GIT), |_, bytes| {
        let asked = format!("{repository}/info/refs?service=git-receive-pack");
        vec![
            Call::get(asked, REFERENCES_BYTES),
            Call::post(format!("{repository}/git-receive-pack"), bytes, REPORT_BYTES),
        ]
    })
}
