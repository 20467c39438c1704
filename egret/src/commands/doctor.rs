//! `egret doctor`: looks at a running egret and at this machine, and says what is not well.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use egret_api::{SourceState, SourceStatus, StageStatus, Status};
use egret_collector::SourceKind;
use egret_collector::packets::can_capture;
use egret_store::Store;

use crate::cli::ConfigArgs;
use crate::config::{Config, load};
use crate::terminal::shown;

/// How long to wait for a running egret to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A source whose time is so far behind is worth a word.
const BEHIND: Duration = Duration::from_secs(300);

/// One thing that was looked at.
struct Finding {
    well: bool,
    text: String,
}

impl Finding {
    fn well(text: impl Into<String>) -> Self {
        Self { well: true, text: text.into() }
    }

    fn ill(text: impl Into<String>) -> Self {
        Self { well: false, text: text.into() }
    }
}

/// Looks and prints; fails when something is not well.
pub async fn run(args: &ConfigArgs) -> Result<ExitCode> {
    let config = load(args)?.config;
    let mut findings = vec![Finding::well("the configuration is sound")];
    findings.extend(look_at_store(&config));
    findings.extend(look_at_interfaces(&config));
    match ask(&config).await {
        Ok(status) => findings.extend(look_at_status(&status)),
        Err(error) => findings.push(Finding::ill(format!("no running egret: {error:#}"))),
    }
    for finding in &findings {
        println!("{} {}", if finding.well { "ok  " } else { "NOT " }, shown(&finding.text));
    }
    let all_well = findings.iter().all(|finding| finding.well);
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn look_at_store(config: &Config) -> Vec<Finding> {
    let path = config.store.path.display();
    let store = match Store::open(&config.store) {
        Ok(store) => store,
        Err(error) => return vec![Finding::ill(error.to_string())],
    };
    let mut findings = vec![Finding::well(format!("the store {path} can be opened"))];
    match store.outbox_counts() {
        Ok(counts) => {
            for (target, waiting, dead) in counts {
                if dead > 0 {
                    findings.push(Finding::ill(format!(
                        "target {target:?}: {dead} alerts could not be delivered \
                         (`egret dlq list` shows why)"
                    )));
                }
                if waiting > 0 {
                    findings.push(Finding::well(format!("target {target:?}: {waiting} wait")));
                }
            }
        }
        Err(error) => findings.push(Finding::ill(error.to_string())),
    }
    findings
}

fn look_at_interfaces(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in &config.collector.sources {
        if let SourceKind::Live(options) = &source.kind {
            findings.push(match can_capture(options) {
                Ok(()) => {
                    Finding::well(format!("interface {:?} can be captured", options.interface))
                }
                Err(error) => Finding::ill(error.to_string()),
            });
        }
    }
    findings
}

/// Asks the running egret for its status. A token is taken from `EGRET_TOKEN`.
async fn ask(config: &Config) -> Result<Status> {
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .no_proxy()
        .build()
        .context("cannot make an HTTP client")?;
    let address = config.api.listen;
    let mut request = client.get(format!("http://{address}/v1/status"));
    if let Ok(token) = std::env::var("EGRET_TOKEN") {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.with_context(|| format!("nothing answers at {address}"))?;
    if !answer.status().is_success() {
        bail!(
            "{address} answered {} (give a token in EGRET_TOKEN if it wants one)",
            answer.status()
        );
    }
    let body = answer.bytes().await?;
    serde_json::from_slice(&body).context("what answers is no egret of this version")
}

fn look_at_status(status: &Status) -> Vec<Finding> {
    let mut findings = vec![Finding::well(format!(
        "egret {} runs since {}, {} live sessions, {} learned",
        status.version, status.started_at, status.live_sessions, status.baseline_sessions
    ))];
    if let Some(error) = &status.store_error {
        findings.push(Finding::ill(error.clone()));
    }
    for source in &status.sources {
        findings.push(look_at_source(source, status));
    }
    findings.extend(status.stages.iter().map(look_at_stage));
    findings
}

/// A stage that dropped events is not well. While it runs, some are in hand.
fn look_at_stage(stage: &StageStatus) -> Finding {
    let ledger = &stage.ledger;
    let lost = |is_filter: bool| -> Vec<String> {
        let of_kind = ledger.lost.iter().filter(|(reason, _)| reason.is_filter() == is_filter);
        of_kind.map(|(reason, n)| format!(", {n} {}", reason.word().replace('_', " "))).collect()
    };
    let dropped = lost(false);
    let text = format!(
        "stage {}: {} events received, {} passed on{}{}, {} in hand",
        stage.name,
        ledger.received,
        ledger.passed,
        lost(true).concat(),
        dropped.concat(),
        ledger.unaccounted(),
    );
    if dropped.is_empty() { Finding::well(text) } else { Finding::ill(text) }
}

fn look_at_source(source: &SourceStatus, status: &Status) -> Finding {
    let name = &source.name;
    let ledger = &source.ledger;
    if source.state == SourceState::Failed {
        let error = source.error.as_deref().unwrap_or("no reason given");
        return Finding::ill(format!("source {name:?} failed: {error}"));
    }
    let dropped: u64 =
        ledger.lost.iter().filter(|(reason, _)| !reason.is_filter()).map(|(_, n)| n).sum();
    let account = format!(
        "source {name:?}: {} received, {} used, {dropped} dropped, {} lost in the kernel",
        ledger.received, ledger.passed, source.kernel_drops
    );
    let behind = source.seen_until.map(|seen| status.now.since(seen));
    if source.kernel_drops > 0 {
        return Finding::ill(format!("{account} (raise `buffer`, or narrow `filter`)"));
    }
    if source.state == SourceState::Running && behind.is_some_and(|behind| behind > BEHIND) {
        return Finding::ill(format!(
            "{account}; nothing for {} s",
            behind.unwrap_or_default().as_secs()
        ));
    }
    if source.state == SourceState::Ended && ledger.unaccounted() != 0 {
        return Finding::ill(format!("{account}; {} unaccounted for", ledger.unaccounted()));
    }
    Finding::well(account)
}
