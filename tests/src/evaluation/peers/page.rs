//! The page that compares.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use egret::simulate::Manner;
use serde::Deserialize;

use super::{PeersExtent, SIZES};

/// What one way to judge came to: what `tests/evaluation/peers` writes.
#[derive(Debug, Deserialize)]
pub(super) struct Compared {
    /// Its name.
    name: String,
    /// What its own threshold is.
    threshold: String,
    /// At that threshold.
    own: At,
    /// At a threshold chosen so that it alerts on one in 1000 of the ordinary sessions.
    at_1: At,
    /// The area under the curve of precision and recall.
    auc_pr: f64,
    /// For each attack of which less and less is stolen, each size with how many attackers were found
    /// at the second threshold, and of how many.
    sizes: BTreeMap<String, Vec<(usize, u64, u64)>>,
}

/// Figures at one threshold.
#[derive(Debug, Deserialize)]
struct At {
    recall: BTreeMap<Manner, f64>,
    /// Ordinary sessions with an alert, of 1000.
    per_1000: f64,
    /// The share of the sessions with an attack in which there was an alert about something else.
    mistaken: f64,
}

/// The recall at which something counts as caught, for the smallest size that is.
const CAUGHT: f64 = 0.9;

const ABOUT: &str = include_str!("about.md");

pub(super) fn page(extent: PeersExtent, all: &[Compared]) -> String {
    let sessions = extent.extent.benign_seeds * u64::from(extent.extent.benign_sessions);
    let last = |seeds: u64| extent.extent.first_seed + seeds.saturating_sub(1);
    let history = extent.extent.history;
    let mut page = format!(
        "# Next to other ways to judge\n\nWritten by `make evaluate PEERS=1`; do not edit.\n\n\
         The traffic is that of [RESULTS.md](RESULTS.md), less of it: the listed attacks with the seeds {first} to {}, and\n\
         {sessions} ordinary sessions (seeds {first} to {}). Whoever learns learned from the same {} days of {} ordinary\n\
         sessions each.\n\n",
        last(extent.extent.attack_seeds),
        last(extent.extent.benign_seeds),
        history.seeds,
        history.sessions,
        first = extent.extent.first_seed,
    );
    write_recall(&mut page, all);
    write_sizes(&mut page, all, extent.size_seeds);
    page.push_str("\n## How each judges\n\n| | its own threshold |\n|---|---|\n");
    for Compared { name, threshold, .. } in all {
        let _ = writeln!(page, "| {name} | {threshold} |");
    }
    page.push('\n');
    page.push_str(ABOUT);
    page
}

/// What the columns of the two tables of recall are.
const COLUMNS: &str = "| | plain | jittered | low-and-slow | alerts per 1000 | mistaken |\n\
                       |---|---:|---:|---:|---:|---:|\n";

fn write_recall(page: &mut String, all: &[Compared]) {
    page.push_str(
        "## Recall at 1 alert per 1000 ordinary sessions\n\n\
         Means over the listed attacks, each at the threshold at which one in 1000 of these ordinary sessions\n\
         alerts, chosen afterwards. Egret says nothing below its own threshold, and stays at that. Mistaken:\n\
         sessions with an attack in which something else alerts. AUC-PR: the area under the curve of precision\n\
         and recall, attackers against ordinary sessions.\n\n\
         | | plain | jittered | low-and-slow | alerts per 1000 | mistaken | AUC-PR |\n\
         |---|---:|---:|---:|---:|---:|---:|\n",
    );
    for Compared { name, at_1, auc_pr, .. } in all {
        let _ = writeln!(page, "| {name} | {} | {auc_pr:.3} |", cells(at_1));
    }
    let _ = write!(page, "\n## Recall at its own threshold\n\n{COLUMNS}");
    for Compared { name, own, .. } in all {
        let _ = writeln!(page, "| {name} | {} |", cells(own));
    }
}

fn cells(at: &At) -> String {
    let recall = Manner::ALL.map(|manner| percent(at.recall.get(&manner)));
    format!("{} | {:.2} | {}", recall.join(" | "), at.per_1000, percent(Some(&at.mistaken)))
}

fn percent(share: Option<&f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", 100.0 * share))
}

/// Recall by size, and the smallest that is caught.
fn write_sizes(page: &mut String, all: &[Compared], seeds: u64) {
    let _ = write!(
        page,
        "\n## How little is still found\n\n\
         The same attacks, ended when so many bytes were stolen: recall at 1 alert per 1000, {seeds} seeds of\n\
         each size. B90 is the smallest size from which on at least 90 % are found.\n"
    );
    for (attack, sizes) in SIZES {
        let words: Vec<String> = sizes.iter().map(|bytes| size(*bytes)).collect();
        let _ = write!(
            page,
            "\n**{attack}**\n\n| | {} | B90 |\n|---|{}---:|\n",
            words.join(" | "),
            "---:|".repeat(sizes.len())
        );
        for Compared { name, sizes: found, .. } in all {
            let Some(found) = found.get(attack) else { continue };
            let cells: Vec<String> = found.iter().map(|one| percent(Some(&share(one)))).collect();
            let smallest = smallest(found).map_or_else(|| "–".to_owned(), size);
            let _ = writeln!(page, "| {name} | {} | {smallest} |", cells.join(" | "));
        }
    }
}

/// The share of a size that is found.
fn share((_, found, of): &(usize, u64, u64)) -> f64 {
    *found as f64 / *of as f64
}

/// The smallest size from which on enough is found.
fn smallest(sizes: &[(usize, u64, u64)]) -> Option<usize> {
    let missed = sizes.iter().rposition(|one| share(one) < CAUGHT);
    sizes.get(missed.map_or(0, |place| place + 1)).map(|(bytes, ..)| *bytes)
}

fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..0x10_0000 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_size_is_one_from_which_on_nothing_larger_is_missed() {
        let found = |counts: [u64; 3]| {
            let sizes: Vec<_> = [16, 32, 64].into_iter().zip(counts).collect();
            smallest(&sizes.into_iter().map(|(bytes, n)| (bytes, n, 10)).collect::<Vec<_>>())
        };
        assert_eq!(found([9, 10, 10]), Some(16));
        assert_eq!(found([10, 8, 9]), Some(64));
        assert_eq!(found([10, 10, 8]), None);
    }
}
