//! Reading incidents: a page of those that match, or one with its history.

use egret_analyzer::{ChangeBy, ChangeKind, Detector, Incident};
use egret_event::{EventId, Timestamp, clean_name};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::SqliteStore;
use super::filter::{Filter, literal};
use super::paging::{Paging, page};
use super::roll_ups::{self, VISIBLE};
use super::stored::{Stored, from_json, to_json};
use crate::query::page_size;
use crate::{
    Cursor, HistoryEntry, IncidentDetail, IncidentQuery, IncidentRow, IncidentSort, IncidentStatus,
    Page, SortOrder, StoreError,
};

/// Longest text searched for, in bytes.
const MAX_SEARCH_BYTES: usize = 1000;

const COLUMNS: &str = "id, body, status, ended, suppressed_by, acknowledged_by, comments, \
    updated_at, verdict, judged_like";

/// Where the sort value stands, behind [`COLUMNS`].
const SORTED_BY: usize = 10;

/// Columns of [`COLUMNS`], as read.
struct Raw {
    id: EventId,
    body: String,
    status: i64,
    ended: bool,
    suppressed_by: Option<Stored<EventId>>,
    acknowledged_by: Option<String>,
    comments: u32,
    updated_at: Timestamp,
    verdict: Option<String>,
    judged_like: Option<Stored<EventId>>,
}

impl Raw {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get::<_, Stored<EventId>>(0)?.0,
            body: row.get(1)?,
            status: row.get(2)?,
            ended: row.get(3)?,
            suppressed_by: row.get(4)?,
            acknowledged_by: row.get(5)?,
            comments: row.get(6)?,
            updated_at: row.get::<_, Stored<Timestamp>>(7)?.0,
            verdict: row.get(8)?,
            judged_like: row.get(9)?,
        })
    }

    fn into_row(self) -> Result<IncidentRow, StoreError> {
        let mut incident: egret_analyzer::Incident = from_json("incident", &self.body)?;
        // People change incidents too; the engine's own text does not know of that.
        incident.updated_at = self.updated_at;
        Ok(IncidentRow {
            incident,
            status: status_from(self.status)?,
            ended: self.ended,
            suppressed_by: self.suppressed_by.map(|id| id.0),
            acknowledged_by: self.acknowledged_by.map(Into::into),
            comments: self.comments,
            verdict: self.verdict.map(|body| from_json("verdict", &body)).transpose()?,
            judged_like: self.judged_like.map(|id| id.0),
        })
    }
}

/// Most incidents of one detector that are returned at once.
const MAX_STANDING: i64 = 1000;

impl SqliteStore {
    /// One incident and where it stands; see [`crate::Store::incident_row`].
    pub fn incident_row(&self, id: EventId) -> Result<Option<IncidentRow>, StoreError> {
        load(&self.reader(), id)
    }

    /// When one of these kinds of changes was last made; see [`crate::Store::last_changed`].
    pub fn last_changed(
        &self,
        id: EventId,
        kinds: &[ChangeKind],
    ) -> Result<Option<Timestamp>, StoreError> {
        let db = self.reader();
        let sql = "SELECT max(at) FROM history WHERE incident = ?1 AND kind = ?2";
        let mut statement = db.prepare_cached(sql)?;
        let mut last: Option<Timestamp> = None;
        for kind in kinds {
            let kind = to_json("kind of change", kind)?;
            let at: Option<Stored<Timestamp>> =
                statement.query_row(params![Stored(id), kind], |row| row.get(0))?;
            last = last.max(at.map(|at| at.0));
        }
        Ok(last)
    }

