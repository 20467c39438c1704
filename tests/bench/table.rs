//! The table of results: shown as it grows, and kept in `tests/bench/RESULTS.md`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::measure::Measured;

/// Sections of rows.
pub(crate) struct Table {
    markdown: String,
    /// How many things each row of the section worked through, and what one is called.
    units: u64,
    unit: &'static str,
}

impl Table {
    /// An empty table, with what there is to know about this run.
    pub(crate) fn new() -> Self {
        let markdown = format!(
            "# How fast\n\n\
             Written by `make bench`; do not edit. {}, commit {}.\n\n\
             CPU is user and system time of the whole process, memory its largest resident size; \
             each row is that of its runs which took least (of seven; of one where a run takes long), \
             because what others do on the same processor can only add. All rows are of one run \
             of `make bench` on the same files: compare rows, and those by their ratio.\n",
            machine(),
            commit(),
        );
        print!("{markdown}");
        Self { markdown, units: 1, unit: "" }
    }

    /// Begins a section of rows that each work through `units` things.
    pub(crate) fn section(&mut self, title: &str, units: u64, unit: &'static str) {
        (self.units, self.unit) = (units, unit);
        self.say(&format!(
            "\n## {title}\n\n\
             | | CPU s | M {unit}s per CPU second | ns per {unit} | peak MiB | speed, {} |\n\
             |---|---:|---:|---:|---:|---:|\n",
            "ours = 1"
        ));
    }

    /// A row; `ours` is what the ratio is taken to.
    pub(crate) fn row(&mut self, name: &str, measured: &Measured, ours: &Measured) {
        let per_second = self.units as f64 / measured.cpu_s / 1e6;
        let nanos = measured.cpu_s * 1e9 / self.units as f64;
        let ratio = ours.cpu_s / measured.cpu_s;
        self.say(&format!(
            "| {name} | {:.2} | {per_second:.2} | {nanos:.0} | {:.0} | {ratio:.2} |\n",
            measured.cpu_s, measured.peak_mib
        ));
    }

    /// A row that could not be measured, and why.
    pub(crate) fn missing(&mut self, name: &str, why: &str) {
        // A bar would end the cell.
        self.say(&format!("| {name} | {} | | | | |\n", why.replace('|', "/")));
    }

    /// A sentence below the rows.
    pub(crate) fn note(&mut self, words: &str) {
        self.say(&format!("\n{words}\n"));
    }

    /// Writes the file.
    pub(crate) fn keep(&self, path: &Path) -> Result<()> {
        std::fs::write(path, &self.markdown).with_context(|| format!("cannot write {path:?}"))
    }

    fn say(&mut self, text: &str) {
        print!("{text}");
        let _ = self.markdown.write_str(text);
    }
}

/// The processor and how many cores of it there are.
fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{model}, {cores} cores")
}

fn commit() -> String {
    let output = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    let output = output.ok().filter(|output| output.status.success());
    let text = output.and_then(|output| String::from_utf8(output.stdout).ok());
    text.map_or_else(|| "unknown".to_owned(), |text| text.trim().to_owned())
}
