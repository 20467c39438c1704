//! `egret check` and `egret config`: what is in force, and what is wrong with it.

use anyhow::Result;

use crate::cli::ConfigArgs;
use crate::config::load;
use crate::terminal::shown;

/// Says that the configuration is sound, and what it amounts to.
///
/// # Errors
/// What is wrong with it, with file, line and key.
pub fn check(args: &ConfigArgs) -> Result<()> {
    let loaded = load(args)?;
    let config = &loaded.config;
    let file = match &loaded.file {
        Some(path) => path.display().to_string(),
        None => "no file, defaults only".to_owned(),
    };
    println!("{}: sound", shown(&file));
    println!(
        "{} segments, {} executors, {} sources, {} targets",
        config.collector.segments.len(),
        config.collector.executors.len(),
        config.collector.sources.len(),
        config.targets.len()
    );
    for (found, hint) in [
        (config.collector.sources.is_empty(), "no sources: `egret run` has nothing to watch"),
        (
            config.collector.segments.is_empty() && config.collector.executors.is_empty(),
            "no segments and no executors: every event would be outside what is watched",
        ),
        (config.targets.is_empty(), "no targets: incidents are in the dashboard only"),
    ] {
        if found {
            println!("note: {hint}");
        }
    }
    Ok(())
}

/// Prints every effective value and where it came from.
pub fn print(args: &ConfigArgs) -> Result<()> {
    let loaded = load(args)?;
    let values = loaded.effective();
    let lines: Vec<String> =
        values.iter().map(|value| format!("{} = {}", value.key, shown(&value.value))).collect();
    let width = lines.iter().map(|line| line.chars().count()).filter(|w| *w <= 72).max();
    for (line, value) in lines.iter().zip(&values) {
        println!(
            "{line:width$}  # {}",
            shown(&value.origin.to_string()),
            width = width.unwrap_or(0)
        );
    }
    Ok(())
}
