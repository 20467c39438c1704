//! `egret notify test`: whether an alert arrives.

use anyhow::{Context, Result, bail};
use egret_notify::try_out;

use crate::cli::{NotifyAction, NotifyArgs};
use crate::clock;
use crate::config::load;
use crate::terminal::shown;

/// Carries out what is asked.
///
/// # Errors
/// The configuration, a target that it does not have, or one that did not take the alert.
pub async fn run(args: &NotifyArgs) -> Result<()> {
    let NotifyAction::Test { target, config } = &args.action;
    let targets = load(config)?.config.targets;
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    let unknown = || {
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        format!("{target:?} is no target of the configuration; it has: {known}")
    };
    let found = targets.iter().find(|known| known.name == *target).with_context(unknown)?;
    for tried in try_out(found.clone(), clock::now).await {
        println!("a test incident is {}:", tried.change);
        for line in &tried.conversation {
            println!("  {}", shown(line));
        }
        match tried.outcome {
            Ok(()) => println!("  taken"),
            Err(error) => bail!("{target}: {error}"),
        }
    }
    println!("{target}: the alerts were taken; look for them there");
    Ok(())
}
