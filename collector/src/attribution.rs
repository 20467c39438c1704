//! Who has which address when.
//!
//! Owns the one table that turns an address and a time into an [`Attribution`]. It does not know
//! where registrations come from, nor what the addresses did.

mod clients;
mod disputes;
#[cfg(feature = "docker")]
mod docker;
#[cfg(feature = "kubernetes")]
mod kubernetes;
#[cfg(any(feature = "docker", feature = "kubernetes"))]
mod registrar;
mod registrations;
mod segments;

use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use egret_event::{Attribution, ExecutorRegistration, NamedBy, SmolStr, Timestamp};
use foldhash::quality::FixedState;
use hashbrown::{Equivalent, HashMap, HashSet};
use ipnet::IpNet;

pub(crate) use clients::Clients;
pub use disputes::Dispute;
use disputes::Disputes;
#[cfg(feature = "docker")]
pub(crate) use docker::run_docker;
#[cfg(feature = "kubernetes")]
pub(crate) use kubernetes::run_kubernetes;
use registrations::Registrations;
use segments::SegmentMap;

/// The segment of an executor that is registered or configured, but whose address lies in no
/// configured segment.
pub const UNASSIGNED_SEGMENT: &str = "unassigned";

/// Attributions made from an address alone (or with a proxy's user) that are kept for the next
/// look-up, about 200 bytes each. They can be made again, so a full cache is simply emptied.
const MAX_DERIVED: usize = 65_536;

/// Hash seed, fixed so that runs are repeatable.
const SEED: u64 = 0x6567_7265_7431;

/// A network range that holds executors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its name.
    pub name: SmolStr,
    /// Its address ranges. Where ranges of several segments hold an address, the longest prefix
    /// decides.
    pub ranges: Vec<IpNet>,
}

/// An executor with a fixed address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticExecutor {
    /// Its id.
    pub id: SmolStr,
    /// Its address.
    pub address: IpAddr,
    /// The kind of executor.
    pub template: Option<SmolStr>,
    /// Who it works for.
    pub tenant: Option<SmolStr>,
}

/// Who has which address when. Shared by all sources; registrations may come at any time.
///
/// These name an executor, the strongest first ([`NamedBy`]): a registration that covers the time,
/// what the cluster or the container engine says of that time, an entry in the configuration, a
/// verified client certificate, a proxy's user, the address itself within a segment. Where two of
/// them name different executors for one address and time, the stronger holds, and the dispute is
/// noted ([`Self::take_disputes`]). Looking up something known takes a read lock and allocates
/// nothing.
#[derive(Debug)]
pub struct AttributionTable {
    segments: SegmentMap,
    fixed: HashMap<IpAddr, Arc<Attribution>, FixedState>,
    fixed_ids: HashSet<SmolStr, FixedState>,
    learned: RwLock<Learned>,
    /// Counts registrations.
    version: AtomicU64,
}

/// What the table learns while it runs.
#[derive(Debug)]
struct Learned {
    registrations: Registrations,
    /// By address and claim; an empty claim is the address alone.
    derived: HashMap<Client, Arc<Attribution>, FixedState>,
    disputes: Disputes,
}

/// Who a client of a proxy says it is, where the proxy has checked that.
///
/// `name` becomes an executor's id as it is: the caller has made it printable and short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The name.
    pub name: &'a str,
    /// How it was shown: [`NamedBy::ProxyUser`] or [`NamedBy::ClientCertificate`].
    pub by: NamedBy,
}

impl Claim<'_> {
    /// No claim: the address alone.
    const NONE: Self = Claim { name: "", by: NamedBy::Address };
}

/// A client of a proxy.
#[derive(Debug, PartialEq, Eq)]
struct Client {
    address: IpAddr,
    name: SmolStr,
    by: NamedBy,
}

/// A [`Client`] that owns nothing, to look one up with.
#[derive(Clone, Copy)]
struct ClientRef<'a> {
    address: IpAddr,
    claim: Claim<'a>,
}

impl Hash for ClientRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Fewer and larger writes than the derived form: this is done for each line of a log.
        let bits = match self.address {
            IpAddr::V4(v4) => u128::from(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        state.write_u128(bits);
        state.write(self.claim.name.as_bytes());
        state.write_u8(self.claim.by as u8);
    }
}

impl Hash for Client {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let claim = Claim { name: &self.name, by: self.by };
        ClientRef { address: self.address, claim }.hash(state);
    }
}

impl Equivalent<Client> for ClientRef<'_> {
    fn equivalent(&self, client: &Client) -> bool {
        self.address == client.address
            && self.claim.name == client.name
            && self.claim.by == client.by
    }
}

