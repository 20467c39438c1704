//! What the other logs call the connections of `conn`, which has addresses only.
//!
//! A connection is named by the lines that have its `uid`: the server name of `ssl` and `quic`, the
//! host of `http`. Without such a line it is named by what its client was told of the address
//! (`dns`), as flows in captures are. Where lines of one connection name several sites, as those of a
//! proxy's client do, it is a connection to none of them.
//!
//! Logs that are followed are read side by side: what they say is remembered for a while, and a
//! connection is named by what was read before it. Logs that are read once are looked through for
//! names beforehand ([`super::beforehand`]).

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use egret_event::{NameSource, SmolStr, TlsHello, clean_name_bytes, registrable_domain};
use foldhash::quality::FixedState;
use hashbrown::HashMap;

use super::field::Field;
use super::row::Row;
use crate::logs::entry::{DnsRecord, Entry, FlowRecord};
use crate::logs::record::LogRecord;
use crate::logs::text::literal;
use crate::names::{Limits, Names, number};

/// Connections whose names are remembered before the older half is forgotten; at most twice as many
/// are, at about 100 bytes each. Zeek writes `conn` seconds after a connection has ended: this is an
/// hour of 30 connections a second.
const YOUNG_LIVE: usize = 131_072;

/// As many where all is read before the first connection is named.
const YOUNG_WHOLE: usize = 524_288;

/// Longest id of a connection, in bytes. Zeek's have 18.
const MAX_UID_BYTES: usize = 32;

/// Questions whose answers say where a name is: A and AAAA, and where Zeek saw only the answer, so that
/// the type is not known, those that were answered by an address.
const ADDRESSES: [u16; 3] = [1, 28, 0];

/// What was learned of the names of connections. Cheap to clone: all clones are one.
///
/// Addresses mean the same in all sources that share it, as they do for attribution.
#[derive(Debug, Clone)]
pub struct ConnectionNames(Shared);

#[derive(Debug, Clone)]
enum Shared {
    /// Learned while connections are named.
    Growing(Arc<Mutex<Book>>),
    /// Learned before, and not any more.
    Whole(Arc<Book>),
}

/// Names by connection, and by client and address.
#[derive(Debug)]
struct Book {
    connections: Connections,
    answers: Names,
}

impl Default for ConnectionNames {
    /// Nothing yet; what is read is learned.
    fn default() -> Self {
        Self::growing(Book::new(YOUNG_LIVE, Limits::LOGS))
    }
}

impl ConnectionNames {
    /// Nothing yet, with room for whole logs.
    pub(super) fn roomy() -> Self {
        Self::growing(Book::new(YOUNG_WHOLE, Limits::WHOLE))
    }

    fn growing(book: Book) -> Self {
        Self(Shared::Growing(Arc::new(Mutex::new(book))))
    }

    /// What was learned so far, and no more.
    pub(super) fn whole(self) -> Self {
        match self.0 {
            Shared::Growing(book) => {
                let nothing = Book::new(YOUNG_LIVE, Limits::LOGS);
                let learned = std::mem::replace(&mut *lock(&book), nothing);
                Self(Shared::Whole(Arc::new(learned)))
            }
            whole => Self(whole),
        }
    }

    /// Learns from an entry, or gives it the name that is known for it.
    pub(super) fn join(&self, row: &Row<'_>, entry: &mut Entry<'_>) {
        if let Entry::Flow(flow) = entry {
            match &self.0 {
                Shared::Growing(book) => lock(book).name(flow),
                Shared::Whole(book) => book.name(flow),
            }
        } else if let Shared::Growing(book) = &self.0 {
            lock(book).learn(row, entry);
        }
    }

    /// How many names were forgotten for want of room since the last call.
    pub(in crate::logs) fn take_forgotten(&self) -> u64 {
        match &self.0 {
            Shared::Growing(book) => lock(book).take_forgotten(),
            Shared::Whole(_) => 0,
        }
    }
}