    /// The incidents that a detector has most to do with and that are not closed; see
    /// [`crate::Store::standing_incidents`].
    pub fn standing_incidents(&self, detector: Detector) -> Result<Vec<Incident>, StoreError> {
        // An index holds what is asked for: bodies are read of those that are found.
        let sql = "SELECT body FROM incidents WHERE id IN (
            SELECT id FROM incidents INDEXED BY incidents_by_story
            WHERE story IS NOT NULL AND detector = ?1 AND status <> ?2 LIMIT ?3)";
        let closed = status_number(IncidentStatus::Closed);
        let values = params![roll_ups::detector_key(detector)?, closed, MAX_STANDING];
        let db = self.reader();
        let mut statement = db.prepare_cached(sql)?;
        let rows = statement.query_map(values, |row| row.get::<_, String>(0))?;
        rows.map(|body| from_json("incident", &body?)).collect()
    }

    /// Incidents that match, one page; see [`crate::Store::incidents`].
    ///
    /// # Errors
    /// [`StoreError::BadQuery`] for a foreign cursor or too long a search text.
    pub fn incidents(&self, query: &IncidentQuery) -> Result<Page<IncidentRow>, StoreError> {
        let order = Order::of(query);
        let mut filter = filter(query, &order)?;
        let db = self.reader();
        if let Some(id) = query.roll_up_of {
            of_one_story(&db, id, &mut filter)?;
        }
        let size = page_size(query.limit);
        let Order { column, direction, .. } = order;
        let sql = format!(
            "SELECT {COLUMNS}, {column} FROM incidents{} ORDER BY {column} {direction}, id {direction}
             LIMIT {}",
            filter.sql(),
            size + 1,
        );
        let mut statement = db.prepare_cached(&sql)?;
        let found = statement.query_map(params_from_iter(filter.values()), |row| {
            Ok((Raw::read(row)?, order.key(row)?))
        })?;
        let rows = found.collect::<Result<Vec<_>, _>>()?;
        let page = page(rows, size, |(raw, value)| order.cursor(*value, raw.id));
        let items = page.items.into_iter().map(|(raw, _)| raw.into_row());
        Ok(Page { items: items.collect::<Result<_, _>>()?, next: page.next })
    }

    /// One incident with its history, oldest entry first.
    pub fn incident(&self, id: EventId) -> Result<Option<IncidentDetail>, StoreError> {
        let db = self.reader();
        // One snapshot for both reads, so that the row and its history agree.
        let tx = db.unchecked_transaction()?;
        let Some(row) = load(&tx, id)? else { return Ok(None) };
        let Some(roll_up) = roll_ups::of_incident(&tx, id)? else { return Ok(None) };
        Ok(Some(IncidentDetail { row, history: history(&tx, id)?, roll_up }))
    }
}

/// Hands each incident (about `destination`, if one is given) that changed at or after `since` or is not
/// closed to `take`, the newest first.
pub(super) fn each_since_or_open(
    db: &Connection,
    destination: Option<&str>,
    since: Timestamp,
    mut take: impl FnMut(IncidentRow),
) -> Result<(), StoreError> {
    // Two statements, so that the one about a destination finds it by its index.
    let about = if destination.is_some() { "destination = ?3" } else { "?3 IS NULL" };
    let sql = format!(
        "SELECT {COLUMNS} FROM incidents WHERE {about} AND (updated_at >= ?1 OR status <> ?2)
         ORDER BY updated_at DESC, id DESC"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let closed = status_number(IncidentStatus::Closed);
    for raw in statement.query_map(params![Stored(since), closed, destination], Raw::read)? {
        take(raw?.into_row()?);
    }
    Ok(())
}

/// How a page is sorted, and its cursors.
struct Order {
    sort: IncidentSort,
    column: &'static str,
    direction: &'static str,
    beyond: &'static str,
    paging: Paging,
}

impl Order {
    fn of(query: &IncidentQuery) -> Self {
        let (column, list) = match query.sort {
            IncidentSort::UpdatedAt => ("updated_at", "iu"),
            IncidentSort::OpenedAt => ("opened_at", "io"),
            IncidentSort::Severity => ("rank", "is"),
            IncidentSort::UpBytes => ("up_bytes", "ib"),
        };
        let (direction, beyond) = match query.order {
            SortOrder::Ascending => ("ASC", ">"),
            SortOrder::Descending => ("DESC", "<"),
        };
        Self { sort: query.sort, column, direction, beyond, paging: Paging::of(list) }
    }

    /// The sort value as 64 bits.
    fn key(&self, row: &Row<'_>) -> rusqlite::Result<i64> {
        match self.sort {
            IncidentSort::Severity => Ok(row.get::<_, f64>(SORTED_BY)?.to_bits().cast_signed()),
            _ => row.get(SORTED_BY),
        }
    }

    fn cursor(&self, value: i64, id: EventId) -> Cursor {
        self.paging.cursor(value, &id.to_bytes())
    }

    /// The sort value and id after which the page begins.
    fn after(&self, cursor: &Cursor) -> Result<[Value; 2], StoreError> {
        let (bits, id) = self.paging.read_id(cursor)?;
        let value = match self.sort {
            IncidentSort::Severity => Value::Real(f64::from_bits(bits.cast_unsigned())),
            _ => Value::Integer(bits),
        };
        Ok([value, Value::Blob(id.to_vec())])
    }
}

/// Which incidents are on a page.
fn filter(query: &IncidentQuery, order: &Order) -> Result<Filter, StoreError> {
    let mut filter = matching(query)?;
    if !query.with_suppressed {
        filter.and(VISIBLE, []);
    }
    if let Some(cursor) = &query.after {
        let beyond = format!("({}, id) {} (?, ?)", order.column, order.beyond);
        filter.and(&beyond, order.after(cursor)?);
    }
    Ok(filter)
}

/// Restricts to the incidents that are one roll-up with this one.
fn of_one_story(db: &Connection, id: EventId, filter: &mut Filter) -> Result<(), StoreError> {
    let Some(roll_up) = roll_ups::of_incident(db, id)? else {
        filter.and("0", []);
        return Ok(());
    };
    let story = roll_ups::story_key(&roll_up.story)?;
    let [first, last] = [roll_up.first_opened_at, roll_up.last_opened_at].map(Timestamp::as_nanos);
    filter
        .and("story = ? AND opened_at BETWEEN ? AND ?", [story.into(), first.into(), last.into()]);
    Ok(())
}

/// What is asked of an incident, hidden or not.
pub(super) fn matching(query: &IncidentQuery) -> Result<Filter, StoreError> {
    let mut filter = Filter::default();
    let statuses = query.status.iter().map(|status| status_number(*status).into()).collect();
    filter.and_any("status", statuses);
    filter.and_if("severity >= ?", query.min_severity.map(|least| least as i64));
    filter.and_if("updated_at >= ?", query.since.map(Timestamp::as_nanos));
    filter.and_if("updated_at < ?", query.until.map(Timestamp::as_nanos));
    filter.and_if("executor = ?", query.executor.as_ref().map(ToString::to_string));
    filter.and_if("tenant = ?", query.tenant.as_ref().map(ToString::to_string));
    filter.and_if("template = ?", query.template.as_ref().map(ToString::to_string));
    if let Some(domain) = &query.destination {
        within(&mut filter, domain);
    }
    if let Some(text) = &query.search {
        let pattern = search_pattern(text)?;
        let columns = ["title", "destination", "hosts", "executor"];
        let any = columns.map(|column| format!("{column} LIKE ? ESCAPE '\\'")).join(" OR ");
        filter.and(&any, columns.map(|_| Value::from(pattern.clone())));
    }
    Ok(filter)
}

/// Incidents whose destination, or one of whose hosts, is `domain` or below it.
fn within(filter: &mut Filter, domain: &str) {
    let name = literal(&clean_name(domain));
    let condition = "destination LIKE ? ESCAPE '\\' OR destination LIKE ? ESCAPE '\\'
        OR hosts LIKE ? ESCAPE '\\' OR hosts LIKE ? ESCAPE '\\'";
    filter.and(
        condition,
        [
            name.clone().into(),
            format!("%.{name}").into(),
            format!("%\n{name}\n%").into(),
            format!("%.{name}\n%").into(),
        ],
    );
}

/// A LIKE pattern for text anywhere.
pub(super) fn search_pattern(text: &str) -> Result<String, StoreError> {
    if text.len() > MAX_SEARCH_BYTES {
        return Err(StoreError::BadQuery(format!(
            "the search text is longer than {MAX_SEARCH_BYTES} bytes: shorten it"
        )));
    }
    Ok(format!("%{}%", literal(text)))
}

/// One incident's row.
pub(super) fn load(db: &Connection, id: EventId) -> Result<Option<IncidentRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM incidents WHERE id = ?1");
    let raw = db.prepare_cached(&sql)?.query_row([Stored(id)], Raw::read).optional()?;
    raw.map(Raw::into_row).transpose()
}

