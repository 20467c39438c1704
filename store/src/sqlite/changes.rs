//! What happens to incidents: changes by the engine and by people, by the table of the analyzer's `life`.

use egret_analyzer::{ChangeBy, ChangeKind, IncidentChange, IsClosed, RollUp, Signal};
use egret_event::{EventId, SmolStr, Timestamp};
use rusqlite::{Connection, params};

use super::SqliteStore;
use super::feedback;
use super::incidents::{load, status_number};
use super::outbox;
use super::roll_ups::{self, Parts};
use super::stored::{Stored, signed, to_json};
use super::writer::Memory;
use crate::{
    Action, Addressee, IncidentRow, IncidentStatus, IncidentVerdict, OutboxEntry, StoreError,
    VerdictRow,
};

/// Longest comment, in bytes.
const MAX_COMMENT_BYTES: usize = 10_000;

/// Authors as the history's table numbers them; all analysts share one count of changes.
const ENGINE: i64 = 0;
const ANALYST: i64 = 1;

/// What became of a change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Applied {
    /// It was there already.
    Repeat,
    /// It is new, and a suppression or a verdict covers it.
    Suppressed,
    /// It is new, and says no more than what was told before.
    Again,
    /// It is new.
    New,
}

/// Why an incident is stored and not told of.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hidden {
    /// The suppression that matches it.
    pub(super) suppressed_by: Option<EventId>,
    /// The incident, judged benign, that it is like.
    pub(super) judged_like: Option<EventId>,
}

/// Writes a change of the engine's; the incident's roll-up where it was read on the way.
pub(super) fn apply(
    db: &Connection,
    change: &IncidentChange,
    hidden: Hidden,
    now: Timestamp,
) -> Result<(Applied, Option<RollUp>), StoreError> {
    let missed = change.incident.explanation.missed();
    let words = match change.kind {
        ChangeKind::Ended | ChangeKind::Closed => None,
        ChangeKind::Obscured => missed.as_deref(),
        _ => Some(change.incident.title.as_str()),
    };
    if !record(db, change, (words, None))? {
        return Ok((Applied::Repeat, None));
    }
    let mut roll_up = None;
    upsert(db, change, hidden)?;
    keep_evidence(db, change)?;
    let is_hidden = hidden.suppressed_by.or(hidden.judged_like).is_some();
    let mut says_no_more = false;
    if change.kind.signal() == Some(Signal::Raise) {
        let goes_on = change.kind == ChangeKind::Resumed;
        let is_reopened = reopen_if_closed(db, change)?;
        says_no_more = goes_on && !is_reopened && roll_ups::is_told(db, change.incident.id)?;
        if !is_hidden {
            roll_up = roll_ups::decide_told(db, &change.incident)?;
        }
    }
    if change.kind.signal() == Some(Signal::Over) {
        close(db, change.incident.id)?;
        outbox::let_go(db, change.incident.id, Signal::Over, now)?;
    }
    let applied = match says_no_more {
        _ if is_hidden => Applied::Suppressed,
        true => Applied::Again,
        false => Applied::New,
    };
    Ok((applied, roll_up))
}

/// Adds a change to the history. `false`: it is there already.
fn record(
    db: &Connection,
    change: &IncidentChange,
    (words, verdict): (Option<&str>, Option<IncidentVerdict>),
) -> Result<bool, StoreError> {
    let (author, analyst) = match &change.by {
        ChangeBy::Engine => (ENGINE, None),
        ChangeBy::Analyst(name) => (ANALYST, Some(name.as_str())),
    };
    let sql = "INSERT OR IGNORE INTO history
                   (incident, author, number, at, kind, analyst, words, verdict)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let new = db.prepare_cached(sql)?.execute(params![
        Stored(change.incident.id),
        author,
        change.number,
        Stored(change.at),
        to_json("kind of change", &change.kind)?,
        analyst,
        words,
        verdict.map(|verdict| to_json("verdict", &verdict)).transpose()?,
    ])?;
    Ok(new == 1)
}

