//! Messages go to a webhook of a chat (T1567.004).

use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::programs::REQUESTS;
use crate::simulate::session::{Call, Session};
use crate::simulate::world::public;

/// Chats, and what the path of a hook looks like there.
const HOOKS: [(&str, &str); 2] =
    [("discord.com", "/api/webhooks/1187"), ("hooks.slack.com", "/services/T04")];

pub(super) static KIND: Kind = Kind {
    name: "webhook",
    about: "messages go to somebody else's chat",
    technique: "T1567.004",
    channel: Channel::Https,
    found_by: &["foreign_tenant", "new_destination"],
    paces: [
        // Messages as long as a chat allows, as fast as it lets.
        Pace { contacts: 20..31, bytes: 1_500..1_501, apart_ms: 500..501 },
        Pace { contacts: 15..31, bytes: 300..1_900, apart_ms: 400..20_000 },
        // A message every few minutes.
        Pace { contacts: 40..61, bytes: 200..1_500, apart_ms: 240_000..600_000 },
    ],
    roles: &Role::each_way(act),
    sessions: 1,
};

fn act(session: &mut Session, mission: &Mission) -> Attack {
    let (name, path) = *session.dice.pick(&HOOKS);
    let path = format!("{path}/{}", mission.handle);
    mission.send(session, (&public(name), &REQUESTS), |_, bytes| {
        vec![Call::post(path.clone(), bytes, 2)]
    })
}
