//! `make evaluate`: how many attacks are found, how soon, and how many false alarms that costs. The
//! page is kept in `tests/evaluation/RESULTS.md`, the figures in `target/evaluation.json`.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use egret_tests::evaluation::{Extent, PeersExtent, compare, evaluate, real, report};

/// Where the page is kept.
const RESULTS: &str = "tests/evaluation/RESULTS.md";

/// Where the page about real hosts is kept.
const REAL: &str = "tests/evaluation/REAL.md";

/// Where the page about peers is kept.
const PEERS: &str = "tests/evaluation/PEERS.md";

/// Where the figures are kept.
const FIGURES: &str = "target/evaluation.json";

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (extent, is_kept) = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => (Extent::WHOLE, true),
        ["--quick"] => (Extent::QUICK, false),
        ["--tuning"] => (Extent::TUNING, false),
        ["--again"] => return again(),
        ["--real", data] => return keep_real(Path::new(data)),
        ["--peers"] => return keep_peers(),
        ["--peers", "--tuning"] => {
            print!("{}", compare(PeersExtent::TUNING)?);
            return Ok(());
        }
        _ => {
            bail!(
                "usage: egret-evaluate [--quick | --tuning | --again | --peers [--tuning] | \
                 --real FOLDER]"
            )
        }
    };
    let figures = evaluate(extent)?;
    let page = report(&figures);
    print!("{page}");
    if is_kept {
        std::fs::write(RESULTS, &page).context("cannot write the page")?;
        let figures = serde_json::to_string_pretty(&figures)?;
        std::fs::write(FIGURES, figures).context("cannot write the figures")?;
    }
    Ok(())
}

/// Everything once more, held against the figures that were kept. What is in the environment counts:
/// `EGRET_ANALYZER__SHARDS=7` has the engine work on as many shards.
fn again() -> Result<()> {
    let kept = std::fs::read_to_string(FIGURES).with_context(|| {
        format!("cannot read {FIGURES}: run `egret-evaluate` first, which writes it")
    })?;
    let figures = serde_json::to_string_pretty(&evaluate(Extent::WHOLE)?)?;
    if let Some((kept, now)) = kept.lines().zip(figures.lines()).find(|(kept, now)| kept != now) {
        bail!("the figures are not the same: {kept:?} was kept, and now it is {now:?}");
    }
    ensure!(kept.len() == figures.len(), "there are not as many figures as were kept");
    println!("{} lines of figures are the same as those kept.", figures.lines().count());
    Ok(())
}

fn keep_peers() -> Result<()> {
    let page = compare(PeersExtent::WHOLE)?;
    print!("{page}");
    std::fs::write(PEERS, &page).context("cannot write the page")
}

fn keep_real(data: &Path) -> Result<()> {
    let page = real(data)?;
    print!("{page}");
    std::fs::write(REAL, &page).context("cannot write the page")
}
