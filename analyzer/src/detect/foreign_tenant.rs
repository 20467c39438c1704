//! D8: something is left at a tenant's place that nobody here uses, on a service that everybody uses.
//!
//! An allowlist lets a name through, and whoever has an account there reads what is sent. What counts is
//! therefore the triple of service, verb and tenant ([`Act`]); where the tenant is not to be seen, the
//! host stands for it. How unfamiliar a triple is, is asked of the same levels as a destination (D1), with
//! one draw per session.
//!
//! Two kinds of service differ in what is believed before anything was learned. Few executors leave
//! something at a paste site, a webhook, a file drop, a public tunnel or publish a package: that is
//! reported from the first session on. But all push code and some upload to buckets: there a tenant can
//! only be foreign once it is known which are not, and until then only what is far larger than usual is.
//!
//! A write counts whether it was let through or not.

use egret_event::{Attribution, SmolStr, Timestamp};
use serde::{Deserialize, Serialize};

use super::tail_kind;
use crate::baseline::{Ladder, TenancyKey};
use crate::incident::{Detector, Finding, Quantity};
use crate::pitman_yor::MIN_DRAWS;
use crate::priors::SESSIONS_TO_KNOW_TENANTS;
use crate::tenancy::{Act, Purpose, Verb, service_of};
use crate::words::{bytes_words, count_words};

/// Triples that a session remembers, 24 bytes each. Egret's own choice.
const MOST_PLACES: usize = 16;

/// The part of sessions that write to a tenant of a code host, a bucket service and the like whom nobody
/// here wrote to. Above what makes a session wait before it teaches, or none would ever be learned.
const P_WRITE: f64 = 0.02;

/// The same for services that executors seldom send anything to: below the threshold by itself, together
/// with findings of several other detectors that say little. Egret's own choice.
const P_SELDOM: f64 = 1e-5;

/// The least that is believed of a tenant who is known elsewhere: written to by other templates, written
/// to once or twice by this one, or read from. It never alerts alone.
const LEAST_P_KNOWN: f64 = 1e-3;

/// The least that is believed at all: nothing here is more certain than that sessions are alike.
const LEAST_P: f64 = 1e-7;

/// Sessions of a template that never did the like before it counts that this one does. None of 300 means
/// that, with 95 % certainty, fewer than 1 in 100 do (rule of three: Hanley and Lippman-Hand, "If nothing
/// goes wrong, is everything all right?", JAMA 249, 1983).
const SESSIONS_WITHOUT: u64 = 300;

/// A template's sessions that write to ever new tenants may raise an alert in one of 2,500: the threshold
/// allows one in 10,000 for each of about five destinations ([`crate::priors::THRESHOLD`]), and hardly a
/// session writes to more than one new tenant.
const DESTINATIONS: f64 = 5.0;

/// What a session did at tenants' places: bounded, for what it teaches.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Places(Vec<Place>);

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) key: TenancyKey,
    pub(crate) last: Timestamp,
    /// Whether it was let through at least once.
    pub(crate) is_allowed: bool,
}

impl Places {
    /// Notes an act. When there is no room, a write takes the place of a read.
    pub(crate) fn note(&mut self, place: Place) {
        if let Some(known) = self.0.iter_mut().find(|known| known.key == place.key) {
            known.last = known.last.max(place.last);
            known.is_allowed |= place.is_allowed;
        } else if self.0.len() < MOST_PLACES {
            self.0.reserve_exact(1);
            self.0.push(place);
        } else if !place.key.is_read()
            && let Some(read) = self.0.iter_mut().find(|known| known.key.is_read())
        {
            *read = place;
        }
    }

    /// What was let through.
    pub(crate) fn allowed(&self) -> impl Iterator<Item = &Place> {
        self.0.iter().filter(|place| place.is_allowed)
    }
}

/// What of an act a level counts, as part of a key. The numbers are part of what is saved.
#[derive(Debug, Clone, Copy)]
enum Aspect {
    WriteToTenant = 0,
    WriteToHost = 1,
    Read = 2,
}

const ASPECTS: u8 = 3;

impl TenancyKey {
    fn of(purpose: Purpose, aspect: Aspect, place: [&str; 2]) -> Self {
        let kind = purpose as u8 * ASPECTS + aspect as u8;
        let place = place.map(str::as_bytes);
        Self { kind, place: crate::hash::key(&[b"tenancy", &[kind], place[0], place[1]]) }
    }

