//! What the tests of this room share: lines, a context, and how to look at events.

use std::sync::Arc;

use egret_event::{Event, Fact, GapReason, Timestamp};

use super::record::LogRecord;
use crate::{AttributionTable, Context, Segment};

/// A line in Egret's format, with its line end, for a request of the path `/n` at second `n`.
pub(super) fn line(n: u64) -> String {
    format!(
        "{}.000 1 10.20.0.17:4000 TCP_MISS/200 up=100 down=200 GET http://a.example/{n} \
         192.0.2.7:80 hier=HIER_DIRECT user=- sni=- ua=-\n",
        1_700_000_000 + n
    )
}

/// Several lines.
pub(super) fn lines(numbers: impl IntoIterator<Item = u64>) -> String {
    numbers.into_iter().map(line).collect()
}

/// A context that watches 10.20.0.0/16.
pub(super) fn context() -> Context {
    let segment = Segment { name: "s".into(), ranges: vec!["10.20.0.0/16".parse().unwrap()] };
    Context::new(Arc::new(AttributionTable::new(vec![segment], Vec::new())), || {
        Timestamp::from_secs(4_102_444_800)
    })
}

/// An event in a word: the number of the line's path, or the gap's reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Line(u64),
    Gap(GapReason, u64),
}

pub(super) fn seen(event: &Event) -> Seen {
    match &event.fact {
        Fact::Http(request) => {
            Seen::Line(request.path.as_deref().unwrap().trim_start_matches('/').parse().unwrap())
        }
        Fact::Gap(gap) => Seen::Gap(gap.reason, gap.count),
        other => panic!("a log gave {other:?}"),
    }
}

/// What a request's line tells, in short: for tables in tests.
pub(super) fn in_short(record: &LogRecord<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let count = |count: Option<u64>| count.map_or("?".to_owned(), |count| count.to_string());
    let (client, port) = record.client;
    format!(
        "{} {client}/{port} {} {}:{}{} {} up {} down {} ms {}{}",
        record.at,
        text(&record.method),
        text(&record.host),
        record.port,
        record.path_and_query().0.map(text).unwrap_or_default(),
        record.status.map_or("?".to_owned(), |status| status.to_string()),
        count(record.up_bytes),
        count(record.down_bytes),
        count(record.duration_ms),
        if record.verdict.is_blocked() { " refused" } else { "" },
    )
}
