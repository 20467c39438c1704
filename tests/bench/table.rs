//! The table of results: shown as it grows, and kept in `tests/bench/RESULTS.md`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::measure::Row;

/// Sections of rows.
pub(crate) struct Table {
    markdown: String,
}

/// Rows that do the same.
pub(crate) struct Section {
    pub(crate) title: String,
    /// How many things each row works through, and what one is called.
    pub(crate) units: u64,
    pub(crate) unit: &'static str,
    /// What is not part of the work, and taken off each row.
    pub(crate) preparation: Option<Row>,
    /// Ours first.
    pub(crate) rows: Vec<Row>,
}

impl Section {
    /// All that is to be measured.
    pub(crate) fn all_rows(&mut self) -> impl Iterator<Item = &mut Row> {
        self.preparation.iter_mut().chain(&mut self.rows)
    }
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
             of `make bench` on the same files, and take turns: compare rows, and those by their \
             ratio.\n",
            machine(),
            commit(),
        );
        print!("{markdown}");
        Self { markdown }
    }

    /// A section: its rows, the first of which the ratios are taken to.
    pub(crate) fn section(&mut self, section: &Section) -> Result<()> {
        let Section { title, units, unit, preparation, rows } = section;
        self.heading(title);
        self.say(&format!(
            "\n| | CPU s | M {unit}s per CPU second | ns per {unit} | peak MiB | speed, {} |\n\
             |---|---:|---:|---:|---:|---:|\n",
            "ours = 1"
        ));
        let preparation = preparation.as_ref().map(Row::least).transpose()?;
        let work = |row: &Row| {
            let measured = row.least()?;
            anyhow::Ok(preparation.map_or(measured, |preparation| measured.less(&preparation)))
        };
        let ours = work(rows.first().context("a section without rows")?)?;
        for row in rows {
            match work(row) {
                Ok(measured) => {
                    let per_second = *units as f64 / measured.cpu_s / 1e6;
                    let nanos = measured.cpu_s * 1e9 / *units as f64;
                    self.say(&format!(
                        "| {} | {:.2} | {per_second:.2} | {nanos:.0} | {:.0} | {:.2} |\n",
                        row.name,
                        measured.cpu_s,
                        measured.peak_mib,
                        ours.cpu_s / measured.cpu_s
                    ));
                }
                // A bar would end the cell.
                Err(why) => {
                    let why = format!("{why:#}").replace('|', "/");
                    self.say(&format!("| {} | {why} | | | | |\n", row.name));
                }
            }
        }
        Ok(())
    }

    /// What the sentences below it are about.
    pub(crate) fn heading(&mut self, words: &str) {
        self.say(&format!("\n## {words}\n"));
    }

    /// A sentence.
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
