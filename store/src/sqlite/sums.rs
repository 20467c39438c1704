//! Sums per minute and per hour, by destination and executor, kept as events come in.
//!
//! The same egress may be told of twice: by the packets on the wire and by a proxy's log. The
//! two views are summed apart; whoever reports takes the larger one per destination and executor.

use egret_event::{Event, Fact, Timestamp};
use rusqlite::{Connection, params};

use super::dictionary::Map;
use super::stored::{Stored, signed};
use crate::StoreError;

/// Nanoseconds of a minute and of an hour.
pub(super) const MINUTE: i64 = 60_000_000_000;
pub(super) const HOUR: i64 = 60 * MINUTE;

/// The most bytes that one event or one row counts: 2^53, beyond any real transfer. A forged log
/// line can then not push a sum over the edge of 64 bits.
const MOST: i64 = 1 << 53;

/// (period, destination, executor).
type Key = (i64, i64, i64);

#[derive(Default, Clone, Copy)]
struct View {
    up: i64,
    down: i64,
    allowed: i64,
    blocked: i64,
}

#[derive(Clone, Copy)]
struct Sums {
    wire: View,
    logged: View,
    events: i64,
    missed: i64,
    last_seen: Timestamp,
}

/// The sums of one batch.
#[derive(Default)]
pub(super) struct UnitSums {
    minutes: Map<Key, Sums>,
}

impl UnitSums {
    pub(super) fn add(&mut self, event: &Event, destination: i64, executor: i64) {
        let minute = event.at.as_nanos().div_euclid(MINUTE);
        let sums = Sums::of(event);
        self.minutes
            .entry((minute, destination, executor))
            .and_modify(|all| all.add(&sums))
            .or_insert(sums);
    }

    pub(super) fn write(&self, db: &Connection) -> Result<(), StoreError> {
        upsert(db, &statement("minutes", "minute"), &self.minutes)?;
        let mut hours = Map::<Key, Sums>::default();
        for (&(minute, destination, executor), sums) in &self.minutes {
            hours
                .entry((minute.div_euclid(60), destination, executor))
                .and_modify(|all| all.add(sums))
                .or_insert(*sums);
        }
        upsert(db, &statement("hours", "hour"), &hours)
    }
}

impl Sums {
    fn of(event: &Event) -> Self {
        let mut sums = Self {
            wire: View::default(),
            logged: View::default(),
            events: 1,
            missed: 0,
            last_seen: event.at,
        };
        match &event.fact {
            Fact::Flow(_) => sums.wire = View::of(event),
            Fact::Http(request) if request.seen_by.is_logged() => {
                sums.logged = View::of(event);
            }
            Fact::Gap(gap) => {
                sums.events = 0;
                sums.missed = signed(gap.count).min(MOST);
            }
            // Details of a flow, whose intervals carry the volume and the contact.
            Fact::Dns(_)
            | Fact::Tls(_)
            | Fact::Http(_)
            | Fact::Certificate(_)
            | Fact::Contradiction(_) => {}
        }
        sums
    }

    fn add(&mut self, other: &Self) {
        self.wire.add(&other.wire);
        self.logged.add(&other.logged);
        self.events += other.events;
        self.missed = (self.missed + other.missed).min(MOST);
        self.last_seen = self.last_seen.max(other.last_seen);
    }
}

impl View {
    fn of(event: &Event) -> Self {
        let blocked = i64::from(event.is_contact() && event.verdict.is_blocked());
        Self {
            up: signed(event.up.bytes.unwrap_or(0)).min(MOST),
            down: signed(event.down.bytes.unwrap_or(0)).min(MOST),
            allowed: i64::from(event.is_contact()) - blocked,
            blocked,
        }
    }

    fn add(&mut self, other: &Self) {
        self.up = (self.up + other.up).min(MOST);
        self.down = (self.down + other.down).min(MOST);
        self.allowed += other.allowed;
        self.blocked += other.blocked;
    }
}

fn statement(table: &'static str, period: &'static str) -> String {
    format!(
        "INSERT INTO {table} ({period}, destination, executor,
             wire_up, wire_down, wire_allowed, wire_blocked,
             logged_up, logged_down, logged_allowed, logged_blocked,
             events, missed, last_seen)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
         ON CONFLICT DO UPDATE SET
             wire_up = min(wire_up + excluded.wire_up, {MOST}),
             wire_down = min(wire_down + excluded.wire_down, {MOST}),
             wire_allowed = wire_allowed + excluded.wire_allowed,
             wire_blocked = wire_blocked + excluded.wire_blocked,
             logged_up = min(logged_up + excluded.logged_up, {MOST}),
             logged_down = min(logged_down + excluded.logged_down, {MOST}),
             logged_allowed = logged_allowed + excluded.logged_allowed,
             logged_blocked = logged_blocked + excluded.logged_blocked,
             events = events + excluded.events,
             missed = min(missed + excluded.missed, {MOST}),
             last_seen = max(last_seen, excluded.last_seen)"
    )
}

fn upsert(db: &Connection, sql: &str, sums: &Map<Key, Sums>) -> Result<(), StoreError> {
    let mut rows: Vec<_> = sums.iter().collect();
    // In the order of the key, neighbours lie in one page.
    rows.sort_unstable_by_key(|(key, _)| **key);
    let mut statement = db.prepare_cached(sql)?;
    for ((period, destination, executor), sums) in rows {
        let (wire, logged) = (&sums.wire, &sums.logged);
        statement.execute(params![
            period,
            destination,
            executor,
            wire.up,
            wire.down,
            wire.allowed,
            wire.blocked,
            logged.up,
            logged.down,
            logged.allowed,
            logged.blocked,
            sums.events,
            sums.missed,
            Stored(sums.last_seen),
        ])?;
    }
    Ok(())
}