impl AttributionTable {
    /// A table of these segments and fixed executors, with no registrations yet.
    ///
    /// Where two segments claim the same range, or two executors the same address, the first
    /// keeps it ([`crate::RawCollector::check`] refuses both).
    pub fn new(segments: Vec<Segment>, executors: Vec<StaticExecutor>) -> Self {
        Self::with(SegmentMap::configured(segments), executors)
    }

    /// For `egret analyze` without a configuration: every private address is an executor of the
    /// segment "private"; a public address that starts a flow is one of the segment "public".
    pub fn any_initiator() -> Self {
        Self::with(SegmentMap::any_initiator(), Vec::new())
    }

    fn with(segments: SegmentMap, executors: Vec<StaticExecutor>) -> Self {
        let mut fixed = HashMap::with_hasher(FixedState::with_seed(SEED));
        let mut fixed_ids = HashSet::with_hasher(FixedState::with_seed(SEED));
        for executor in executors {
            let address = executor.address.to_canonical();
            fixed_ids.insert(executor.id.clone());
            let who = Attribution {
                executor: executor.id,
                session: None,
                template: executor.template,
                tenant: executor.tenant,
                segment: segments.or_unassigned(address),
                named_by: NamedBy::Configuration,
            };
            fixed.entry(address).or_insert_with(|| Arc::new(who));
        }
        let learned = Learned {
            registrations: Registrations::default(),
            derived: HashMap::with_hasher(FixedState::with_seed(SEED)),
            disputes: Disputes::default(),
        };
        let version = AtomicU64::new(0);
        Self { segments, fixed, fixed_ids, learned: RwLock::new(learned), version }
    }

    /// Takes a registration. The newest word about an interval wins; an interval without an end
    /// ends where the next one of the same address starts. The same id with the same start
    /// replaces what was said before, so an executor's end is told by registering it again.
    ///
    /// The registration is taken as it is: [`ExecutorRegistration::check`] it first.
    pub fn register(&self, registration: &ExecutorRegistration) {
        self.register_by(NamedBy::Registration, registration);
    }

    /// As [`Self::register`], by another authority: [`NamedBy::Kubernetes`] or
    /// [`NamedBy::Docker`].
    pub fn register_by(&self, by: NamedBy, registration: &ExecutorRegistration) {
        let address = registration.address.to_canonical();
        let who = Arc::new(Attribution {
            executor: registration.id.clone(),
            session: registration.session.clone(),
            template: registration.template.clone(),
            tenant: registration.tenant.clone(),
            segment: self.segments.or_unassigned(address),
            named_by: by,
        });
        let mut learned = self.write();
        let evicted = learned.registrations.add(address, registration, Arc::clone(&who));
        self.dispute_interval(&mut learned, address, registration.from, &who);
        self.version.fetch_add(1, Release);
        drop(learned);
        if evicted > 0 {
            metrics::counter!("egret_collector_registrations_evicted_total").increment(evicted);
        }
    }

    /// What an authority said of executors whose end it has not told yet.
    #[cfg(any(feature = "docker", feature = "kubernetes", test))]
    pub fn running(&self, by: NamedBy) -> Vec<ExecutorRegistration> {
        self.read().registrations.running(by)
    }

    /// Whether the address is watched: it lies in a segment, is configured, or is registered for
    /// any time.
    pub fn is_watched(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.segments.watches(address)
            || self.fixed.contains_key(&address)
            || self.read().registrations.knows(address)
    }

    /// Who had `address` at `at`. `None`: nobody named it and it is in no segment.
    pub fn attribute(&self, address: IpAddr, at: Timestamp) -> Option<Arc<Attribution>> {
        self.attribute_client(address, None, at)
    }

    /// As [`Self::attribute`], for a client of a proxy that has shown who it is: where nothing
    /// stronger than the address names the executor, the executor is the one it claims to be.
    pub fn attribute_client(
        &self,
        address: IpAddr,
        claim: Option<Claim<'_>>,
        at: Timestamp,
    ) -> Option<Arc<Attribution>> {
        let claim = claim.unwrap_or(Claim::NONE);
        let client = ClientRef { address: address.to_canonical(), claim };
        let held = {
            let learned = self.read();
            let named = learned.registrations.find(client.address, at);
            let named = named.or_else(|| self.fixed.get(&client.address));
            let Some(who) = named.or_else(|| learned.derived.get(&client)) else {
                drop(learned);
                return self.derive(client);
            };
            if claim.name.is_empty() || !self.is_borrowed(&learned, client, who) {
                return Some(Arc::clone(who));
            }
            Arc::clone(who)
        };
        self.write().disputes.note(Dispute {
            address: client.address,
            at,
            held: Arc::clone(&held),
            other: claim.by,
            other_executor: claim.name.into(),
        });
        Some(held)
    }

