//! What Egret remembers: events, their sums per minute and hour, incidents with their history, snapshots, the outbox.
//!
//! All methods block; asynchronous callers use a blocking thread. There is one writer of the
//! pipeline (see [`Store::commit`]); the rest may be called from any thread.

mod config;
mod error;
mod heard;
mod query;
mod rows;
mod sqlite;

pub use config::{RawStore, StoreConfig};
pub use error::StoreError;
pub use heard::{Heard, NotHeard};
pub use query::{
    Cursor, DestinationQuery, DestinationSort, EventQuery, ExecutorQuery, GroupBy, IncidentQuery,
    IncidentSort, Page, SeriesQuery, SortOrder, page_size,
};
pub use rows::{
    Action, Addressee, AlertRollUp, Committed, Delivery, DeliveryState, DestinationRow,
    ExecutorRow, FeedbackMatches, Gathered, HistoryEntry, IncidentDetail, IncidentMatches,
    IncidentRow, IncidentVerdict, OutboxEntry, Pruned, Recovery, Role, Series, SeriesPoint,
    TokenRow, VerdictRow, WriteUnit,
};
pub use sqlite::SqliteStore;

pub use egret_analyzer::IncidentStatus;
use egret_analyzer::{
    ChangeKind, Detector, Feedback, FrozenBaseline, Incident, IncidentChange, RollUp, Suppression,
};
use egret_event::{Event, EventId, ExecutorRegistration, Timestamp};

/// A store. A closed set: SQLite for one machine; ClickHouse joins it when users outgrow that.
#[derive(Clone, Debug)]
pub enum Store {
    /// One file.
    Sqlite(SqliteStore),
}

