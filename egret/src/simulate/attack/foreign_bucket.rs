//! Files go to a bucket in somebody else's account (T1537). Its name is part of the host's.

use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::programs::AWS;
use crate::simulate::session::{Call, Session};
use crate::simulate::world::public;

pub(super) static KIND: Kind = Kind {
    name: "foreign-bucket",
    about: "files go to somebody else's bucket",
    technique: "T1537",
    channel: Channel::Https,
    found_by: &["foreign_tenant", "upload_size", "new_destination"],
    paces: [
        // A data set in one object.
        Pace { contacts: 1..2, bytes: 300_000..1_500_000, apart_ms: 0..1 },
        // In parts, as a multipart upload sends them.
        Pace { contacts: 5..13, bytes: 20_000..200_000, apart_ms: 500..30_000 },
        // An object every few minutes: 1.2 MB over half a working day.
        Pace { contacts: 40..61, bytes: 8_000..40_000, apart_ms: 240_000..600_000 },
    ],
    roles: &Role::each_way(act),
    sessions: 1,
};

fn act(session: &mut Session, mission: &Mission) -> Attack {
    let host = public(&format!("{}-backup.s3.eu-central-1.amazonaws.com", mission.handle));
    let mut number = 0;
    mission.send(session, (&host, &AWS), |_, bytes| {
        number += 1;
        vec![Call { method: "PUT", ..Call::post(format!("/part-{number}.bin"), bytes, 0) }]
    })
}
