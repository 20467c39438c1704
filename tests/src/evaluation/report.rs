//! The page that shows the figures of an evaluation.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use egret::simulate::{FIRST_HELD_OUT_SEED, Manner, Part, Recording, Scenario, recordings};

use super::figures::{Figures, Found, Measured, Row, Stretch};

/// How the ways out are called in the page.
const ROUTES: [(&str, &str); 6] = [
    ("direct", "on the wire"),
    ("squid", "proxy, tunnels"),
    ("squid-bump", "proxy, requests"),
    ("envoy", "Envoy, tunnels"),
    ("resolver", "DNS"),
    ("mixed", "wire and proxy"),
];

/// The page.
pub fn report(figures: &Figures) -> String {
    let ((first, last), (benign_first, benign_last)) = (figures.attack_seeds, figures.benign_seeds);
    let (days, sessions) = figures.history;
    let mut page = format!(
        "# How well it detects\n\n\
         Written by `make evaluate`; do not edit. The same commit gives the same figures.\n\n\
         Attacks and ordinary sessions are written by `egret simulate` as a capture and two proxy\n\
         logs. Held out from all tuning: the seeds {first} to {last} of attacks and {benign_first} to \
         {benign_last} of ordinary\ntraffic. `egret analyze` reads them twice: **cold**, with its \
         shipped priors, and **learned**, with what\n`egret learn` made of {days} days of ordinary \
         traffic before (seeds 1 to {days}, {sessions} sessions each). Every incident\ncounts as an \
         alert; an attack is found if one is about its session and about where it went. Bounds are\n\
         Clopper and Pearson's, 95 %.\n\n"
    );
    write_recordings(&mut page);
    write_recall(&mut page, figures);
    write_alarms(&mut page, figures);
    write_learning(&mut page, &figures.learning);
    write_price(&mut page, &figures.learned);
    write_routes(&mut page, &figures.learned);
    page
}

/// Which recordings of real programs are replayed, and which of them were held out.
fn write_recordings(page: &mut String) {
    let _ = write!(
        page,
        "Most ordinary activities replay recordings of real programs (`make profiles`, \
         `egret/src/simulate/SCENARIOS.md`).\nWhole recordings are held out too: those that seeds from \
         {FIRST_HELD_OUT_SEED} on replay are replayed by no smaller one.\n\n\
         | activity | recordings | held out |\n|---|---:|---|\n",
    );
    let mut by_activity: BTreeMap<&str, Vec<Recording>> = BTreeMap::new();
    for recording in recordings() {
        by_activity.entry(recording.activity).or_default().push(recording);
    }
    for (activity, recordings) in by_activity {
        let held_out = recordings.iter().filter(|recording| recording.part == Part::HeldOut);
        let words: Vec<String> =
            held_out.map(|Recording { name, what, .. }| format!("{name} ({what})")).collect();
        let _ = writeln!(page, "| {activity} | {} | {} |", recordings.len(), words.join("; "));
    }
    page.push('\n');
}

/// Recall of each attack in each manner, and the means of the listed ones.
fn write_recall(page: &mut String, figures: &Figures) {
    let Figures { cold, learned, .. } = figures;
    page.push_str(
        "## Recall\n\n\
         | attack | technique | channel | cold: plain | jittered | low-and-slow | learned: plain | \
         jittered | low-and-slow |\n|---|---|---|---:|---:|---:|---:|---:|---:|\n",
    );
    let attacks: BTreeSet<Scenario> = cold.attacks.iter().map(|row| row.attack).collect();
    let write = |page: &mut String, attack: Scenario| {
        let cells = [cold, learned].map(|measured| {
            Manner::ALL.map(|manner| recall(measured.row(attack.word(), manner))).join(" | ")
        });
        let (technique, channel) = (attack.technique(), attack.channel());
        let _ = writeln!(page, "| {attack} | {technique} | {channel} | {} |", cells.join(" | "));
    };
    for attack in attacks.iter().filter(|attack| attack.is_listed()) {
        write(page, *attack);
    }
    let means = [cold, learned].map(|measured| {
        let of = |manner| percent(measured.macro_recall.get(&manner).copied());
        Manner::ALL.map(of).join(" | ")
    });
    let _ = writeln!(page, "| **mean of these** | | | {} |", means.join(" | "));
    for attack in attacks.iter().filter(|attack| !attack.is_listed()) {
        write(page, *attack);
    }
}

fn recall(row: Option<&Row>) -> String {
    let Some(Row { found: Found { recall, .. }, .. }) = row else { return "–".to_owned() };
    format!("{} ({}/{})", percent(recall.share()), recall.count, recall.of)
}