fn upsert(db: &Connection, change: &IncidentChange, hidden: Hidden) -> Result<(), StoreError> {
    let incident = &change.incident;
    let Parts { story, detector } = Parts::of(incident)?;
    let sql = "INSERT INTO incidents (id, body, status, severity, rank, opened_at, updated_at,
            up_bytes, title, destination, hosts, executor, tenant, template, ended, suppressed_by,
            judged_like, story, detector, last_seen, score, session)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
            ?20, ?21, ?22)
        ON CONFLICT (id) DO UPDATE SET body = excluded.body, severity = excluded.severity,
            rank = excluded.rank, opened_at = excluded.opened_at,
            updated_at = max(updated_at, excluded.updated_at), up_bytes = excluded.up_bytes,
            title = excluded.title, destination = excluded.destination, hosts = excluded.hosts,
            executor = excluded.executor, tenant = excluded.tenant,
            template = excluded.template, ended = excluded.ended,
            suppressed_by = excluded.suppressed_by, judged_like = excluded.judged_like,
            story = excluded.story, detector = excluded.detector, last_seen = excluded.last_seen,
            score = excluded.score, session = excluded.session";
    db.prepare_cached(sql)?.execute(params![
        Stored(incident.id),
        to_json("incident", incident)?,
        status_number(IncidentStatus::Open),
        incident.severity as i64,
        rank(incident.severity as i64, incident.score),
        Stored(incident.opened_at),
        Stored(incident.updated_at),
        signed(incident.observed.up_bytes),
        incident.title,
        incident.destination.as_str(),
        one_per_line(&incident.hosts),
        incident.origin.executor.as_str(),
        incident.origin.tenant.as_deref(),
        incident.origin.template.as_deref(),
        matches!(change.kind, ChangeKind::Ended | ChangeKind::Closed),
        hidden.suppressed_by.map(Stored),
        hidden.judged_like.map(Stored),
        story,
        detector,
        Stored(incident.last_seen),
        within_bounds(incident.score),
        incident.session.as_str(),
    ])?;
    Ok(())
}

/// Severity, then score, as one number to sort by.
fn rank(severity: i64, score: f64) -> f64 {
    // Severities are a few small numbers; two apart, no score can close the distance.
    2.0 * severity as f64 + within_bounds(score)
}

/// SQLite has no number that is none.
fn within_bounds(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score.clamp(0.0, 1.0) }
}

fn one_per_line(hosts: &[SmolStr]) -> String {
    let mut lines = String::from("\n");
    for host in hosts {
        lines.push_str(host);
        lines.push('\n');
    }
    lines
}

fn keep_evidence(db: &Connection, change: &IncidentChange) -> Result<(), StoreError> {
    let mut insert =
        db.prepare_cached("INSERT OR IGNORE INTO evidence (event, at) VALUES (?1, ?2)")?;
    for evidence in &change.incident.explanation.evidence {
        insert.execute(params![Stored(evidence.event), Stored(evidence.at)])?;
    }
    Ok(())
}

/// Whether it was. To do again what was judged benign is no news.
fn reopen_if_closed(db: &Connection, change: &IncidentChange) -> Result<bool, StoreError> {
    let (id, at) = (change.incident.id, change.at);
    let reopen = "UPDATE incidents SET status = ?2, acknowledged_by = NULL
                  WHERE id = ?1 AND status = ?3
                    AND NOT (?4 AND judged_like IS NOT NULL)
                    AND NOT (?4 AND ifnull(verdict ->> '$.verdict', '') = ?5)";
    let benign = to_json("verdict", &IncidentVerdict::FalsePositive)?;
    let reopened = db.prepare_cached(reopen)?.execute(params![
        Stored(id),
        status_number(IncidentStatus::Open),
        status_number(IncidentStatus::Closed),
        change.kind == ChangeKind::Resumed,
        benign.trim_matches('"'),
    ])?;
    if reopened == 1 {
        let why = match change.kind {
            ChangeKind::Resumed => "a later session did the same after it was closed",
            _ => "it grew after it was closed",
        };
        let insert = "INSERT INTO history (incident, author, at, kind, words)
                      VALUES (?1, ?2, ?3, ?4, ?5)";
        let kind = to_json("kind of change", &ChangeKind::Reopened)?;
        db.prepare_cached(insert)?.execute(params![Stored(id), ENGINE, Stored(at), kind, why])?;
    }
    Ok(reopened == 1)
}

