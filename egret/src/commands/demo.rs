//! `egret demo`: simulated attacks through the whole pipeline, then the dashboard.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use egret_store::{IncidentQuery, Store};

use super::analyze::{INCIDENT_COLUMNS, incident_row};
use super::run::Running;
use crate::cli::{ConfigArgs, DemoArgs};
use crate::clock;
use crate::config::{Config, load};
use crate::simulate::{Manner, Plan, SEGMENT_RANGES, SERVICE_RANGES, Scenario, Written, write};
use crate::terminal::{shown, table};

/// The demo's folder below the system's folder for temporary files.
const FOLDER: &str = "egret-demo";

/// A file that marks a folder as one that a demo made, and may empty.
const MARK: &str = ".egret-demo";

/// What is shown: attacks that are loud, some that are not, and no attack.
const SCENARIOS: [&str; 6] =
    ["bulk-upload", "burst", "blocked-probes", "slow-drip", "dns-tunnel", "benign"];

/// Ordinary sessions around each attack.
const BENIGN_SESSIONS: u32 = 16;

/// Longest wait for the pipeline to have seen everything.
const PATIENCE: Duration = Duration::from_secs(300);

/// Simulates, runs the pipeline on it, prints the incidents, and serves the dashboard.
pub async fn run(args: &DemoArgs) -> Result<()> {
    let folder = args.dir.clone().unwrap_or_else(|| std::env::temp_dir().join(FOLDER));
    prepare(&folder)?;
    println!("simulating traffic in {} …", folder.display());
    let written = simulate(&folder)?;
    let config = configure(&folder, &written, args)?;
    register(&config, &written)?;
    let running = Running::start(config).await?;
    wait_until_drained(&running).await?;
    print_incidents(&running.store)?;
    if args.once {
        return running.end().await;
    }
    println!("\nthe dashboard is at http://{}/ (ctrl-c ends the demo)", running.address);
    running.until_told().await
}

/// Makes the folder, or empties it if an earlier demo made it.
fn prepare(folder: &Path) -> Result<()> {
    let mark = folder.join(MARK);
    let holds_something = folder.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    if holds_something {
        if !mark.is_file() {
            bail!(
                "{} is not empty and not the folder of a demo: give another with --dir",
                folder.display()
            );
        }
        std::fs::remove_dir_all(folder)
            .with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    std::fs::write(&mark, "").with_context(|| format!("cannot write to {}", folder.display()))
}

/// Writes each scenario, in the hours that end now.
fn simulate(folder: &Path) -> Result<Vec<(Scenario, Written)>> {
    let now = clock::now().floor(Duration::from_secs(60));
    let mut written = Vec::new();
    for (seed, word) in (1..).zip(SCENARIOS) {
        let (scenario, manner): (Scenario, _) = (word.parse()?, Manner::Plain);
        let start = now - scenario.span(manner);
        let plan = Plan {
            scenario,
            manner,
            seed,
            start,
            benign_sessions: BENIGN_SESSIONS,
            most_bytes: None,
        };
        written.push((scenario, write(&plan, &folder.join(scenario.word()))?));
    }
    Ok(written)
}

/// The configuration of the demo: defaults, the simulated files as sources, and its own store.
fn configure(folder: &Path, written: &[(Scenario, Written)], args: &DemoArgs) -> Result<Config> {
    use std::fmt::Write as _;
    let mut text = format!(
        "[[collector.segments]]\nname = \"executors\"\nranges = {SEGMENT_RANGES:?}\n\
         [analyzer]\nallow_private = {SERVICE_RANGES:?}\n"
    );
    for (scenario, files) in written {
        for (kind, path) in
            [("capture", &files.capture), ("log", &files.squid_log), ("log", &files.envoy_log)]
        {
            let follow = if kind == "log" { "follow = false\n" } else { "" };
            let file = path.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
            write!(
                text,
                "[[collector.sources]]\nname = \"{scenario}/{file}\"\nkind = \"{kind}\"\npath = {}\n{follow}",
                toml::Value::from(path.display().to_string())
            )?;
        }
    }
    let store = toml::Value::from(folder.join("egret.db").display().to_string());
    write!(text, "[store]\npath = {store}\n[api]\nlisten = \"{}\"\n", args.listen)?;
    let path: PathBuf = folder.join("egret.toml");
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(load(&ConfigArgs { config: Some(path), set: Vec::new() })?.config)
}

/// Registers the simulated executors, as whoever starts executors would.
fn register(config: &Config, written: &[(Scenario, Written)]) -> Result<()> {
    let store = Store::open(&config.store)?;
    for registration in written.iter().flat_map(|(_, files)| &files.executors) {
        store.put_executor(registration)?;
    }
    Ok(())
}

async fn wait_until_drained(running: &Running) -> Result<()> {
    let mut looks = tokio::time::interval(Duration::from_millis(100));
    let drained = async {
        while !running.board.is_drained() {
            looks.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, drained)
        .await
        .context("the pipeline did not finish in five minutes; see `egret doctor`")
}

fn print_incidents(store: &Store) -> Result<()> {
    let query = IncidentQuery { limit: Some(100), ..IncidentQuery::default() };
    let mut incidents: Vec<_> =
        store.incidents(&query)?.items.into_iter().map(|row| row.incident).collect();
    incidents.sort_by_key(|incident| (incident.opened_at, incident.id));
    let rows: Vec<Vec<String>> = incidents.iter().map(incident_row).collect();
    println!("\n{} incidents caught:\n\n{}", rows.len(), table(&INCIDENT_COLUMNS, &rows));
    for incident in &incidents {
        println!("{}", shown(&incident.explanation.summary));
    }
    Ok(())
}