/// What an attack had cost when it was found.
fn write_price(page: &mut String, figures: &Measured) {
    page.push_str(
        "\n## Until detection\n\nLearned. Medians of those found; bytes are stolen ones that had left.\n\n\
         | attack | manner | found | at least | at most | s | longest s | contacts | bytes |\n\
         |---|---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for row in figures.attacks.iter().filter(|row| row.found.recall.count > 0) {
        let Found { recall, median_s, longest_s, median_contacts, median_bytes } = &row.found;
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            row.attack,
            row.manner,
            percent(recall.share()),
            percent(Some(recall.low)),
            percent(Some(recall.high)),
            number(*median_s, 1),
            number(*longest_s, 1),
            number(*median_contacts, 0),
            number(*median_bytes, 0),
        );
    }
    let _ = writeln!(page, "\nNever found, so not in this table: {}.", never_found(figures));
}

/// The attacks that were not found once, with the manners if those were not all.
fn never_found(figures: &Measured) -> String {
    let mut missed: BTreeMap<Scenario, Vec<&str>> = BTreeMap::new();
    for row in figures.attacks.iter().filter(|row| row.found.recall.count == 0) {
        missed.entry(row.attack).or_default().push(row.manner.word());
    }
    let words = missed.into_iter().map(|(attack, manners)| {
        if manners.len() == Manner::ALL.len() {
            attack.to_string()
        } else {
            format!("{attack} ({})", manners.join(", "))
        }
    });
    let words: Vec<String> = words.collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

/// Recall by what could be seen.
fn write_routes(page: &mut String, figures: &Measured) {
    page.push_str(
        "\n## By what can be seen\n\nLearned. On the wire HTTPS shows its server's name and its bytes. A proxy \
         that sees tunnels logs the same; one\nthat sees requests (`ssl_bump`) logs each with its \
         path.\n\n| seen | plain | jittered | low-and-slow |\n|---|---:|---:|---:|\n",
    );
    for (route, words) in ROUTES {
        let cells = Manner::ALL.map(|manner| {
            let rows = figures.attacks.iter().filter(|row| row.manner == manner);
            let found: Vec<&Found> = rows.filter_map(|row| row.by_route.get(route)).collect();
            let count: u64 = found.iter().map(|found| found.recall.count).sum();
            let of: u64 = found.iter().map(|found| found.recall.of).sum();
            if of == 0 {
                return "–".to_owned();
            }
            format!("{} ({count}/{of})", percent(Some(count as f64 / of as f64)))
        });
        if cells.iter().any(|cell| cell != "–") {
            let [plain, jittered, slow] = cells;
            let _ = writeln!(page, "| {words} | {plain} | {jittered} | {slow} |");
        }
    }
}

fn write_alarms(page: &mut String, figures: &Figures) {
    page.push_str(
        "\n## False alarms\n\n\
         | | ordinary sessions | how many | with an alert | per 1000 | at most |\n\
         |---|---|---:|---:|---:|---:|\n",
    );
    let both = [("cold", &figures.cold), ("learned", &figures.learned)];
    for (how, measured) in both {
        for (name, alarms) in [
            ("without an attack anywhere", measured.false_alarms),
            ("beside an attack", measured.false_alarms_beside_attacks),
        ] {
            let share = alarms.share().map_or_else(|| "–".to_owned(), per_1000);
            let _ = writeln!(
                page,
                "| {how} | {name} | {} | {} | {share} | {} |",
                alarms.of,
                alarms.count,
                per_1000(alarms.high),
            );
        }
    }
    let [cold, learned] = both.map(|(_, measured)| (measured.mistaken, measured.others));
    let _ = writeln!(
        page,
        "\nSessions with an attack and an alert about something else: {} cold, {} learned. Alerts about \
         no session\nand no attack (a source, a destination of many), which count as a session with an alert: \
         {} and {}.",
        cold.0, learned.0, cold.1, learned.1
    );
}

/// What it costs to learn.
fn write_learning(page: &mut String, learning: &[Stretch]) {
    page.push_str(
        "\n## While it learns\n\nAlerts of the history's own ordinary sessions, each by what was learned \
         before it: from nothing on.\n\n\
         | days | ordinary sessions | alerts | per 1000 |\n|---|---:|---:|---:|\n",
    );
    for Stretch { days: (first, last), sessions, alerts } in learning {
        let share = per_1000(*alerts as f64 / *sessions as f64);
        let _ = writeln!(page, "| {first} to {last} | {sessions} | {alerts} | {share} |");
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", 100.0 * share))
}

fn per_1000(share: f64) -> String {
    format!("{:.2}", 1000.0 * share)
}

fn number(figure: Option<f64>, decimals: usize) -> String {
    figure.map_or_else(|| "–".to_owned(), |figure| format!("{figure:.decimals$}"))
}