/// Closes what the engine says is over.
fn close(db: &Connection, id: EventId) -> Result<(), StoreError> {
    let sql = "UPDATE incidents SET status = ?2 WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![Stored(id), status_number(IncidentStatus::Closed)])?;
    Ok(())
}

impl SqliteStore {
    /// Carries out what a person wants; see [`crate::Store::act`].
    ///
    /// What changes nothing (to close what is closed) returns no change; if it came with a
    /// comment or another verdict, that is kept as a comment is.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] without such an incident; [`StoreError::BadQuery`] for a comment
    /// that is empty or too long, and for acknowledging what is closed.
    pub fn act(
        &self,
        id: EventId,
        action: &Action,
        now: Timestamp,
        targets: &[Addressee],
    ) -> Result<(IncidentRow, Option<IncidentChange>), StoreError> {
        let comment = checked_comment(action)?;
        self.write(|db, memory| {
            let not_found = || StoreError::NotFound { what: "incident", id: id.to_string() };
            let row = load(db, id)?.ok_or_else(not_found)?;
            let says_more = comment.is_some() || judges_anew(action, &row);
            let Some((kind, status)) = step(action.kind, row.status, says_more)? else {
                return Ok((row, None));
            };
            stand(db, id, status, action, now)?;
            judge(db, memory, (&row, action), now)?;
            let row = load(db, id)?.ok_or_else(not_found)?;
            let change = IncidentChange {
                kind,
                at: now,
                by: ChangeBy::Analyst(action.by.clone()),
                number: next_number(db, id)?,
                incident: row.incident.clone(),
            };
            record(db, &change, (comment, action.verdict))?;
            let signal = kind.signal();
            if let Some(signal @ (Signal::TakenOn | Signal::Over)) = signal {
                outbox::let_go(db, id, signal, now)?;
            }
            let is_hidden = row.suppressed_by.or(row.judged_like).is_some();
            if let Some(signal) = signal.filter(|_| !is_hidden) {
                tell(db, (&change, signal), now, targets)?;
            }
            Ok((row, Some(change)))
        })
    }
}

fn checked_comment(action: &Action) -> Result<Option<&str>, StoreError> {
    let comment = action.comment.as_deref().map(str::trim).filter(|text| !text.is_empty());
    if comment.is_some_and(|text| text.len() > MAX_COMMENT_BYTES) {
        return Err(StoreError::BadQuery(format!(
            "the comment is longer than {MAX_COMMENT_BYTES} bytes: shorten it"
        )));
    }
    if action.kind == ChangeKind::Commented && comment.is_none() {
        return Err(StoreError::BadQuery("a comment needs words: write some".to_owned()));
    }
    if action.verdict.is_some() && action.kind != ChangeKind::Closed {
        return Err(StoreError::BadQuery("a verdict closes: give it with that".to_owned()));
    }
    Ok(comment)
}

/// Whether an action brings a verdict that is not the one which the incident has.
fn judges_anew(action: &Action, row: &IncidentRow) -> bool {
    let known = row.verdict.as_ref().map(|known| known.verdict);
    action.verdict.is_some_and(|verdict| known != Some(verdict))
}