    /// Whether [`Self::attribute`] gives the same for `address` whatever the time, as long as the
    /// version does not change.
    pub(crate) fn is_same_at_all_times(&self, address: IpAddr) -> bool {
        !self.read().registrations.knows(address.to_canonical())
    }

    /// Changes with each registration.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Acquire)
    }

    /// Whether a client shows the name of another executor that is known, and not its own; and
    /// that was not noted yet.
    fn is_borrowed(&self, learned: &Learned, client: ClientRef<'_>, who: &Attribution) -> bool {
        let name = client.claim.name;
        who.executor != name
            && (learned.registrations.names(name) || self.fixed_ids.contains(name))
            && !learned.disputes.knows(client.address, &who.executor, name)
    }

    /// Notes who else is said to have had an address, when another interval of it was added.
    fn dispute_interval(
        &self,
        learned: &mut Learned,
        address: IpAddr,
        at: Timestamp,
        who: &Arc<Attribution>,
    ) {
        let fixed = self.fixed.get(&address).filter(|fixed| fixed.executor != who.executor);
        let rivals: Vec<_> = learned.registrations.rivals(address).chain(fixed).cloned().collect();
        for rival in rivals {
            let is_stronger = rival.named_by > who.named_by;
            let (held, other) = if is_stronger { (&rival, who) } else { (who, &rival) };
            learned.disputes.note(Dispute {
                address,
                at,
                held: Arc::clone(held),
                other: other.named_by,
                other_executor: other.executor.clone(),
            });
        }
    }

    /// The disputes that were noted since the last call, at most about a thousand.
    pub fn take_disputes(&self) -> Vec<Dispute> {
        self.write().disputes.take()
    }

    /// Makes and keeps the attribution of a client that nobody named.
    fn derive(&self, client: ClientRef<'_>) -> Option<Arc<Attribution>> {
        let segment = self.segments.of(client.address)?;
        let (executor, named_by) = match client.claim.name {
            "" => (SmolStr::from(client.address.to_string()), NamedBy::Address),
            name => (SmolStr::from(name), client.claim.by),
        };
        let who = Arc::new(Attribution {
            executor,
            session: None,
            template: None,
            tenant: None,
            segment: segment.clone(),
            named_by,
        });
        let mut learned = self.write();
        if learned.derived.len() >= MAX_DERIVED {
            metrics::counter!("egret_collector_attribution_cache_emptied_total").increment(1);
            learned.derived.clear();
        }
        let Claim { name, by } = client.claim;
        let key = Client { address: client.address, name: name.into(), by };
        // Another thread may have made it meanwhile: then both use the same one.
        Some(Arc::clone(learned.derived.entry(key).or_insert(who)))
    }

    // A panic while the lock was held leaves at worst a registration half sorted in; going on is
    // better than to stop attributing.
    fn read(&self) -> RwLockReadGuard<'_, Learned> {
        self.learned.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Learned> {
        self.learned.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    fn user(name: &str) -> Option<Claim<'_>> {
        Some(Claim { name, by: NamedBy::ProxyUser })
    }

    fn registration(id: &str, from: i64, until: Option<i64>) -> ExecutorRegistration {
        ExecutorRegistration {
            id: id.into(),
            address: address("10.20.0.17"),
            template: Some("python".into()),
            tenant: None,
            session: None,
            from: at(from),
            until: until.map(at),
        }
    }

    fn table() -> AttributionTable {
        let segments = vec![
            Segment { name: "wide".into(), ranges: vec!["10.0.0.0/8".parse().unwrap()] },
            Segment {
                name: "narrow".into(),
                ranges: vec!["10.20.0.0/16".parse().unwrap(), "fd00:20::/32".parse().unwrap()],
            },
        ];
        let fixed = |id: &str, at: &str| StaticExecutor {
            id: id.into(),
            address: address(at),
            template: None,
            tenant: Some("acme".into()),
        };
        AttributionTable::new(
            segments,
            vec![fixed("builder", "10.20.0.99"), fixed("outpost", "203.0.113.5")],
        )
    }

    fn named(table: &AttributionTable, ip: &str, seconds: i64) -> Option<(String, String)> {
        let who = table.attribute(address(ip), at(seconds))?;
        Some((who.executor.to_string(), who.segment.to_string()))
    }

    fn pair(executor: &str, segment: &str) -> Option<(String, String)> {
        Some((executor.to_owned(), segment.to_owned()))
    }

    #[test]
    fn an_unnamed_address_is_its_own_executor_in_the_narrowest_segment() {
        let table = table();
        assert_eq!(named(&table, "10.20.0.17", 5), pair("10.20.0.17", "narrow"));
        assert_eq!(named(&table, "10.21.0.17", 5), pair("10.21.0.17", "wide"));
        assert_eq!(named(&table, "fd00:20::1", 5), pair("fd00:20::1", "narrow"));
        assert_eq!(named(&table, "::ffff:10.20.0.17", 5), pair("10.20.0.17", "narrow"));
        assert_eq!(named(&table, "192.0.2.1", 5), None);
        assert!(!table.is_watched(address("192.0.2.1")));
    }

    #[test]
    fn the_strongest_source_that_covers_the_time_names_the_executor() {
        let table = table();
        table.register(&registration("job-1", 10, Some(20)));
        assert_eq!(named(&table, "10.20.0.17", 9), pair("10.20.0.17", "narrow"));
        assert_eq!(named(&table, "10.20.0.17", 10), pair("job-1", "narrow"));
        assert_eq!(named(&table, "10.20.0.17", 20), pair("10.20.0.17", "narrow"));
        let other = ExecutorRegistration {
            address: address("10.20.0.99"),
            ..registration("job-2", 10, Some(20))
        };
        table.register(&other);
        assert_eq!(named(&table, "10.20.0.99", 15), pair("job-2", "narrow"));
        assert_eq!(named(&table, "10.20.0.99", 25), pair("builder", "narrow"));
    }

    #[test]
    fn a_named_address_outside_every_segment_is_watched_and_unassigned() {
        let table = table();
        assert_eq!(named(&table, "203.0.113.5", 5), pair("outpost", UNASSIGNED_SEGMENT));
        assert!(table.is_watched(address("203.0.113.5")));
        table.register(&ExecutorRegistration {
            address: address("203.0.113.6"),
            ..registration("guest", 10, None)
        });
        assert_eq!(named(&table, "203.0.113.6", 12), pair("guest", UNASSIGNED_SEGMENT));
        assert_eq!(named(&table, "203.0.113.6", 9), None);
        assert!(table.is_watched(address("203.0.113.6")));
    }

    #[test]
    fn a_reused_address_passes_from_one_executor_to_the_next() {
        let table = table();
        // Told late and out of order, as it happens when a starter retries.
        table.register(&registration("second", 20, None));
        table.register(&registration("first", 10, None));
        assert_eq!(named(&table, "10.20.0.17", 19), pair("first", "narrow"));
        assert_eq!(named(&table, "10.20.0.17", 20), pair("second", "narrow"));
        table.register(&registration("second", 20, Some(30)));
        assert_eq!(named(&table, "10.20.0.17", 30), pair("10.20.0.17", "narrow"));
    }

    #[test]
    fn the_newest_word_about_an_overlap_wins() {
        let table = table();
        table.register(&registration("old", 0, Some(100)));
        table.register(&registration("inner", 40, Some(60)));
        assert_eq!(named(&table, "10.20.0.17", 50), pair("inner", "narrow"));
        assert_eq!(named(&table, "10.20.0.17", 70), pair("old", "narrow"));
        table.register(&registration("whole", 0, Some(90)));
        assert_eq!(named(&table, "10.20.0.17", 50), pair("whole", "narrow"));
        assert_eq!(named(&table, "10.20.0.17", 95), pair("old", "narrow"));
    }

    #[test]
    fn a_proxy_user_names_what_nothing_stronger_does() {
        let table = table();
        let who = table.attribute_client(address("10.20.0.1"), user("agent-7"), at(5)).unwrap();
        assert_eq!((who.executor.as_str(), who.named_by), ("agent-7", NamedBy::ProxyUser));
        let who = table.attribute_client(address("10.20.0.99"), user("agent-7"), at(5)).unwrap();
        assert_eq!((who.executor.as_str(), who.named_by), ("builder", NamedBy::Configuration));
        assert_eq!(table.attribute_client(address("192.0.2.1"), user("agent-7"), at(5)), None);
    }

    #[test]
    fn a_certificate_and_a_user_of_one_name_are_not_mixed_up() {
        let table = table();
        let shown = Some(Claim { name: "agent-7", by: NamedBy::ClientCertificate });
        let by = |claim| table.attribute_client(address("10.20.0.1"), claim, at(5)).unwrap();
        assert_eq!(by(user("agent-7")).named_by, NamedBy::ProxyUser);
        assert_eq!(by(shown).named_by, NamedBy::ClientCertificate);
    }

    fn disputes(table: &AttributionTable) -> Vec<(String, &'static str, String, &'static str)> {
        let told = table.take_disputes().into_iter().map(|dispute| {
            let held = (dispute.held.executor.to_string(), dispute.held.named_by.word());
            (held.0, held.1, dispute.other_executor.to_string(), dispute.other.word())
        });
        told.collect()
    }

    #[test]
    fn the_stronger_authority_holds_and_the_dispute_is_told_once() {
        let table = table();
        table.register_by(NamedBy::Kubernetes, &registration("default/pod-a", 10, None));
        assert_eq!(named(&table, "10.20.0.17", 15), pair("default/pod-a", "narrow"));
        for _ in 0..3 {
            table.register(&registration("job-1", 20, Some(30)));
        }
        assert_eq!(named(&table, "10.20.0.17", 25), pair("job-1", "narrow"));
        // The registration does not end what the cluster says.
        assert_eq!(named(&table, "10.20.0.17", 30), pair("default/pod-a", "narrow"));
        let told = ("job-1".into(), "registration", "default/pod-a".into(), "kubernetes");
        assert_eq!(disputes(&table), [told]);
        assert_eq!(disputes(&table), []);
    }

    #[test]
    fn authorities_that_agree_or_speak_of_other_times_have_no_dispute() {
        let table = table();
        table.register_by(NamedBy::Kubernetes, &registration("job-1", 10, Some(20)));
        table.register(&registration("job-1", 10, Some(20)));
        table.register(&registration("job-2", 20, Some(30)));
        table.register(&registration("job-3", 30, None));
        assert_eq!(disputes(&table), []);
    }

    #[test]
    fn what_the_configuration_says_may_be_disputed_too() {
        let table = table();
        let other = ExecutorRegistration {
            address: address("10.20.0.99"),
            ..registration("pod-b", 10, None)
        };
        table.register_by(NamedBy::Docker, &other);
        assert_eq!(named(&table, "10.20.0.99", 15), pair("pod-b", "narrow"));
        let told = ("pod-b".into(), "docker", "builder".into(), "configuration");
        assert_eq!(disputes(&table), [told]);
    }

    #[test]
    fn an_executor_that_shows_the_name_of_another_is_told_of() {
        let table = table();
        table.register(&registration("job-1", 10, None));
        let borrowed = table.attribute_client(address("10.20.0.17"), user("builder"), at(15));
        assert_eq!(borrowed.unwrap().executor, "job-1");
        let unknown = table.attribute_client(address("10.20.0.17"), user("alice"), at(15));
        assert_eq!(unknown.unwrap().executor, "job-1");
        let told = ("job-1".into(), "registration", "builder".into(), "proxy user");
        assert_eq!(disputes(&table), [told]);
    }

    #[test]
    fn a_dispute_is_an_event_with_both_names() {
        let table = table();
        table.register(&registration("job-1", 10, None));
        table.register_by(NamedBy::Docker, &registration("box", 11, None));
        let event = table.take_disputes()[0].event(&"attribution".into());
        assert_eq!((event.origin.executor.as_str(), event.client.1), ("job-1", 0));
        let egret_event::Fact::Contradiction(said) = event.fact else { panic!("not said") };
        assert_eq!((said.one.as_str(), said.other.as_str()), ("registration", "docker"));
        assert_eq!((said.one_says.as_str(), said.other_says.as_str()), ("job-1", "box"));
    }

    #[test]
    fn a_second_look_gives_the_same_attribution_without_making_it_again() {
        let table = table();
        let look = || table.attribute_client(address("10.20.0.1"), user("agent-7"), at(5)).unwrap();
        assert!(Arc::ptr_eq(&look(), &look()));
    }

    #[test]
    fn without_configuration_private_addresses_are_watched() {
        let table = AttributionTable::any_initiator();
        for private in [
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.1.1",
            "fd12::1",
            "fe80::1",
        ] {
            assert!(table.is_watched(address(private)), "{private}");
            assert_eq!(named(&table, private, 0), pair(private, "private"));
        }
        for public in ["172.32.0.1", "100.128.0.1", "203.0.113.9", "2001:db8::1"] {
            assert!(!table.is_watched(address(public)), "{public}");
            assert_eq!(named(&table, public, 0), pair(public, "public"));
        }
    }

    #[test]
    fn clients_without_a_name_cannot_grow_the_table_without_bound() {
        let table = table();
        for n in 0..70_000u32 {
            table.attribute(IpAddr::from((10 << 24 | n).to_be_bytes()), at(0)).unwrap();
        }
        assert!(table.read().derived.len() <= MAX_DERIVED);
    }
}
