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
mod tests;
