//! Requests for what a destination does not have.

use egret_analyzer::{AnalyzerConfig, Detector, Engine, Incident};
use egret_event::{Event, Fact};

use crate::traffic::*;

const DAY_MS: i64 = 86_400_000;

/// A request to an index through a proxy, and how it was answered.
fn asks(executor: &mut Executor, ms: i64, path: &str, status: u16) -> Event {
    let mut event = executor.logged(ms, "pypi.org", Some(400), 600);
    let Fact::Http(request) = &mut event.fact else { unreachable!("a log tells of requests") };
    request.method = "GET".into();
    (request.path, request.status) = (Some(path.into()), Some(status));
    event
}

/// Thirty bytes in the letters of base 32, as the name of a package.
fn encoded(number: u64) -> String {
    let letter =
        |at| b"abcdefghijklmnopqrstuvwxyz234567"[(chance(number * 64 + at) * 32.0) as usize];
    let name: String = (0..48).map(|at| char::from(letter(at))).collect();
    format!("/simple/{name}/")
}

/// A session of a package install that asks for so many such names, one in five seconds.
fn tells(executor: &mut Executor, from_ms: i64, names: u64, status: u16) -> Vec<Event> {
    let name = |number| {
        asks(executor, from_ms + number as i64 * 5_000, &encoded(number + from_ms as u64), status)
    };
    (0..names).map(name).collect()
}

fn by_what_was_not_found(incidents: &[Incident]) -> Vec<&Incident> {
    let detector = |incident: &Incident| incident.explanation.findings[0].detector;
    incidents.iter().filter(|incident| detector(incident) == Detector::NotFound).collect()
}

#[test]
fn data_in_the_names_of_packages_that_are_not_there_is_found() {
    let found = incidents(&tells(&mut Executor::new("teller"), 0, 900, 404));
    let [incident] = by_what_was_not_found(&found)[..] else { panic!("{found:#?}") };
    assert_eq!(incident.destination, "pypi.org");
    let finding = &incident.explanation.findings[0];
    // 27 KB, and the estimate is within 13 %.
    assert!((20_000.0..36_000.0).contains(&finding.observed.value), "{finding:?}");
    assert!(finding.words.contains("not there (404, 410)"), "{}", finding.words);
    assert!(incident.title.contains("in paths that pypi.org does not have"), "{}", incident.title);
    let next = &incident.explanation.next_steps;
    assert!(next.iter().any(|step| step.starts_with("Read the paths that pypi.org")), "{next:?}");
}

#[test]
fn what_is_there_may_be_asked_for_by_any_name() {
    let found = incidents(&tells(&mut Executor::new("reader"), 0, 900, 200));
    assert_eq!(by_what_was_not_found(&found).len(), 0, "{found:#?}");
}

#[test]
fn a_build_that_looks_for_its_packages_in_several_places_is_nothing() {
    const WORDS: [&str; 8] =
        ["spring", "boot", "starter", "data", "jackson", "core", "netty", "handler"];
    let mut executor = Executor::new("build");
    let path = |n: usize| {
        let [group, name] = [WORDS[n % 8], WORDS[n / 8 % 8]];
        format!("/maven2/org/{group}/{group}-{name}/{}.{}/{group}-{name}.pom", n % 4, n / 64)
    };
    let asked = (0..300).map(|n| asks(&mut executor, n as i64 * 50, &path(n), 404));
    let found = incidents(&asked.collect::<Vec<_>>());
    assert_eq!(by_what_was_not_found(&found).len(), 0, "{found:#?}");
}

#[test]
fn where_sessions_find_what_they_ask_for_little_is_told() {
    let few = |executor: &mut Executor, ms| tells(executor, ms, 60, 404);
    assert!(incidents(&few(&mut Executor::new("cold"), 0)).is_empty(), "not before it is known");
    let mut engine = Engine::new(AnalyzerConfig::default());
    let mut changes = Vec::new();
    for number in 0..2_000 {
        let mut executor = Executor::new(&format!("ordinary-{number}"));
        let ms = number * DAY_MS / 400;
        let package =
            |status| asks(&mut executor, ms, &format!("/simple/tool-{}/", number % 9), status);
        engine.observe(&[200, 404].map(package), &mut changes);
    }
    assert!(opened(&changes).is_empty(), "{:#?}", opened(&changes));
    engine.observe(&few(&mut Executor::new("teller"), 12 * DAY_MS), &mut changes);
    let told = opened(&changes);
    let [told] = told.as_slice() else { panic!("{told:#?}") };
    assert_eq!(told.incident.explanation.findings[0].detector, Detector::NotFound);
}