    /// A tenant's place on the service of a host.
    fn of_tenant(purpose: Purpose, aspect: Aspect, (host, tenant): (&str, &str)) -> Self {
        Self::of(purpose, aspect, [service_of(host), tenant])
    }

    /// A host where something is left with whomever.
    fn of_host(purpose: Purpose, host: &str) -> Self {
        Self::of(purpose, Aspect::WriteToHost, [host, ""])
    }

    /// Whether something was only read there.
    pub(crate) const fn is_read(self) -> bool {
        self.kind % ASPECTS == Aspect::Read as u8
    }
}

/// An act at a host, judged for a session's place.
#[derive(Debug)]
pub(crate) struct Subject<'a, 'l> {
    pub(crate) act: &'a Act,
    pub(crate) host: &'a str,
    /// The first of its [`keys`].
    pub(crate) key: TenancyKey,
    pub(crate) ladder: &'l Ladder<'a>,
}

/// The keys that an act is remembered by: its tenant's, where that is to be seen, and for a write its
/// host's. A write is judged by the first.
pub(crate) fn keys(act: &Act, host: &str) -> impl Iterator<Item = TenancyKey> + use<> {
    let (aspect, of_host) = match act.verb {
        Verb::Write => (Aspect::WriteToTenant, Some(TenancyKey::of_host(act.purpose, host))),
        Verb::Read => (Aspect::Read, None),
    };
    let tenant = act.tenant.as_deref();
    let of_tenant = tenant.map(|tenant| TenancyKey::of_tenant(act.purpose, aspect, (host, tenant)));
    of_tenant.into_iter().chain(of_host)
}

impl Subject<'_, '_> {
    /// P(a benign session writes there), clipped from below.
    pub(crate) fn tail(&self) -> f64 {
        let (ladder, key) = (self.ladder, self.key);
        let by_template = ladder.tenancy_by_template(key);
        if by_template >= MIN_DRAWS {
            return 1.0;
        }
        let p = match usual_bytes(self.act.purpose) {
            None => ladder.tenancy(key, P_SELDOM).0,
            Some(usual) if self.is_template_known() => {
                ladder.tenancy(key, P_WRITE).0 * self.excess(usual)
            }
            Some(usual) => P_WRITE * self.excess(usual),
        };
        let is_known = by_template > 0
            || ladder.tenancy_by_fleet(key) >= MIN_DRAWS
            || self.is_read_from_here();
        let least = if is_known { LEAST_P_KNOWN } else { LEAST_P };
        p.max(ladder.rate_of_new_tenancies(key) / DESTINATIONS).clamp(least, 1.0)
    }

    /// Whether what the template's sessions do says whom they write to. That they use one host says nothing
    /// of their use of another one.
    fn is_template_known(&self) -> bool {
        let has_habit = self.act.tenant.is_some() && self.ladder.has_tenancies(self.key);
        let enough = if has_habit { SESSIONS_TO_KNOW_TENANTS } else { SESSIONS_WITHOUT };
        self.ladder.template_sessions() >= enough
    }

    /// Whether sessions read what this tenant has. It excuses nothing where anybody may read all.
    fn is_read_from_here(&self) -> bool {
        let tenant = self.act.tenant.as_deref().filter(|_| usual_bytes(self.act.purpose).is_some());
        tenant.is_some_and(|tenant| {
            let key = TenancyKey::of_tenant(self.act.purpose, Aspect::Read, (self.host, tenant));
            self.ladder.tenancy_by_fleet(key) >= MIN_DRAWS
        })
    }

    /// By how much rarer a write of this size is than one of a usual size: a power law. Nothing is said
    /// where the tenant is not to be seen, because most large writes go to where they belong.
    fn excess(&self, (usual, bar): (u64, u64)) -> f64 {
        if self.act.tenant.is_none() || self.act.bytes <= usual {
            return 1.0;
        }
        let log = |bytes: u64| (bytes as f64).ln();
        let beyond = (log(self.act.bytes) - log(usual)) / (log(bar) - log(usual));
        EXCESS_AT_BAR.powf(beyond)
    }

    /// The finding, with its words.
    pub(crate) fn finding(&self, origin: &Attribution) -> Finding {
        let (_, weight) = self.ladder.tenancy(self.key, P_WRITE);
        let (p, act) = (self.tail(), self.act);
        let whom = match &act.tenant {
            Some(tenant) => format!("{tenant:?} of {} ({})", act.purpose.words(), self.host),
            None => format!("{} ({})", act.purpose.words(), self.host),
        };
        Finding {
            detector: Detector::ForeignTenant,
            p,
            tail: tail_kind(p, &weight),
            share: 0.0,
            place: Some(self.place()),
            judged_benign: None,
            observed: Quantity { value: act.bytes as f64, unit: unit(act.purpose) },
            normal: None,
            words: format!("{} to {whom}; {}", deed(act), self.experience(origin)),
        }
    }

