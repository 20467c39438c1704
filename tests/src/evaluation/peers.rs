//! Other ways to judge, on the very same traffic: what Egret finds and what the collector saw are
//! written down, and the programs in `tests/evaluation/peers` say what else would have found it.

mod contacts;
mod export;
mod page;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use egret::simulate::{Manner, Scenario};

use super::trial::{START, Story, Trial};
use super::{Extent, HELD_OUT, TO_TUNE_ON, run_all};
use export::{Export, Scores};
use page::Compared;

/// Where `deploy/setup.sh peers` puts their Python.
const PYTHON: &str = "target/peers-python/bin/python";

/// The programs.
const JUDGES: &str = "tests/evaluation/peers";

/// Where contacts and figures are kept.
const FOLDER: &str = "target/peers";

/// What is stolen at most, in bytes, to see how little is still found: at once to a new destination,
/// and in DNS questions.
const SIZES: [(&str, [usize; 9]); 2] = [
    (
        "bulk-upload",
        [16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20],
    ),
    ("dns-tunnel", [128, 256, 512, 1 << 10, 2 << 10, 4 << 10, 8 << 10, 16 << 10, 32 << 10]),
];

/// How much is compared.
#[derive(Debug, Clone, Copy)]
pub struct PeersExtent {
    /// Attacks, ordinary sessions, and what is learned from before.
    pub extent: Extent,
    /// Seeds of each size.
    pub size_seeds: u64,
}

impl PeersExtent {
    /// What the published figures stand on: 15,000 ordinary sessions, held out.
    pub const WHOLE: Self = Self {
        extent: Extent { first_seed: HELD_OUT, attack_seeds: 6, benign_seeds: 30, ..Extent::WHOLE },
        size_seeds: 10,
    };

    /// For whoever works on the peers: with seeds that are not held out, and fewer of them.
    pub const TUNING: Self = Self {
        extent: Extent {
            first_seed: TO_TUNE_ON,
            attack_seeds: 2,
            benign_seeds: 8,
            ..Extent::WHOLE
        },
        size_seeds: 4,
    };

    fn trials(self) -> Result<Vec<Trial>> {
        let Self { extent, size_seeds } = self;
        let mut trials = extent.trials();
        trials.retain(|trial| trial.scenario == Scenario::BENIGN || trial.scenario.is_listed());
        for (attack, sizes) in SIZES {
            let scenario = attack.parse()?;
            let sized = sizes.into_iter().flat_map(|most_bytes| {
                (0..size_seeds).map(move |n| Trial {
                    scenario,
                    manner: Manner::Plain,
                    seed: extent.first_seed + n,
                    benign_sessions: extent.sessions_beside,
                    most_bytes: Some(most_bytes),
                })
            });
            trials.extend(sized);
        }
        Ok(trials)
    }
}

/// Runs all trials, has the peers judge them too, and gives the page about it.
///
/// # Errors
/// When one cannot be written, analyzed or understood, or the peers are not installed or fail.
pub fn compare(extent: PeersExtent) -> Result<String> {
    if !Path::new(PYTHON).is_file() {
        bail!("{PYTHON} is not there: run `deploy/setup.sh peers`");
    }
    let folder = Path::new(FOLDER);
    let export = Export::begin(folder)?;
    let mut days = 0;
    let learned = extent.extent.history.learn_and(START, |day| {
        days += 1;
        export.add_history(days, &Story::of(day)?)
    })?;
    let baseline = learned.path();
    run_all(&extent.trials()?, |place, trial| {
        let folder = tempfile::tempdir().context("no folder for a trial")?;
        let story = trial.write(folder.path())?;
        let [cold, learned] = [None, Some(baseline.as_path())].map(|baseline| {
            story.incidents(baseline).map(|incidents| Scores::of(&story.truth, &incidents))
        });
        export.add(place, trial, &story, &[cold?, learned?])
    })?;
    export.end()?;
    judge(folder)?;
    let figures = std::fs::read(folder.join("figures.json")).context("the peers' figures")?;
    Ok(page::page(extent, &serde_json::from_slice::<Vec<Compared>>(&figures)?))
}

/// Has the peers read what was written, and write their figures beside it.
fn judge(folder: &Path) -> Result<()> {
    let status = Command::new(PYTHON).arg(JUDGES).arg(folder).status();
    let status = status.with_context(|| format!("{PYTHON} cannot be started"))?;
    if status.success() { Ok(()) } else { bail!("{JUDGES} failed") }
}
