//! What is in the store of a test's folder, read beside a running egret.

use std::collections::BTreeMap;
use std::path::Path;

use egret_event::{Event, EventId, Fact, Gap, GapReason, Timestamp};
use egret_store::{
    Cursor, EventQuery, GroupBy, IncidentQuery, IncidentRow, Page, RawStore, SeriesQuery, Store,
};

/// Roll-ups are asked for between these seconds since 1970: 2026 and what is around it.
const FROM_S: i64 = 1_735_689_600;
const UNTIL_S: i64 = 1_830_297_600;
const DAY_S: u32 = 86_400;

/// The store `egret.db` of a folder.
#[derive(Debug)]
pub struct Stored {
    store: Store,
}

impl Stored {
    /// Opens it, beside a running egret or after its end.
    pub fn open(folder: &Path) -> Self {
        let path = Some(folder.join("egret.db"));
        let config = RawStore { path, ..RawStore::default() }.check();
        Self { store: Store::open(&config).expect("the store opens beside a running egret") }
    }

    /// Contacts by the sums per minute and hour: what the dashboard shows.
    pub fn contacts(&self) -> u64 {
        let query = SeriesQuery {
            since: Timestamp::from_secs(FROM_S),
            until: Timestamp::from_secs(UNTIL_S),
            step_s: DAY_S.into(),
            destination: None,
            executor: None,
            group_by: GroupBy::Nothing,
        };
        let series = self.store.series(&query).expect("the series can be read");
        series.points.iter().map(|point| point.allowed + point.blocked).sum()
    }

    /// All incidents.
    pub fn incidents(&self) -> Vec<IncidentRow> {
        all(|after| {
            let query = IncidentQuery { limit: Some(1000), after, ..IncidentQuery::default() };
            self.store.incidents(&query).expect("incidents can be read")
        })
    }

    /// All events.
    pub fn events(&self) -> Vec<Event> {
        all(|after| {
            let query = EventQuery { limit: Some(1000), after, ..EventQuery::default() };
            self.store.events(&query).expect("events can be read")
        })
    }

    /// How often each event is there, by its id.
    pub fn times(&self) -> BTreeMap<EventId, u32> {
        let mut times = BTreeMap::new();
        for event in self.events() {
            *times.entry(event.id).or_insert(0) += 1;
        }
        times
    }

    /// Gaps of one reason that a source told of.
    pub fn gaps(&self, source: &str, reason: GapReason) -> Vec<Gap> {
        let events = self.events().into_iter().filter(|event| event.source == source);
        let gaps = events.filter_map(|event| match event.fact {
            Fact::Gap(gap) if gap.reason == reason => Some(gap),
            _ => None,
        });
        gaps.collect()
    }
}

/// What is on all pages.
fn all<T>(ask: impl Fn(Option<Cursor>) -> Page<T>) -> Vec<T> {
    let mut items = Vec::new();
    let mut after = None;
    loop {
        let page = ask(after);
        items.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return items,
        }
    }
}
