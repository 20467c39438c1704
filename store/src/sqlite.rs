//! The SQLite store. CONTRACT STUB: to be written.
#![allow(unused_variables, missing_docs, clippy::todo)]
use crate::*;
use egret_analyzer::{IncidentChange, Suppression};
use egret_event::{Event, EventId, ExecutorRegistration, Timestamp};
#[derive(Clone, Debug)]
pub struct SqliteStore {}
impl SqliteStore {
    pub fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        todo!()
    }
    pub fn commit(&self, unit: &WriteUnit<'_>) -> Result<Committed, StoreError> {
        todo!()
    }
    pub fn recover(&self) -> Result<Option<Recovery>, StoreError> {
        todo!()
    }
    pub fn prune(&self, now: Timestamp) -> Result<Pruned, StoreError> {
        todo!()
    }
    pub fn incidents(&self, query: &IncidentQuery) -> Result<Page<IncidentRow>, StoreError> {
        todo!()
    }
    pub fn incident(&self, id: EventId) -> Result<Option<IncidentDetail>, StoreError> {
        todo!()
    }
    pub fn act(
        &self,
        id: EventId,
        action: &Action,
        now: Timestamp,
        targets: &[String],
    ) -> Result<(IncidentRow, Option<IncidentChange>), StoreError> {
        todo!()
    }
    pub fn events(&self, query: &EventQuery) -> Result<Page<Event>, StoreError> {
        todo!()
    }
    pub fn destinations(
        &self,
        query: &DestinationQuery,
    ) -> Result<Page<DestinationRow>, StoreError> {
        todo!()
    }
    pub fn executors(&self, query: &ExecutorQuery) -> Result<Page<ExecutorRow>, StoreError> {
        todo!()
    }
    pub fn put_executor(&self, registration: &ExecutorRegistration) -> Result<(), StoreError> {
        todo!()
    }
    pub fn registrations(&self, since: Timestamp) -> Result<Vec<ExecutorRegistration>, StoreError> {
        todo!()
    }
    pub fn series(&self, query: &SeriesQuery) -> Result<Series, StoreError> {
        todo!()
    }
    pub fn suppressions(&self, now: Timestamp) -> Result<Vec<Suppression>, StoreError> {
        todo!()
    }
    pub fn add_suppression(&self, suppression: &Suppression) -> Result<u64, StoreError> {
        todo!()
    }
    pub fn preview_suppression(&self, suppression: &Suppression) -> Result<u64, StoreError> {
        todo!()
    }
    pub fn remove_suppression(&self, id: EventId) -> Result<bool, StoreError> {
        todo!()
    }
    pub fn add_token(&self, token: &TokenRow) -> Result<(), StoreError> {
        todo!()
    }
    pub fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        todo!()
    }
    pub fn remove_token(&self, name: &str) -> Result<bool, StoreError> {
        todo!()
    }
    pub fn outbox_due(
        &self,
        target: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        todo!()
    }
    pub fn outbox_next(&self, target: &str) -> Result<Option<Timestamp>, StoreError> {
        todo!()
    }
    pub fn outbox_record(
        &self,
        alert: EventId,
        target: &str,
        state: &DeliveryState,
    ) -> Result<(), StoreError> {
        todo!()
    }
    pub fn dead_letters(&self, target: Option<&str>) -> Result<Vec<Delivery>, StoreError> {
        todo!()
    }
    pub fn replay_dead_letters(
        &self,
        target: Option<&str>,
        alert: Option<EventId>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        todo!()
    }
    pub fn outbox_counts(&self) -> Result<Vec<(String, u64, u64)>, StoreError> {
        todo!()
    }
}