/// Writes the verdict that an action brings or, where it opens the incident again, takes back, and lets it
/// count.
fn judge(
    db: &Connection,
    memory: &mut Memory,
    (row, action): (&IncidentRow, &Action),
    now: Timestamp,
) -> Result<(), StoreError> {
    let id = row.incident.id;
    let note = action.comment.as_deref().map(str::trim).filter(|text| !text.is_empty());
    let verdict = action.verdict.map(|verdict| VerdictRow {
        verdict,
        by: action.by.clone(),
        at: now,
        note: note.map(str::to_owned),
    });
    if verdict.is_none() && action.kind != ChangeKind::Reopened {
        return Ok(());
    }
    let body = verdict.as_ref().map(|verdict| to_json("verdict", verdict)).transpose()?;
    db.prepare_cached("UPDATE incidents SET verdict = ?2 WHERE id = ?1")?
        .execute(params![Stored(id), body])?;
    match action.verdict {
        Some(IncidentVerdict::FalsePositive) => feedback::give(db, memory, row, now),
        Some(IncidentVerdict::TruePositive) | None => feedback::withdraw(db, memory, row, now),
    }
}

/// What an action makes of an incident that stands at `status`. `None`: nothing.
fn step(
    kind: ChangeKind,
    status: IncidentStatus,
    says_more: bool,
) -> Result<Option<(ChangeKind, IncidentStatus)>, StoreError> {
    let refused = |reason: &str| StoreError::BadQuery(reason.to_owned());
    if !matches!(
        kind,
        ChangeKind::Acknowledged
            | ChangeKind::Closed
            | ChangeKind::Reopened
            | ChangeKind::Commented
    ) {
        return Err(refused("only the engine opens, grows and ends incidents"));
    }
    let wanted = status
        .after(kind)
        .map_err(|IsClosed| refused("the incident is closed: reopen it before acknowledging it"))?;
    Ok(match (wanted == status, says_more) {
        (false, _) => Some((kind, wanted)),
        (true, true) => Some((ChangeKind::Commented, status)),
        (true, false) => None,
    })
}

/// Writes where the incident stands now.
fn stand(
    db: &Connection,
    id: EventId,
    status: IncidentStatus,
    action: &Action,
    now: Timestamp,
) -> Result<(), StoreError> {
    let has_comment = action.comment.as_deref().is_some_and(|text| !text.trim().is_empty());
    // Who acknowledged it stays known while it is acknowledged, and after it was closed.
    let sql = "UPDATE incidents SET
            acknowledged_by = CASE
                WHEN ?2 = ?3 AND status <> ?3 THEN ?4
                WHEN ?2 = ?5 THEN NULL
                ELSE acknowledged_by END,
            status = ?2, comments = comments + ?6, updated_at = max(updated_at, ?7)
        WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![
        Stored(id),
        status_number(status),
        status_number(IncidentStatus::Acknowledged),
        action.by.as_str(),
        status_number(IncidentStatus::Open),
        has_comment,
        Stored(now),
    ])?;
    Ok(())
}

fn next_number(db: &Connection, id: EventId) -> Result<u32, StoreError> {
    let sql = "SELECT max(number) FROM history WHERE incident = ?1 AND author = ?2";
    let last: Option<u32> =
        db.prepare_cached(sql)?.query_row(params![Stored(id), ANALYST], |row| row.get(0))?;
    Ok(last.map_or(0, |last| last.saturating_add(1)))
}

fn tell(
    db: &Connection,
    (change, signal): (&IncidentChange, Signal),
    now: Timestamp,
    targets: &[Addressee],
) -> Result<(), StoreError> {
    let body = to_json("change", change)?;
    let roll_up = roll_ups::for_alert(db, change.incident.id)?;
    for to in targets {
        let entry = OutboxEntry {
            alert: change.alert_id(),
            incident: change.incident.id,
            to: to.clone(),
            signal,
            severity: change.incident.severity,
            body: body.clone(),
        };
        outbox::queue(db, &entry, roll_up.as_ref(), now)?;
    }
    Ok(())
}
