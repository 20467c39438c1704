//! Logs of any proxy, by a mapping that says what stands where in a line.
//!
//! A mapping is a pattern over lines of text (best in the proxy's own notation) or a set of JSON
//! pointers, with the units of its times, and rules by which a line tells of a refusal. It is
//! compiled once; a line is walked once and copied only where it holds escapes. Mappings for
//! usual proxies are shipped (`shipped.toml`); users add their own in the configuration, in the
//! same words.
//!
//! What the lines mean here:
//! - The time is the end of the request: `time`, or `start` and `duration`.
//! - The destination is the URL's host, else `host`, else `sni`, else `server`'s address. A line
//!   without a method is a tunnel. Without any of these it tells of no destination.
//! - Where neither `up` nor `body` is logged the upload is unknown, not zero.
//! - Status 407 asks for a login: nothing was refused by rule, and nothing was passed on.
//! - A line that came by way of syslog may have its header before it.

mod field;
mod formats;
mod json;
mod pattern;
mod raw;
mod record;
mod shipped;
mod time;

use std::hash::{Hash, Hasher};

use egret_event::{BlockReason, Timestamp, Verdict};

use self::field::{Slots, Value};
use self::json::Tree;
use self::pattern::Pattern;
use self::time::Calendar;
use super::record::{LineProblem, LogRecord, PROXY_LOGIN};

pub use self::field::Field;
pub use self::raw::{OneOrMore, RawMapping};
pub use self::shipped::{all as all_shipped, named as shipped};
pub(crate) use self::shipped::{kept, looks_like};
pub use self::time::Unit;

/// A compiled mapping.
#[derive(Debug)]
pub struct Mapping {
    /// As written, with what was taken over.
    raw: RawMapping,
    shape: Shape,
    units: Units,
    fixed: Vec<(Field, Box<[u8]>)>,
    /// A line was refused where one of these holds.
    blocked: Vec<Condition>,
    /// A line tells of egress where this holds.
    only: Condition,
    /// How far times without a zone are ahead of UTC.
    ahead_s: i64,
}

/// Fields and the values of which each must have one.
type Condition = Vec<(Field, Vec<Box<[u8]>>)>;

#[derive(Debug)]
enum Shape {
    /// The first that fits counts.
    Text(Vec<Pattern>),
    Json(Tree),
}

#[derive(Debug, Clone, Copy)]
struct Units {
    time: Unit,
    start: Unit,
    duration: Unit,
}

/// How far into a line a syslog header is looked for, in bytes: RFC 5424 limits its fields to
/// about as much.
const MAX_HEADER_BYTES: usize = 512;

/// From which of a field's sources fixed values are: the last.
const FIXED_RANK: u8 = u8::MAX - 1;

impl Mapping {
    /// The name by which sources refer to it.
    pub fn name(&self) -> &str {
        &self.raw.name
    }

    /// Reads a line, without its line end. `latest` is the latest day that a date without a year
    /// can mean.
    ///
    /// # Errors
    /// See [`LineProblem`].
    pub fn parse<'a>(
        &'a self,
        line: &'a [u8],
        latest: Option<Timestamp>,
    ) -> Result<LogRecord<'a>, LineProblem> {
        let line = line.trim_ascii_end();
        let read = self.read(line, latest);
        if let (Err(LineProblem::Malformed(_)), Some(message)) = (&read, after_header(line)) {
            let inner = self.read(message, latest);
            return if matches!(inner, Err(LineProblem::Malformed(_))) { read } else { inner };
        }
        read
    }

    fn read<'a>(
        &'a self,
        line: &'a [u8],
        latest: Option<Timestamp>,
    ) -> Result<LogRecord<'a>, LineProblem> {
        let slots = self.slots(line).ok_or(LineProblem::Malformed(match self.shape {
            Shape::Text(_) => "not of the pattern",
            Shape::Json(_) => "JSON",
        }))?;
        if !holds(&self.only, &slots) {
            return Err(LineProblem::Note);
        }
        let calendar = Calendar { ahead_s: self.ahead_s, latest };
        let when = record::When::of(
            slots.get(Field::Time).and_then(|end| time::time(end, self.units.time, calendar)),
            slots.get(Field::Start).and_then(|start| time::time(start, self.units.start, calendar)),
            slots.get(Field::Duration).and_then(|text| time::nanos(text, self.units.duration)),
        )?;
        let verdict = self.verdict(&slots);
        record::record(slots, &when, verdict)
    }

    fn is_text(&self) -> bool {
        matches!(self.shape, Shape::Text(_))
    }

    /// Whether a line is of this mapping's shape.
    fn fits(&self, line: &[u8]) -> bool {
        !matches!(self.parse(line, Some(Timestamp::from_secs(0))), Err(LineProblem::Malformed(_)))
    }

    fn slots<'a>(&'a self, line: &'a [u8]) -> Option<Slots<'a>> {
        let mut slots = self.fill(line)?;
        for (field, text) in &self.fixed {
            slots.put(*field, FIXED_RANK, Value::text(text[..].into()));
        }
        Some(slots)
    }

    fn fill<'a>(&self, line: &'a [u8]) -> Option<Slots<'a>> {
        match &self.shape {
            Shape::Text(patterns) => patterns.iter().find_map(|pattern| pattern.read(line)),
            Shape::Json(tree) => tree.read(line),
        }
    }

    fn verdict(&self, slots: &Slots<'_>) -> Verdict {
        let asks_login = slots.count(Field::Status) == Some(u64::from(PROXY_LOGIN));
        if !asks_login && self.blocked.iter().any(|rule| holds(rule, slots)) {
            Verdict::Blocked(BlockReason::ProxyDenied)
        } else {
            Verdict::Allowed
        }
    }
}

impl PartialEq for Mapping {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl Eq for Mapping {}

impl Hash for Mapping {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.raw.name.hash(state);
    }
}

fn holds(condition: &Condition, slots: &Slots<'_>) -> bool {
    condition.iter().all(|(field, values)| slots.is_like(*field, values))
}

/// What follows a syslog header: `PROCESS[PID]: MESSAGE` or, for JSON, `PROCESS: {…}`.
fn after_header(line: &[u8]) -> Option<&[u8]> {
    let head = &line[..line.len().min(MAX_HEADER_BYTES)];
    let with_pid = memchr::memmem::find(head, b"]: ").map(|at| at + 3);
    let start = with_pid.or_else(|| memchr::memmem::find(head, b" {").map(|at| at + 1))?;
    Some(&line[start..])
}

#[cfg(test)]
mod tests;
