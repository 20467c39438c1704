//! Who has which address when.
//!
//! Owns the one table that turns an address and a time into an [`Attribution`]. It does not know
//! where registrations come from, nor what the addresses did.

mod registrations;
mod segments;

use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use egret_event::{Attribution, ExecutorRegistration, NamedBy, SmolStr, Timestamp};
use foldhash::quality::FixedState;
use hashbrown::{Equivalent, HashMap};
use ipnet::IpNet;

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
/// Three sources name an executor, the strongest first: a registration that covers the time, an
/// entry in the configuration, the address itself within a segment. Looking up something known
/// takes a read lock and allocates nothing.
#[derive(Debug)]
pub struct AttributionTable {
    segments: SegmentMap,
    fixed: HashMap<IpAddr, Arc<Attribution>, FixedState>,
    learned: RwLock<Learned>,
}

/// What the table learns while it runs.
#[derive(Debug)]
struct Learned {
    registrations: Registrations,
    /// By address and proxy user; an empty user is the address alone.
    derived: HashMap<Client, Arc<Attribution>, FixedState>,
}

/// A client of a proxy.
#[derive(Debug, PartialEq, Eq)]
struct Client {
    address: IpAddr,
    user: SmolStr,
}

/// A [`Client`] that owns nothing, to look one up with.
#[derive(Clone, Copy)]
struct ClientRef<'a> {
    address: IpAddr,
    user: &'a str,
}

impl Hash for ClientRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Fewer and larger writes than the derived form: this is done for each line of a log.
        let bits = match self.address {
            IpAddr::V4(v4) => u128::from(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        state.write_u128(bits);
        state.write(self.user.as_bytes());
    }
}

impl Hash for Client {
    fn hash<H: Hasher>(&self, state: &mut H) {
        ClientRef { address: self.address, user: &self.user }.hash(state);
    }
}

impl Equivalent<Client> for ClientRef<'_> {
    fn equivalent(&self, client: &Client) -> bool {
        self.address == client.address && self.user == client.user
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
        for executor in executors {
            let address = executor.address.to_canonical();
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
        };
        Self { segments, fixed, learned: RwLock::new(learned) }
    }

    /// Takes a registration. The newest word about an interval wins; an interval without an end
    /// ends where the next one of the same address starts. The same id with the same start
    /// replaces what was said before, so an executor's end is told by registering it again.
    ///
    /// The registration is taken as it is: [`ExecutorRegistration::check`] it first.
    pub fn register(&self, registration: &ExecutorRegistration) {
        let address = registration.address.to_canonical();
        let who = Arc::new(Attribution {
            executor: registration.id.clone(),
            session: registration.session.clone(),
            template: registration.template.clone(),
            tenant: registration.tenant.clone(),
            segment: self.segments.or_unassigned(address),
            named_by: NamedBy::Registration,
        });
        let evicted = self.write().registrations.add(address, registration, who);
        if evicted > 0 {
            metrics::counter!("egret_collector_registrations_evicted_total").increment(evicted);
        }
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
        self.attribute_user(address, None, at)
    }

    /// As [`Self::attribute`], for a client of a proxy that logged `user`: where nothing stronger
    /// than the address names the executor, the executor is the user.
    ///
    /// `user` becomes an executor's id as it is: the caller has made it printable and short.
    pub fn attribute_user(
        &self,
        address: IpAddr,
        user: Option<&str>,
        at: Timestamp,
    ) -> Option<Arc<Attribution>> {
        let client = ClientRef { address: address.to_canonical(), user: user.unwrap_or_default() };
        {
            let learned = self.read();
            let named = learned.registrations.find(client.address, at);
            let named = named.or_else(|| self.fixed.get(&client.address));
            if let Some(who) = named.or_else(|| learned.derived.get(&client)) {
                return Some(Arc::clone(who));
            }
        }
        self.derive(client)
    }

    /// Makes and keeps the attribution of a client that nobody named.
    fn derive(&self, client: ClientRef<'_>) -> Option<Arc<Attribution>> {
        let segment = self.segments.of(client.address)?;
        let (executor, named_by) = match client.user {
            "" => (SmolStr::from(client.address.to_string()), NamedBy::Address),
            user => (SmolStr::from(user), NamedBy::ProxyUser),
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
        let key = Client { address: client.address, user: client.user.into() };
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
        let who = table.attribute_user(address("10.20.0.1"), Some("agent-7"), at(5)).unwrap();
        assert_eq!((who.executor.as_str(), who.named_by), ("agent-7", NamedBy::ProxyUser));
        let who = table.attribute_user(address("10.20.0.99"), Some("agent-7"), at(5)).unwrap();
        assert_eq!((who.executor.as_str(), who.named_by), ("builder", NamedBy::Configuration));
        assert_eq!(table.attribute_user(address("192.0.2.1"), Some("agent-7"), at(5)), None);
    }

    #[test]
    fn a_second_look_gives_the_same_attribution_without_making_it_again() {
        let table = table();
        let look = || table.attribute_user(address("10.20.0.1"), Some("agent-7"), at(5)).unwrap();
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
