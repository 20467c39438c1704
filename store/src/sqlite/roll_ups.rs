//! Roll-ups: which incidents are one story.
//!
//! They are not stored but made from the incidents each time, by the analyzer's own function: so they are
//! right whatever came late, was judged, or was deleted. An index holds all that this needs of an incident.

use std::cmp::Reverse;
use std::mem;
use std::time::Duration;

use egret_analyzer::{Detector, Incident, Member, RollUp, RollUps, Severity, Story};
use egret_event::{EventId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::SqliteStore;
use super::incidents::{matching, status_from, status_number};
use super::paging::{Paging, page};
use super::stored::{Stored, from_json, to_json};
use crate::query::page_size;
use crate::{AlertRollUp, IncidentQuery, IncidentStatus, Page, StoreError};

const COLUMNS: &str = "story, id, opened_at, last_seen, severity, score, detector, status, session, executor, \
    template, tenant";

/// Where the next column stands, behind [`COLUMNS`].
const BEHIND: usize = 12;

const DAY: Duration = Duration::from_secs(86_400);

/// Incidents of a story that are read on each side of one that is told.
const NEAR: usize = 500;

/// Holds for incidents that nothing hides.
pub(super) const VISIBLE: &str = "suppressed_by IS NULL AND judged_like IS NULL";

const PAGING: Paging = Paging::of("ru");

impl SqliteStore {
    /// Roll-ups of which an incident matches, one page; see [`crate::Store::roll_ups`].
    ///
    /// # Errors
    /// [`StoreError::BadQuery`] for a foreign cursor or too long a search text.
    pub fn roll_ups(&self, query: &IncidentQuery) -> Result<Page<RollUp>, StoreError> {
        let size = page_size(query.limit);
        let after = query.after.as_ref().map(|cursor| PAGING.read_id(cursor)).transpose()?;
        let after = after.map(|(at, id)| (at, EventId::from_bits(u128::from_be_bytes(id))));
        let filter = matching(query)?;
        let shown = if query.with_suppressed { "1" } else { VISIBLE };
        let sql = format!(
            "SELECT {COLUMNS}, ifnull({}, 0) FROM incidents WHERE story IS NOT NULL AND {shown}
             ORDER BY story, opened_at, id",
            filter.condition()
        );
        let is_beyond = |roll_up: &RollUp| after.is_none_or(|after| place(roll_up) < after);
        let mut found = Vec::new();
        let mut take = |roll_up: RollUp| {
            if is_beyond(&roll_up) {
                found.push(roll_up);
            }
            // What cannot be on the page any more is let go from time to time.
            if found.len() > 4 * size + 4 {
                newest_first(&mut found, size + 1);
            }
        };
        let db = self.reader();
        let mut statement = db.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(filter.values()))?;
        let mut wanted = Wanted::default();
        while let Some(row) = rows.next()? {
            wanted.add(row)?.into_iter().for_each(&mut take);
        }
        wanted.finish().into_iter().for_each(&mut take);
        newest_first(&mut found, size + 1);
        Ok(page(found, size, |last| PAGING.cursor(place(last).0, &last.id.to_bytes())))
    }
}

/// What roll-ups are sorted by.
fn place(roll_up: &RollUp) -> (i64, EventId) {
    (roll_up.last_seen.as_nanos(), roll_up.id)
}

fn newest_first(roll_ups: &mut Vec<RollUp>, most: usize) {
    roll_ups.sort_unstable_by_key(|one| Reverse(place(one)));
    roll_ups.truncate(most);
}

/// Makes roll-ups, and lets go those of which no member is wanted.
#[derive(Default)]
struct Wanted {
    roll_ups: RollUps,
    is_wanted: bool,
    /// The story that was read last, and its text: most often the next row is about the same.
    story: Option<(String, Story)>,
}

impl Wanted {
    /// Takes in [`COLUMNS`] and, behind them, whether the incident is wanted.
    fn add(&mut self, row: &Row<'_>) -> Result<Option<RollUp>, StoreError> {
        let member = member(row, self.story(row)?)?;
        let is_wanted = row.get(BEHIND)?;
        Ok(match self.roll_ups.add(&member) {
            Some(complete) => mem::replace(&mut self.is_wanted, is_wanted).then_some(complete),
            None => {
                self.is_wanted |= is_wanted;
                None
            }
        })
    }

