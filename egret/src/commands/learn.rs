//! `egret learn`: captures and logs in, a baseline out: what is normal here is known from the first
//! minute, and not only weeks later.

use anyhow::{Context as _, Result, bail};
use egret_analyzer::{AnalyzerConfig, Engine, EngineSummary, Stage};

use super::read::{attribution, read};
use crate::cli::LearnArgs;
use crate::config::load_without_targets;
use crate::terminal::shown;

/// Learns, and writes the baseline. Incidents are not told of: `egret analyze` does that.
///
/// # Errors
/// When a file cannot be read to its end, or the baseline cannot be written: then none is.
pub fn run(args: &LearnArgs) -> Result<()> {
    let config = load_without_targets(&args.config)?.config;
    let mut engine = new_engine(&config.analyzer)?;
    let mut changes = Vec::new();
    let attribution = attribution(&config.collector, &args.executors)?;
    let surroundings = (attribution, &config.collector.scanner);
    let inputs = read(&args.files, surroundings, true, &mut |events| {
        engine.observe(events, &mut changes);
        changes.clear();
        Ok(())
    })?;
    if let Some(error) = inputs.iter().find_map(|input| input.error.as_deref()) {
        bail!("nothing was written, because not everything could be read: {}", shown(error));
    }
    engine.finish(&mut changes);
    let path = &args.out;
    let failed = || format!("cannot write the baseline {}", path.display());
    // A reader never finds half a file: it comes into its place when it is whole.
    let mut new = path.clone().into_os_string();
    new.push(".new");
    std::fs::write(&new, engine.baseline()).with_context(failed)?;
    std::fs::rename(&new, path).with_context(failed)?;
    println!("{}", words(&engine.summary()));
    Ok(())
}

fn words(summary: &EngineSummary) -> String {
    let EngineSummary { baseline_sessions, waiting_sessions, .. } = summary;
    let thresholds = match summary.stage {
        Stage::Calibrated => "thresholds are calibrated",
        Stage::Priors | Stage::Rules => "thresholds are the shipped ones",
    };
    format!(
        "learned from {baseline_sessions} sessions; {waiting_sessions} in which something was \
         unlikely count a week later; {thresholds}"
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
