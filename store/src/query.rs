//! Questions to the store.

use egret_analyzer::{IncidentStatus, Severity};
use egret_event::{EventId, SmolStr, Timestamp};
use serde::{Deserialize, Serialize};

/// Most rows of a page.
const MAX_PAGE: usize = 1000;

/// Where a page ends: opaque to callers, given back to get the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cursor(pub String);

/// One page of rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Give this back for the next page. `None`: this was the last.
    pub next: Option<Cursor>,
}

/// Ascending or descending.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SortOrder {
    /// Smallest or oldest first.
    Ascending,
    /// Largest or newest first.
    #[default]
    Descending,
}

/// What incidents are sorted by; ties by id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum IncidentSort {
    /// When it last changed.
    #[default]
    UpdatedAt,
    /// When it opened.
    OpenedAt,
    /// Severity, then score.
    Severity,
    /// Bytes sent.
    UpBytes,
}

/// Which incidents. An absent field, or an empty list, does not restrict.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IncidentQuery {
    /// Any of these.
    pub status: Vec<IncidentStatus>,
    /// At least this.
    pub min_severity: Option<Severity>,
    /// Changed at or after.
    pub since: Option<Timestamp>,
    /// Changed before.
    pub until: Option<Timestamp>,
    /// This destination or one of its subdomains.
    pub destination: Option<SmolStr>,
    /// This executor.
    pub executor: Option<SmolStr>,
    /// This tenant.
    pub tenant: Option<SmolStr>,
    /// This template.
    pub template: Option<SmolStr>,
    /// Text in title, destination, host or executor, without regard to case.
    pub search: Option<String>,
    /// Those that are one roll-up with this incident.
    pub roll_up_of: Option<EventId>,
    /// Whether suppressed incidents are wanted too.
    pub with_suppressed: bool,
    /// Sorted by.
    pub sort: IncidentSort,
    /// Sorted how.
    pub order: SortOrder,
    /// After this.
    pub after: Option<Cursor>,
    /// At most so many; see [`page_size`].
    pub limit: Option<usize>,
}

/// Which events.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventQuery {
    /// At or after.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// This destination (registrable domain or address).
    pub destination: Option<SmolStr>,
    /// This executor.
    pub executor: Option<SmolStr>,
    /// Blocked ones only (`true`), allowed ones only (`false`), or both.
    pub blocked: Option<bool>,
    /// This kind of fact: `flow`, `dns`, `tls`, `http`, `gap`.
    pub kind: Option<SmolStr>,
    /// These events, at most 1,000. What an incident names as evidence is found at once; for
    /// other ids the time asked for is searched through, so narrow it.
    pub ids: Vec<EventId>,
    /// After this.
    pub after: Option<Cursor>,
    /// At most so many; see [`page_size`].
    pub limit: Option<usize>,
}

/// What destinations are sorted by, largest first; ties by name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DestinationSort {
    /// Bytes sent.
    #[default]
    UpBytes,
    /// Contacts, blocked or not.
    Contacts,
    /// Contacts that were stopped.
    Blocked,
    /// When it was first seen.
    FirstSeen,
    /// When it was last seen.
    LastSeen,
}

/// Which destinations.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DestinationQuery {
    /// At or after; rounded down to the minute (to the hour where the span is over six hours).
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Contacted by this executor.
    pub executor: Option<SmolStr>,
    /// Text in the name.
    pub search: Option<String>,
    /// Sorted by.
    pub sort: DestinationSort,
    /// After this.
    pub after: Option<Cursor>,
    /// At most so many; see [`page_size`].
    pub limit: Option<usize>,
}

/// Which executors; last seen first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExecutorQuery {
    /// Totals over the time at or after.
    pub since: Option<Timestamp>,
    /// Totals over the time before.
    pub until: Option<Timestamp>,
    /// Text in id, template or tenant.
    pub search: Option<String>,
    /// After this.
    pub after: Option<Cursor>,
    /// At most so many; see [`page_size`].
    pub limit: Option<usize>,
}

/// What a series is split by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    /// Not split.
    #[default]
    Nothing,
    /// By destination (the largest 20 by bytes sent; the rest is left out).
    Destination,
    /// By executor (the largest 20 by bytes sent; the rest is left out).
    Executor,
}

/// Which sums over time.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesQuery {
    /// At or after.
    pub since: Timestamp,
    /// Before.
    pub until: Timestamp,
    /// Length of a step in seconds: rounded up to whole minutes, to whole hours from one hour on,
    /// and so that there are at most 1,000 steps.
    pub step_s: u64,
    /// This destination only.
    pub destination: Option<SmolStr>,
    /// This executor only.
    pub executor: Option<SmolStr>,
    /// Split by.
    pub group_by: GroupBy,
}

/// The rows a page holds when `limit` is asked for: 50 without a wish, never over 1,000.
pub fn page_size(limit: Option<usize>) -> usize {
    limit.unwrap_or(50).clamp(1, MAX_PAGE)
}