impl Store {
    /// Opens the store, creating or migrating it as needed.
    pub fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        SqliteStore::open(config).map(Self::Sqlite)
    }

    /// Writes one unit in one transaction: all of it is durable, or none of it.
    ///
    /// Repeats are recognized by id (events by id and time, which are both given by the input):
    /// an event, change or alert that is already there is left as it is and counted nowhere twice.
    ///
    /// Changes whose incident matches a suppression at `unit.now`, or is like one that was judged benign,
    /// are stored, and their alerts are counted instead of queued. A closed incident that opens again or grows is open.
    pub fn commit(&self, unit: &WriteUnit<'_>) -> Result<Committed, StoreError> {
        let Self::Sqlite(store) = self;
        store.commit(unit)
    }

    /// The last snapshot of the engine and the input positions it goes with.
    pub fn recover(&self) -> Result<Option<Recovery>, StoreError> {
        let Self::Sqlite(store) = self;
        store.recover()
    }

    /// A frozen baseline, by the id that incidents name. `None`: it is not kept any more, or never
    /// was (the shipped priors).
    pub fn baseline(&self, id: EventId) -> Result<Option<FrozenBaseline>, StoreError> {
        let Self::Sqlite(store) = self;
        store.baseline(id)
    }

    /// The newest frozen baseline that is kept and was there at `at`.
    pub fn baseline_at(&self, at: Timestamp) -> Result<Option<FrozenBaseline>, StoreError> {
        let Self::Sqlite(store) = self;
        store.baseline_at(at)
    }

    /// Deletes what is older than the retention or beyond the size limit.
    pub fn prune(&self, now: Timestamp) -> Result<Pruned, StoreError> {
        let Self::Sqlite(store) = self;
        store.prune(now)
    }

    /// Incidents that match, one page.
    pub fn incidents(&self, query: &IncidentQuery) -> Result<Page<IncidentRow>, StoreError> {
        let Self::Sqlite(store) = self;
        store.incidents(query)
    }

    /// Roll-ups of which at least one incident matches, those seen last first, one page. They count all
    /// their incidents, whether these match or not; hidden ones only where they are wanted. `sort`,
    /// `order` and `roll_up_of` do not count.
    pub fn roll_ups(&self, query: &IncidentQuery) -> Result<Page<RollUp>, StoreError> {
        let Self::Sqlite(store) = self;
        store.roll_ups(query)
    }

    /// One incident and where it stands. `None`: there is no such incident.
    pub fn incident_row(&self, id: EventId) -> Result<Option<IncidentRow>, StoreError> {
        let Self::Sqlite(store) = self;
        store.incident_row(id)
    }

    /// When one of these kinds of changes was last made to an incident. `None`: none was.
    pub fn last_changed(
        &self,
        id: EventId,
        kinds: &[ChangeKind],
    ) -> Result<Option<Timestamp>, StoreError> {
        let Self::Sqlite(store) = self;
        store.last_changed(id, kinds)
    }

    /// One incident with its history and its roll-up. `None`: there is no such incident.
    pub fn incident(&self, id: EventId) -> Result<Option<IncidentDetail>, StoreError> {
        let Self::Sqlite(store) = self;
        store.incident(id)
    }

    /// The incidents that a detector has most to do with and that are not closed: at most 1,000.
    pub fn standing_incidents(&self, detector: Detector) -> Result<Vec<Incident>, StoreError> {
        let Self::Sqlite(store) = self;
        store.standing_incidents(detector)
    }

    /// Carries out what a person wants done with an incident, and returns it as it is then
    /// together with the change that was made (`None`: it was already so). Alerts about the
    /// change are queued for `targets` in the same transaction.
    ///
    /// Nothing is queued about comments and about suppressed incidents. An act that changes
    /// nothing but came with a comment, or another verdict, counts as that comment.
    ///
    /// A verdict that it is a false positive counts for 30 days (see [`Store::feedback`]), and marks the
    /// incidents that would not have opened with it and are not closed. Another verdict, and opening the
    /// incident again, take that back.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where there is no such incident; [`StoreError::BadQuery`] for a
    /// comment that is missing or over 10,000 bytes, for acknowledging what is closed, and for a verdict
    /// on what is not to be closed.
    pub fn act(
        &self,
        id: EventId,
        action: &Action,
        now: Timestamp,
        targets: &[Addressee],
    ) -> Result<(IncidentRow, Option<IncidentChange>), StoreError> {
        let Self::Sqlite(store) = self;
        store.act(id, action, now, targets)
    }

    /// Events that match, newest first, one page.
    pub fn events(&self, query: &EventQuery) -> Result<Page<Event>, StoreError> {
        let Self::Sqlite(store) = self;
        store.events(query)
    }

    /// Up to 4,096 events at or after `since` and before `until`, oldest first; `after` is the last
    /// one of those that were read before. Fewer: there are no more.
    pub fn events_onward(
        &self,
        since: Timestamp,
        until: Timestamp,
        after: Option<&Event>,
    ) -> Result<Vec<Event>, StoreError> {
        let Self::Sqlite(store) = self;
        store.events_onward(since, until, after)
    }

    /// Destinations with their totals, from what is kept per minute and hour, one page.
    pub fn destinations(
        &self,
        query: &DestinationQuery,
    ) -> Result<Page<DestinationRow>, StoreError> {
        let Self::Sqlite(store) = self;
        store.destinations(query)
    }

    /// Executors seen or registered, one page.
    pub fn executors(&self, query: &ExecutorQuery) -> Result<Page<ExecutorRow>, StoreError> {
        let Self::Sqlite(store) = self;
        store.executors(query)
    }

    /// Writes a registration; the same id and `from` again replaces it (to set `until`).
    pub fn put_executor(&self, registration: &ExecutorRegistration) -> Result<(), StoreError> {
        let Self::Sqlite(store) = self;
        store.put_executor(registration)
    }

    /// All registrations that end after `since`, for the attribution table at start.
    pub fn registrations(&self, since: Timestamp) -> Result<Vec<ExecutorRegistration>, StoreError> {
        let Self::Sqlite(store) = self;
        store.registrations(since)
    }

    /// Sums over time, from what is kept per minute and hour.
    pub fn series(&self, query: &SeriesQuery) -> Result<Series, StoreError> {
        let Self::Sqlite(store) = self;
        store.series(query)
    }

    /// Suppressions that have not expired at `now`.
    pub fn suppressions(&self, now: Timestamp) -> Result<Vec<Suppression>, StoreError> {
        let Self::Sqlite(store) = self;
        store.suppressions(now)
    }

    /// Adds a suppression, marks the incidents it matches that are not closed, and says how many
    /// these are. Alerts already queued stay queued.
    ///
    /// # Errors
    /// [`StoreError::Exists`] where its id is taken.
    pub fn add_suppression(&self, suppression: &Suppression) -> Result<u64, StoreError> {
        let Self::Sqlite(store) = self;
        store.add_suppression(suppression)
    }

    /// What a suppression would match of the incidents that changed at or after `since`, and of
    /// those that are not closed, without saving it.
    pub fn preview_suppression(
        &self,
        suppression: &Suppression,
        since: Timestamp,
    ) -> Result<IncidentMatches, StoreError> {
        let Self::Sqlite(store) = self;
        store.preview_suppression(suppression, since)
    }

    /// Removes a suppression and its marks on incidents. `false`: there was none.
    pub fn remove_suppression(&self, id: EventId) -> Result<bool, StoreError> {
        let Self::Sqlite(store) = self;
        store.remove_suppression(id)
    }

    /// What people judged benign and counts at `now`, for the engine: of the last 10,000 incidents so
    /// judged.
    pub fn feedback(&self, now: Timestamp) -> Result<Vec<Feedback>, StoreError> {
        let Self::Sqlite(store) = self;
        store.feedback(now)
    }

    /// What it would do to judge an incident benign at `now`: which incidents that changed at or after
    /// `since` would not have opened, and which of those that are not closed, without saving it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where there is no such incident.
    pub fn preview_feedback(
        &self,
        id: EventId,
        now: Timestamp,
        since: Timestamp,
    ) -> Result<FeedbackMatches, StoreError> {
        let Self::Sqlite(store) = self;
        store.preview_feedback(id, now, since)
    }

    /// Adds an API token (its hash only).
    ///
    /// # Errors
    /// [`StoreError::Exists`] where its name or its hash is taken.
    pub fn add_token(&self, token: &TokenRow) -> Result<(), StoreError> {
        let Self::Sqlite(store) = self;
        store.add_token(token)
    }

    /// All tokens.
    pub fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        let Self::Sqlite(store) = self;
        store.tokens()
    }

    /// Removes the token of that name. `false`: there was none.
    pub fn remove_token(&self, name: &str) -> Result<bool, StoreError> {
        let Self::Sqlite(store) = self;
        store.remove_token(name)
    }

    /// Up to `limit` alerts for `target` whose next attempt is due at `now`, oldest first. Alerts
    /// of one incident come in order: a later one is not due before the earlier one is done.
    pub fn outbox_due(
        &self,
        target: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let Self::Sqlite(store) = self;
        store.outbox_due(target, now, limit)
    }

    /// The same, of those that call for nobody anew: that somebody took an incident on, or that it is over, and what was
    /// tried before.
    pub fn outbox_due_no_calls(
        &self,
        target: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let Self::Sqlite(store) = self;
        store.outbox_due_no_calls(target, now, limit)
    }

    /// How many alerts that call for somebody `target` was tried to be told of after `since`, and is to be again.
    pub fn outbox_tried(&self, target: &str, since: Timestamp) -> Result<u64, StoreError> {
        let Self::Sqlite(store) = self;
        store.outbox_tried(target, since)
    }

    /// Puts an alert off that was not tried, until the target may be called again.
    pub fn outbox_hold(
        &self,
        alert: EventId,
        target: &str,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let Self::Sqlite(store) = self;
        store.outbox_hold(alert, target, until)
    }

    /// When `target` was called after `since` and until `now`, newest first, the last `most` times: by alerts that it
    /// took.
    pub fn outbox_told(
        &self,
        target: &str,
        (since, now): (Timestamp, Timestamp),
        most: usize,
    ) -> Result<Vec<Timestamp>, StoreError> {
        let Self::Sqlite(store) = self;
        store.outbox_told(target, (since, now), most)
    }

    /// Since when an alert that calls for somebody, and was not tried, is due for `target`. `None`: none is.
    pub fn outbox_waiting_since(
        &self,
        target: &str,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let Self::Sqlite(store) = self;
        store.outbox_waiting_since(target, now)
    }

    /// Lets one alert tell of all that is due for `target`, where that is more than it has `room` for: of the
    /// gravest incident, with the number of all of them ([`Delivery::gathered`]). Says how many alerts end with it;
    /// each of their incidents counts as not told of by itself.
    pub fn outbox_gather(
        &self,
        target: &str,
        now: Timestamp,
        room: usize,
    ) -> Result<u64, StoreError> {
        let Self::Sqlite(store) = self;
        store.outbox_gather(target, now, room)
    }

    /// The incidents that `target` was told of by the last alert about `incident` that led others, and not by one of
    /// their own since: at most 100,000.
    pub fn outbox_led(&self, incident: EventId, target: &str) -> Result<Vec<EventId>, StoreError> {
        let Self::Sqlite(store) = self;
        store.outbox_led(incident, target)
    }

    /// How many alerts wait for `target`.
    pub fn outbox_waiting(&self, target: &str) -> Result<u64, StoreError> {
        let Self::Sqlite(store) = self;
        store.outbox_waiting(target)
    }

    /// When the next attempt for `target` is due. `None`: nothing waits.
    pub fn outbox_next(&self, target: &str) -> Result<Option<Timestamp>, StoreError> {
        let Self::Sqlite(store) = self;
        store.outbox_next(target)
    }

    /// What `target` was told last of each incident that was not closed then: the thousand told of last,
    /// newest first.
    pub fn outbox_standing(&self, target: &str) -> Result<Vec<IncidentChange>, StoreError> {
        let Self::Sqlite(store) = self;
        store.outbox_standing(target)
    }

    /// Records what became of a delivery.
    pub fn outbox_record(
        &self,
        alert: EventId,
        target: &str,
        state: &DeliveryState,
    ) -> Result<(), StoreError> {
        let Self::Sqlite(store) = self;
        store.outbox_record(alert, target, state)
    }

    /// The last 1,000 deliveries given up, newest first, of one target or of all.
    pub fn dead_letters(&self, target: Option<&str>) -> Result<Vec<Delivery>, StoreError> {
        let Self::Sqlite(store) = self;
        store.dead_letters(target)
    }

    /// Makes dead letters due again at `now` and says how many. `None`: of all targets, all alerts.
    pub fn replay_dead_letters(
        &self,
        target: Option<&str>,
        alert: Option<EventId>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let Self::Sqlite(store) = self;
        store.replay_dead_letters(target, alert, now)
    }

    /// How many alerts wait, and how many are dead, per target: (target, waiting, dead).
    pub fn outbox_counts(&self) -> Result<Vec<(String, u64, u64)>, StoreError> {
        let Self::Sqlite(store) = self;
        store.outbox_counts()
    }
}
