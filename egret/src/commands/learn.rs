//! `egret learn`: captures and logs in, a baseline out: what is normal here is known from the first
//! minute, and not only weeks later.

use anyhow::{Context as _, Result, bail};
use egret_analyzer::{AnalyzerConfig, ChangeKind, Engine, EngineSummary, IncidentChange, Stage};
use serde::Serialize;

use super::read::{attribution, read};
use crate::cli::{LearnArgs, LearnFormat};
use crate::config::load_without_targets;
use crate::terminal::shown;

/// What was learned, and what it would have cost meanwhile.
#[derive(Debug, Serialize)]
struct Lesson {
    /// Sessions that the baseline was learned from.
    baseline_sessions: u64,
    /// Those in which something was unlikely, which count a week later.
    waiting_sessions: u64,
    /// How most sessions' thresholds are set.
    stage: Stage,
    /// Incidents that `egret run` would have opened on the way.
    incidents: u64,
}

/// Learns, and writes the baseline. Incidents are only counted: `egret analyze` tells of them.
///
/// # Errors
/// When a file cannot be read to its end, or the baseline cannot be written: then none is.
pub fn run(args: &LearnArgs) -> Result<()> {
    let config = load_without_targets(&args.config)?.config;
    let mut engine = new_engine(&config.analyzer)?;
    let (mut changes, mut incidents) = (Vec::new(), 0);
    let mut count = |changes: &mut Vec<IncidentChange>| {
        let opened = changes.drain(..).filter(|change| change.kind == ChangeKind::Opened);
        incidents += opened.count() as u64;
    };
    let attribution = attribution(&config.collector, &args.executors)?;
    let surroundings = (attribution, &config.collector.scanner);
    let inputs = read(&args.files, surroundings, true, &mut |events| {
        engine.observe(events, &mut changes);
        count(&mut changes);
        Ok(())
    })?;
    if let Some(error) = inputs.iter().find_map(|input| input.error.as_deref()) {
        bail!("nothing was written, because not everything could be read: {}", shown(error));
    }
    engine.finish(&mut changes);
    count(&mut changes);
    let path = &args.out;
    let failed = || format!("cannot write the baseline {}", path.display());
    // A reader never finds half a file: it comes into its place when it is whole.
    let mut new = path.clone().into_os_string();
    new.push(".new");
    std::fs::write(&new, engine.baseline()).with_context(failed)?;
    std::fs::rename(&new, path).with_context(failed)?;
    let EngineSummary { baseline_sessions, waiting_sessions, stage, .. } = engine.summary();
    let lesson = Lesson { baseline_sessions, waiting_sessions, stage, incidents };
    match args.format {
        LearnFormat::Text => println!("{}", words(&lesson)),
        LearnFormat::Json => println!("{}", serde_json::to_string(&lesson)?),
    }
    Ok(())
}

fn words(lesson: &Lesson) -> String {
    let Lesson { baseline_sessions, waiting_sessions, stage, incidents } = lesson;
    let thresholds = match stage {
        Stage::Calibrated => "thresholds are calibrated",
        Stage::Priors | Stage::Rules => "thresholds are the shipped ones",
    };
    format!(
        "learned from {baseline_sessions} sessions; {waiting_sessions} in which something was \
         unlikely count a week later; {thresholds}; {incidents} incidents would have been opened on the \
         way, and \"egret analyze\" tells of them"
    )
}

/// An engine that begins with the baseline that the configuration names, or with the shipped priors.
///
/// # Errors
/// When that file cannot be read or is no baseline.
pub fn new_engine(config: &AnalyzerConfig) -> Result<Engine> {
    let Some(path) = &config.baseline else { return Ok(Engine::new(config.clone())) };
    let named = || format!("analyzer.baseline names {}", path.display());
    let bytes = std::fs::read(path).with_context(named)?;
    Engine::with_baseline(config.clone(), &bytes).with_context(named)
}
