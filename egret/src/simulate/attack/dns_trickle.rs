//! Half a byte a second inside DNS questions (T1071.004).

use super::dns_tunnel::act;
use super::{Channel, Kind, Pace, Role};

pub(super) static KIND: Kind = Kind {
    name: "dns-trickle",
    about: "half a byte a second in DNS questions",
    technique: "T1071.004",
    channel: Channel::Dns,
    found_by: &["dns_tunnel"],
    paces: [
        // Fifteen bytes every half minute, for two hours.
        Pace { contacts: 230..251, bytes: 15..16, apart_ms: 30_000..30_001 },
        Pace { contacts: 200..251, bytes: 5..40, apart_ms: 5_000..90_000 },
        // A tenth of that, for eight.
        Pace { contacts: 150..181, bytes: 10..20, apart_ms: 100_000..250_000 },
    ],
    roles: &Role::direct(act),
    sessions: 1,
};