    fn story(&mut self, row: &Row<'_>) -> Result<Story, StoreError> {
        let text = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        match &self.story {
            Some((last, story)) if last == text => Ok(story.clone()),
            _ => {
                let story: Story = from_json("story", text)?;
                self.story = Some((text.to_owned(), story.clone()));
                Ok(story)
            }
        }
    }

    fn finish(self) -> Option<RollUp> {
        self.roll_ups.finish().filter(|_| self.is_wanted)
    }
}

fn member(row: &Row<'_>, story: Story) -> Result<Member, StoreError> {
    let detector: Option<String> = row.get(6)?;
    Ok(Member {
        story,
        incident: row.get::<_, Stored<EventId>>(1)?.0,
        opened_at: row.get::<_, Stored<Timestamp>>(2)?.0,
        last_seen: row.get::<_, Stored<Timestamp>>(3)?.0,
        severity: severity_from(row.get(4)?)?,
        score: row.get(5)?,
        detector: detector.map(|name| from_json("detector", &name)).transpose()?,
        status: status_from(row.get(7)?)?,
        session: row.get::<_, String>(8)?.into(),
        executor: row.get::<_, String>(9)?.into(),
        template: row.get::<_, Option<String>>(10)?.map(Into::into),
        tenant: row.get::<_, Option<String>>(11)?.map(Into::into),
    })
}

pub(super) fn severity_from(number: i64) -> Result<Severity, StoreError> {
    let all = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
    let found = all.into_iter().find(|severity| *severity as i64 == number);
    found.ok_or_else(|| StoreError::Damaged {
        what: "severity",
        reason: format!("{number} is none"),
    })
}

/// The roll-up of an incident: with those that nothing hides, and itself. `None`: there is no such incident.
pub(super) fn of_incident(db: &Connection, id: EventId) -> Result<Option<RollUp>, StoreError> {
    of_neighbours(db, id, usize::MAX)
}

/// The same as far as a few hundred incidents on each side of it tell: what is written while a storm comes
/// in must not take longer the longer the storm lasts.
fn near_incident(db: &Connection, id: EventId) -> Result<Option<RollUp>, StoreError> {
    of_neighbours(db, id, NEAR)
}

/// By at most so many incidents of its story that opened before it, and so many that opened later.
fn of_neighbours(db: &Connection, id: EventId, most: usize) -> Result<Option<RollUp>, StoreError> {
    let sql = "SELECT story, opened_at FROM incidents WHERE id = ?1";
    let found = db.prepare_cached(sql)?.query_row([Stored(id)], |row| {
        Ok((row.get::<_, Option<String>>(0)?, row.get::<_, Stored<Timestamp>>(1)?))
    });
    let Some((Some(story), opened_at)) = found.optional()? else { return Ok(None) };
    let some = |place: &str, order: &str| {
        format!(
            "SELECT * FROM (SELECT {COLUMNS}, id = ?2 FROM incidents
             WHERE story = ?1 AND (opened_at, id) {place} (?3, ?2) AND (({VISIBLE}) OR id = ?2)
             ORDER BY opened_at {order}, id {order} LIMIT ?4)"
        )
    };
    let (earlier, later) = (some("<=", "DESC"), some(">", "ASC"));
    let sql = format!("{earlier} UNION ALL {later} ORDER BY opened_at, id");
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params![story, Stored(id), opened_at, most])?;
    let mut wanted = Wanted::default();
    while let Some(row) = rows.next()? {
        if let Some(found) = wanted.add(row)? {
            return Ok(Some(found));
        }
    }
    Ok(wanted.finish())
}

/// The columns of an incident that a roll-up is made from, and that nothing else asks for.
pub(super) struct Parts {
    pub(super) story: String,
    pub(super) detector: Option<String>,
}

impl Parts {
    pub(super) fn of(incident: &Incident) -> Result<Self, StoreError> {
        Ok(Self {
            story: story_key(&Story::of(incident))?,
            detector: incident.strongest().map(detector_key).transpose()?,
        })
    }
}

pub(super) fn story_key(story: &Story) -> Result<String, StoreError> {
    to_json("story", story)
}

pub(super) fn detector_key(detector: Detector) -> Result<String, StoreError> {
    to_json("detector", &detector)
}

