//! `egret analyze`: files in, incidents printed; nothing is deployed or written.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use egret_analyzer::{
    ChangeKind, Engine, EngineSummary, Incident, RollUp, Severity, Story, join_into, roll_up_new,
};
use egret_event::{Event, EventId, Timestamp};
use serde::Serialize;

use super::learn::new_engine;
use super::read::{InputReport, attribution, read};
use crate::cli::{AnalyzeArgs, Format};
use crate::config::load_without_targets;
use crate::terminal::{bytes, shown, table};

/// Exit status when `--fail-on` found what it looks for.
const FOUND: u8 = 3;

/// What an analysis found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The incidents as they stood at the end, most severe first.
    pub incidents: Vec<Incident>,
    /// What was read.
    pub inputs: Vec<InputReport>,
    /// Events that were analyzed.
    pub events: u64,
    /// Time of the first event.
    pub from: Option<Timestamp>,
    /// Time of the last event.
    pub until: Option<Timestamp>,
}

/// Analyzes the files and prints what was found.
///
/// # Errors
/// When a file cannot be read at all; the incidents of the others are printed before.
pub fn run(args: &AnalyzeArgs) -> Result<ExitCode> {
    let report = analyze(args)?;
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, &report)?;
            writeln!(out)?;
        }
        Format::Table => out.write_all(as_table(&report).as_bytes())?,
        // They were printed as they came.
        Format::Events => {}
    }
    out.flush()?;
    let failed: Vec<&InputReport> =
        report.inputs.iter().filter(|input| input.error.is_some()).collect();
    for input in &failed {
        eprintln!("egret: {}", shown(input.error.as_deref().unwrap_or_default()));
    }
    let wanted = args.fail_on.map(Severity::from);
    let found = wanted.is_some_and(|least| report.incidents.iter().any(|i| i.severity >= least));
    Ok(match (failed.is_empty(), found) {
        (false, _) => ExitCode::FAILURE,
        (true, true) => ExitCode::from(FOUND),
        (true, false) => ExitCode::SUCCESS,
    })
}

/// Analyzes the files.
pub fn analyze(args: &AnalyzeArgs) -> Result<Report> {
    let loaded = load_without_targets(&args.config)?;
    let config = loaded.config;
    let mut engine = new_engine(&config.analyzer)?;
    if args.files.len() == 1 {
        engine.hear_one_source();
    }
    let mut found = Found::new(engine);
    let with_progress = args.format == Format::Table;
    let attribution = attribution(&config.collector, &args.executors)?;
    let surroundings = (attribution, &config.collector.scanner);
    let inputs = read(&args.files, surroundings, with_progress, &mut |events| {
        found.observe(events);
        if args.format == Format::Events { print_events(events) } else { Ok(()) }
    })?;
    Ok(found.report(inputs))
}