/// A panic while it was locked leaves at worst a name half counted.
fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Book {
    fn new(connections: usize, answers: Limits) -> Self {
        Self { connections: Connections::new(connections), answers: Names::new(answers) }
    }

    fn learn(&mut self, row: &Row<'_>, entry: &Entry<'_>) {
        match entry {
            Entry::Dns(asked) => self.learn_answer(asked, row),
            Entry::Tls(_, hello) => self.learn_connection(row, named_by_hello(hello)),
            Entry::Request(request) => self.learn_connection(row, named_by_request(request)),
            Entry::Flow(_) | Entry::Certificate(..) | Entry::Gap(_) => {}
        }
    }

    fn learn_answer(&mut self, asked: &DnsRecord<'_>, row: &Row<'_>) {
        let Some(answer) = asked.resolution.as_ref().filter(|answer| answer.code == 0) else {
            return;
        };
        if !ADDRESSES.contains(&asked.query_type) || answer.addresses.is_empty() {
            return;
        }
        let name = clean_name_bytes(&asked.name);
        let (client, ttl_s) = (number(asked.ends.client.0), row.longest_s(Field::Ttls));
        for address in &answer.addresses {
            self.answers.learn((client, number(*address)), &name, ttl_s, asked.ends.at);
        }
    }

    fn learn_connection(&mut self, row: &Row<'_>, named: Option<Named>) {
        let uid = row.text(Field::Uid).filter(|uid| uid.len() <= MAX_UID_BYTES);
        if let (Some(uid), Some(named)) = (uid, named) {
            self.connections.learn(&uid, named);
        }
    }

    /// Gives a flow the name that is known for it.
    fn name(&self, flow: &mut FlowRecord<'_>) {
        let of_connection = flow.id.as_deref().and_then(|uid| self.connections.find(uid));
        if let Some(named) = of_connection {
            flow.host = Some((Cow::Owned(named.host.as_bytes().to_vec()), named.by));
            flow.ends.server.1 = named.port_behind.unwrap_or(flow.ends.server.1);
            return;
        }
        let ends = (number(flow.ends.client.0), number(flow.ends.server.0));
        if let Some(name) = self.answers.find_for(ends, (flow.from, flow.ends.at)) {
            flow.host = Some((Cow::Owned(name.as_bytes().to_vec()), NameSource::Dns));
        }
    }

    fn take_forgotten(&mut self) -> u64 {
        self.answers.take_evicted() + std::mem::take(&mut self.connections.forgotten)
    }
}

/// Whom a connection is with.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    host: SmolStr,
    by: NameSource,
    /// The port of the place behind a proxy; `None` where the connection is with the host itself.
    port_behind: Option<u16>,
    /// Whether all lines of the connection mean the same site.
    is_one: bool,
}

impl Named {
    /// `None`: it is no name.
    fn of(host: &[u8], by: NameSource) -> Option<Self> {
        if literal(host).is_some() {
            return None;
        }
        let host = clean_name_bytes(host);
        (!host.is_empty()).then_some(Self { host, by, port_behind: None, is_one: true })
    }

    /// How far it is to be believed, as for captures: a client means the place that it asks a proxy
    /// for, then the server that it names to begin TLS, then, less firmly, the Host header.
    fn rank(&self) -> u8 {
        match self.by {
            NameSource::Connect => 2,
            NameSource::Sni => 1,
            _ => 0,
        }
    }

    fn is_same_site(&self, other: &Self) -> bool {
        self.host == other.host || registrable_domain(&self.host) == registrable_domain(&other.host)
    }
}

fn named_by_hello(hello: &TlsHello) -> Option<Named> {
    Named::of(hello.sni.as_ref()?.as_bytes(), NameSource::Sni)
}

fn named_by_request(request: &LogRecord<'_>) -> Option<Named> {
    let named = Named::of(&request.host, request.named_by)?;
    let port_behind = request.address.is_none().then_some(request.port);
    Some(Named { port_behind, ..named })
}

/// Names by `uid`, in two generations.
#[derive(Debug)]
struct Connections {
    young: HashMap<SmolStr, Named, FixedState>,
    old: HashMap<SmolStr, Named, FixedState>,
    most: usize,
    forgotten: u64,
}

impl Connections {
    fn new(most: usize) -> Self {
        Self { young: HashMap::default(), old: HashMap::default(), most, forgotten: 0 }
    }

    /// Takes the name that a line gives. The first of those that are to be believed as far holds.
    fn learn(&mut self, uid: &[u8], named: Named) {
        let Ok(uid) = str::from_utf8(uid) else { return };
        let known = self.young.get_mut(uid).or_else(|| self.old.get_mut(uid));
        if let Some(known) = known {
            if named.rank() > known.rank() {
                *known = named;
            } else if named.rank() == known.rank() {
                known.is_one &= known.is_same_site(&named);
            }
            return;
        }
        if self.young.len() >= self.most {
            self.forgotten += self.old.len() as u64;
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(uid.into(), named);
    }

    fn find(&self, uid: &[u8]) -> Option<&Named> {
        let uid = str::from_utf8(uid).ok()?;
        let known = self.young.get(uid).or_else(|| self.old.get(uid))?;
        known.is_one.then_some(known)
    }
}

#[cfg(test)]
mod tests;