/// Whether a suppression or a verdict silences the incident; one that is not there is not silenced.
pub(super) fn is_suppressed(db: &Connection, id: EventId) -> Result<bool, StoreError> {
    let sql = "SELECT suppressed_by IS NOT NULL OR judged_like IS NOT NULL
               FROM incidents WHERE id = ?1";
    let found = db.prepare_cached(sql)?.query_row([Stored(id)], |row| row.get(0)).optional()?;
    Ok(found.unwrap_or(false))
}

fn history(db: &Connection, id: EventId) -> Result<Vec<HistoryEntry>, StoreError> {
    let sql = "SELECT at, kind, analyst, words, verdict FROM history
               WHERE incident = ?1 ORDER BY seq";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([Stored(id)], |row| {
        let at: Stored<Timestamp> = row.get(0)?;
        let kind: String = row.get(1)?;
        Ok((at.0, kind, row.get::<_, Option<String>>(2)?, row.get(3)?, row.get(4)?))
    })?;
    rows.map(|row| {
        let (at, kind, analyst, words, verdict): (_, _, _, _, Option<String>) = row?;
        let by = analyst.map_or(ChangeBy::Engine, |name| ChangeBy::Analyst(name.into()));
        let kind = from_json("kind of change", &kind)?;
        let verdict = verdict.map(|verdict| from_json("verdict", &verdict)).transpose()?;
        Ok(HistoryEntry { at, kind, by, words, verdict })
    })
    .collect()
}

/// The number that stands for a status in the table.
pub(super) fn status_number(status: IncidentStatus) -> i64 {
    match status {
        IncidentStatus::Open => 0,
        IncidentStatus::Acknowledged => 1,
        IncidentStatus::Closed => 2,
    }
}

pub(super) fn status_from(number: i64) -> Result<IncidentStatus, StoreError> {
    match number {
        0 => Ok(IncidentStatus::Open),
        1 => Ok(IncidentStatus::Acknowledged),
        2 => Ok(IncidentStatus::Closed),
        _ => Err(StoreError::Damaged { what: "status", reason: format!("{number} is none") }),
    }
}