fn print_events(events: &[Event]) -> Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for event in events {
        serde_json::to_writer(&mut out, event)?;
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

/// What the engine found so far.
struct Found {
    engine: Engine,
    incidents: BTreeMap<EventId, Incident>,
    events: u64,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    changes: Vec<egret_analyzer::IncidentChange>,
}

impl Found {
    fn new(engine: Engine) -> Self {
        Self {
            engine,
            incidents: BTreeMap::new(),
            events: 0,
            from: None,
            until: None,
            changes: Vec::new(),
        }
    }

    /// Takes in events, and joins what was seen twice.
    fn observe(&mut self, events: &mut Vec<Event>) {
        self.events += events.len() as u64;
        self.from = self.from.or(events.first().map(|event| event.at));
        self.until = self.until.max(events.last().map(|event| event.at));
        let mut joined = Vec::new();
        self.engine.observe_and_join(events, &mut self.changes, &mut joined);
        join_into(events, joined);
        self.keep();
    }

    /// Keeps each incident as its last change left it.
    fn keep(&mut self) {
        for change in self.changes.drain(..) {
            debug_assert!(matches!(
                change.kind,
                ChangeKind::Opened
                    | ChangeKind::Grew
                    | ChangeKind::Obscured
                    | ChangeKind::Ended
                    | ChangeKind::Resumed
                    | ChangeKind::Closed
            ));
            self.incidents.insert(change.incident.id, change.incident);
        }
    }

    fn report(mut self, inputs: Vec<InputReport>) -> Report {
        self.engine.finish(&mut self.changes);
        self.keep();
        let mut incidents: Vec<Incident> = self.incidents.into_values().collect();
        incidents.sort_by(|a, b| {
            (b.severity, b.score).partial_cmp(&(a.severity, a.score)).map_or_else(
                || a.id.cmp(&b.id),
                |order| order.then(a.opened_at.cmp(&b.opened_at)).then(a.id.cmp(&b.id)),
            )
        });
        let summary: EngineSummary = self.engine.summary();
        tracing::debug!(?summary, "analyzed");
        Report { incidents, inputs, events: self.events, from: self.from, until: self.until }
    }
}

/// The report for people.
pub fn as_table(report: &Report) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for input in &report.inputs {
        let lost: Vec<String> = input
            .ledger
            .lost
            .iter()
            .map(|(reason, n)| format!(", {n} {}", reason.word().replace('_', " ")))
            .collect();
        let _ = writeln!(
            out,
            "{}: {}, {} read, {} used{}",
            shown(&input.path),
            input.kind,
            input.ledger.received,
            input.ledger.passed,
            lost.concat()
        );
    }
    if let (Some(from), Some(until)) = (report.from, report.until) {
        let _ = writeln!(out, "{} events from {from} until {until}", report.events);
    }
    if report.incidents.is_empty() {
        out.push_str("\nno incidents\n");
        return out;
    }
    let rows: Vec<Vec<String>> = report.incidents.iter().map(incident_row).collect();
    let _ = writeln!(out, "\n{}", table(&INCIDENT_COLUMNS, &rows));
    out.push_str(&rolled_up(&report.incidents));
    for incident in &report.incidents {
        let _ = writeln!(
            out,
            "{} {}: {}\n    {}",
            incident.severity.word(),
            shown(&incident.destination),
            shown(&incident.title),
            shown(&incident.explanation.summary)
        );
        if let Some(step) = incident.explanation.next_steps.first() {
            let _ = writeln!(out, "    next: {}", shown(step));
        }
    }
    out
}

/// How many stories the incidents are, and those of several incidents. Nothing where each is its own.
fn rolled_up(incidents: &[Incident]) -> String {
    use std::fmt::Write as _;
    let mut all = roll_up_new(incidents);
    if all.len() == incidents.len() {
        return String::new();
    }
    let plural = if all.len() == 1 { "" } else { "s" };
    let mut out = format!("{} incidents make {} roll-up{plural}:\n", incidents.len(), all.len());
    all.retain(|roll_up| roll_up.incidents > 1);
    all.sort_by_key(|roll_up| (std::cmp::Reverse(roll_up.incidents), roll_up.id));
    for roll_up in all {
        let _ = writeln!(out, "    {}", roll_up_words(&roll_up));
    }
    out.push('\n');
    out
}

/// Such as `bad.example: 41 incidents, 41 sessions, 3 tenants, since 2026-10-22T00:00:00Z`.
fn roll_up_words(roll_up: &RollUp) -> String {
    let subject = match &roll_up.story {
        Story::Destination { place: Some(place), .. } => shown(place),
        Story::Destination { destination, .. } | Story::Internal { destination, .. } => {
            shown(destination)
        }
        Story::Executor { executor, .. } => format!("many destinations of {}", shown(executor)),
        Story::Template { template } => {
            format!("template {}", shown(template.as_deref().unwrap_or("unknown")))
        }
        Story::Source { source } => format!("source {}", shown(source)),
    };
    let counted = |count: u64, one: &str| match count {
        0 => String::new(),
        1 => format!(", 1 {one}"),
        _ => format!(", {count} {one}s"),
    };
    format!(
        "{subject}: {} incidents{}{}{}, since {}",
        roll_up.incidents,
        counted(roll_up.sessions, "session"),
        counted(roll_up.executors.count, "executor"),
        counted(roll_up.tenants.count, "tenant"),
        roll_up.first_opened_at
    )
}

/// The columns of [`incident_row`].
pub const INCIDENT_COLUMNS: [&str; 7] =
    ["SEVERITY", "SCORE", "OPENED", "EXECUTOR", "DESTINATION", "SENT", "BECAUSE"];

/// One incident as a row of a table.
pub fn incident_row(incident: &Incident) -> Vec<String> {
    let observed = &incident.observed;
    let at_least = if observed.contacts_of_unknown_volume > 0 { "≥ " } else { "" };
    let because: Vec<&str> =
        incident.explanation.findings.iter().map(|finding| finding.detector.name()).collect();
    vec![
        incident.severity.word().to_owned(),
        format!("{:.2}", incident.score),
        incident.opened_at.to_string(),
        shown(&incident.origin.executor),
        shown(&incident.destination),
        format!("{at_least}{}", bytes(observed.up_bytes)),
        because.join(", "),
    ]
}
