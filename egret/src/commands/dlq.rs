//! `egret dlq`: alerts that could not be delivered.

use anyhow::Result;
use egret_store::{Delivery, Store};

use crate::cli::{DlqAction, DlqArgs};
use crate::clock;
use crate::config::load_without_secrets;
use crate::terminal::{shown, table};

/// Carries out what is asked.
pub fn run(args: &DlqArgs) -> Result<()> {
    let store = Store::open(&load_without_secrets(&args.config)?.config.store)?;
    match &args.action {
        DlqAction::List { target } => {
            let letters = store.dead_letters(target.as_deref())?;
            if letters.is_empty() {
                println!("no dead letters");
            } else {
                let rows: Vec<Vec<String>> = letters.iter().map(row).collect();
                let header = ["ALERT", "TARGET", "QUEUED", "ATTEMPTS", "TITLE", "LAST ERROR"];
                print!("{}", table(&header, &rows));
            }
        }
        DlqAction::Replay { target, alert } => {
            let count = store.replay_dead_letters(target.as_deref(), *alert, clock::now())?;
            println!("{count} alerts are due again; a running egret sends them");
        }
    }
    Ok(())
}

fn row(letter: &Delivery) -> Vec<String> {
    vec![
        letter.alert.to_string(),
        shown(&letter.target),
        letter.queued_at.to_string(),
        letter.attempts.to_string(),
        shown(&letter.change.incident.title),
        shown(letter.last_error.as_deref().unwrap_or("")),
    ]
}
