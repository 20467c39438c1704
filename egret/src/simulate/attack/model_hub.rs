//! Files go to somebody else's repository at a model hub, as weights do (T1567).

use super::deed::registrable;
use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::programs::MODEL_HUB;
use crate::simulate::session::{Call, Session, Visit};
use crate::simulate::world::public;

/// Asking where to put a file, and saying that it is there: JSON.
const ASK_BYTES: usize = 420;
const COMMIT_BYTES: usize = 360;
const ANSWER_BYTES: usize = 700;

pub(super) static KIND: Kind = Kind {
    name: "model-hub-upload",
    about: "files go to somebody else's repository at a model hub",
    technique: "T1567",
    channel: Channel::Https,
    found_by: &["foreign_tenant", "upload_size"],
    paces: [
        // A file of some size.
        Pace { contacts: 1..2, bytes: 300_000..1_000_000, apart_ms: 0..1 },
        // Several.
        Pace { contacts: 4..10, bytes: 20_000..200_000, apart_ms: 1_000..40_000 },
        // A small file every few minutes.
        Pace { contacts: 30..46, bytes: 8_000..40_000, apart_ms: 300_000..900_000 },
    ],
    roles: &Role::each_way(act),
    sessions: 1,
};

/// The hub says where to put the file: into its own bucket, under a name that it made up.
fn act(session: &mut Session, mission: &Mission) -> Attack {
    let hub = public("huggingface.co");
    let bucket = public("hf-hub-lfs-us-east-1.s3-accelerate.amazonaws.com");
    let mut attack = Attack::to(&hub, session);
    attack.seen_as.push(registrable(&bucket.name));
    let repository = format!("/api/models/{}/encoder", mission.handle);
    mission.each(session, |session, bytes| {
        let ask = [Call::post(format!("{repository}/preupload/main"), ASK_BYTES, ANSWER_BYTES)];
        let put = [Call { method: "PUT", ..Call::post("/repos/object", bytes, 0) }];
        let tell = [Call::post(format!("{repository}/commit/main"), COMMIT_BYTES, ANSWER_BYTES)];
        for (host, calls, bytes) in [(&hub, ask, 0), (&bucket, put, bytes), (&hub, tell, 0)] {
            attack.add(session.visit(&Visit::https(host, &MODEL_HUB, &calls)), bytes);
        }
    });
    attack
}