    /// Whose place it is, as a name: the service and its tenant, or the host where no tenant is to be seen.
    fn place(&self) -> SmolStr {
        match &self.act.tenant {
            Some(tenant) => format!("{}/{tenant}", service_of(self.host)).into(),
            None => self.host.into(),
        }
    }

    /// What sessions here did there before.
    fn experience(&self, origin: &Attribution) -> String {
        let (ladder, key) = (self.ladder, self.key);
        let sessions = ladder.template_sessions();
        let whose = match &origin.template {
            Some(template) => format!("of template {template:?}"),
            None => "without a template".to_owned(),
        };
        match (ladder.tenancy_by_template(key), ladder.tenancy_by_fleet(key)) {
            _ if sessions == 0 => {
                format!(
                    "nothing was learned yet of sessions {whose}, and few sessions do such a thing"
                )
            }
            (0, 0) => format!("none of {} {whose} did so before", count_words(sessions, "session")),
            (own, fleet) => format!(
                "{own} of {} {whose} did so before, and {} of others",
                count_words(sessions, "session"),
                fleet.saturating_sub(own)
            ),
        }
    }
}

/// How much rarer a write of the amount at the bar is than a usual one: with [`P_WRITE`] it is then
/// reported before anything was learned.
const EXCESS_AT_BAR: f64 = 0.003;

/// What a write to a service holds as a rule, and the amount that is reported before anything was learned.
/// `None` for services that executors seldom write to at all. Egret's own choice.
const fn usual_bytes(purpose: Purpose) -> Option<(u64, u64)> {
    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;
    match purpose {
        // What a task changed; a repository with its history is larger.
        Purpose::Code => Some((64 * KIB, 512 * KIB)),
        // Prompts' attachments.
        Purpose::Files => Some((MIB, 16 * MIB)),
        // Build results and layers, weights.
        Purpose::Bucket | Purpose::Hub => Some((32 * MIB, 512 * MIB)),
        Purpose::Images => Some((64 * MIB, 1024 * MIB)),
        Purpose::Snippet
        | Purpose::Registry
        | Purpose::Chat
        | Purpose::Paste
        | Purpose::Tunnel
        | Purpose::Drop => None,
    }
}

/// What was done, before `to`.
fn deed(act: &Act) -> String {
    match (act.is_blocked, bytes_words(act.bytes)) {
        (true, _) => "tried to write".to_owned(),
        (false, _) if act.bytes == 0 => "wrote".to_owned(),
        (false, bytes) => format!("wrote {bytes}"),
    }
}

/// What a finding's service is used for.
pub(crate) fn purpose_of(finding: &Finding) -> Option<Purpose> {
    Purpose::ALL.into_iter().find(|purpose| finding.observed.unit == unit(*purpose))
}

fn unit(purpose: Purpose) -> SmolStr {
    format!("bytes to {}", purpose.words()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(number: u64, aspect: Aspect) -> Place {
        let key = TenancyKey { kind: aspect as u8, place: number };
        Place { key, last: Timestamp::from_secs(number as i64), is_allowed: true }
    }

    #[test]
    fn a_session_remembers_little_and_writes_before_reads() {
        let mut places = Places::default();
        (0..100).for_each(|number| places.note(place(number, Aspect::Read)));
        (0..10).for_each(|number| places.note(place(number, Aspect::WriteToTenant)));
        assert_eq!(places.0.len(), MOST_PLACES);
        assert_eq!(places.allowed().filter(|place| !place.key.is_read()).count(), 10);
    }

    #[test]
    fn what_was_never_let_through_teaches_nothing() {
        let mut places = Places::default();
        places.note(Place { is_allowed: false, ..place(1, Aspect::WriteToTenant) });
        assert_eq!(places.allowed().count(), 0);
        places.note(place(1, Aspect::WriteToTenant));
        assert_eq!(places.allowed().count(), 1);
    }

    #[test]
    fn units_tell_what_a_service_is_used_for() {
        for purpose in Purpose::ALL {
            let same = Purpose::ALL.into_iter().filter(|other| unit(*other) == unit(purpose));
            assert_eq!(same.count(), 1, "{purpose:?}");
        }
    }
}