/// Decides, when an incident opens or grows and nothing hides it, whether it is told by itself, or only repeats
/// what was told: another incident of its roll-up was, is at least as severe, and is not closed. What was once
/// told by itself stays so. The roll-up as [`near_incident`] tells it, where it had to be read for that.
pub(super) fn decide_told(
    db: &Connection,
    incident: &Incident,
) -> Result<Option<RollUp>, StoreError> {
    if is_told(db, incident.id)? {
        return Ok(None);
    }
    let Some(roll_up) = near_incident(db, incident.id)? else { return Ok(None) };
    if roll_up.incidents == 1 || !is_told_by_another(db, incident, &roll_up)? {
        let sql = "UPDATE incidents SET told = 1 WHERE id = ?1";
        db.prepare_cached(sql)?.execute([Stored(incident.id)])?;
    }
    Ok(Some(roll_up))
}

fn is_told_by_another(
    db: &Connection,
    incident: &Incident,
    roll_up: &RollUp,
) -> Result<bool, StoreError> {
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM incidents WHERE story = ?1 AND opened_at BETWEEN ?2 AND ?3
            AND id <> ?4 AND severity >= ?5 AND status <> ?6 AND told AND {VISIBLE})"
    );
    // In a storm the one that was told may have opened before all that were read: it is then among the
    // first of the day before, which is where the search begins.
    let is_storm = roll_up.incidents >= NEAR as u64;
    let before = if is_storm { DAY } else { Duration::ZERO };
    Ok(db.prepare_cached(&sql)?.query_row(
        params![
            story_key(&roll_up.story)?,
            Stored(roll_up.first_opened_at - before),
            Stored(roll_up.last_opened_at),
            Stored(incident.id),
            incident.severity as i64,
            status_number(IncidentStatus::Closed),
        ],
        |row| row.get(0),
    )?)
}

pub(super) fn is_told(db: &Connection, id: EventId) -> Result<bool, StoreError> {
    let sql = "SELECT told FROM incidents WHERE id = ?1";
    let found = db.prepare_cached(sql)?.query_row([Stored(id)], |row| row.get(0)).optional()?;
    Ok(found.unwrap_or(false))
}

/// What an alert about an incident says of its roll-up, as far as [`near_incident`] tells. `None`: there is no
/// such incident.
pub(super) fn for_alert(db: &Connection, id: EventId) -> Result<Option<AlertRollUp>, StoreError> {
    near_incident(db, id)?.map(|roll_up| of_alert(db, id, &roll_up)).transpose()
}

/// The same where the roll-up is at hand.
pub(super) fn of_alert(
    db: &Connection,
    id: EventId,
    roll_up: &RollUp,
) -> Result<AlertRollUp, StoreError> {
    Ok(AlertRollUp {
        id: roll_up.id,
        incidents: roll_up.incidents,
        sessions: roll_up.sessions,
        tenants: roll_up.tenants.count,
        first_opened_at: roll_up.first_opened_at,
        // What was hidden until now was not told either, but may be the first of its story.
        repeats: roll_up.incidents > 1 && !is_told(db, id)?,
    })
}

/// Fills in what the incidents of an older release lack. One that cannot be read is in no roll-up.
pub(super) fn fill_in(db: &Connection) -> rusqlite::Result<()> {
    let sql = "SELECT id FROM incidents WHERE story IS NULL";
    let found = db.prepare(sql)?.query_map([], |row| row.get(0))?.collect::<Result<Vec<_>, _>>()?;
    let mut read = db.prepare("SELECT body FROM incidents WHERE id = ?1")?;
    let mut write = db.prepare(
        "UPDATE incidents SET story = ?2, detector = ?3, last_seen = ?4, score = ?5, session = ?6
         WHERE id = ?1",
    )?;
    for id in found {
        let id: Stored<EventId> = id;
        let body: String = read.query_row([id], |row| row.get(0))?;
        let Ok(incident) = from_json::<Incident>("incident", &body) else { continue };
        let Ok(Parts { story, detector }) = Parts::of(&incident) else { continue };
        let Incident { last_seen, score, session, .. } = incident;
        write.execute(params![id, story, detector, Stored(last_seen), score, session.as_str()])?;
    }
    Ok(())
}
