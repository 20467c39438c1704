//! What a process costs: CPU time and peak memory, by `/usr/bin/time`.

use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

/// Longest time for one run, in seconds of the clock: the slowest peer needs a minute of a core.
const TIME_LIMIT_S: u32 = 400;

/// What `timeout` (coreutils) answers when the limit was reached.
const TIMED_OUT: i32 = 124;

/// What a row of the table measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    /// User and system time.
    pub(crate) cpu_s: f64,
    /// Largest resident memory; of several processes, that of the largest.
    pub(crate) peak_mib: f64,
}

impl Measured {
    /// The work alone: what was prepared for it taken off the CPU time.
    pub(crate) fn less(&self, preparation: &Self) -> Self {
        Self { cpu_s: self.cpu_s - preparation.cpu_s, peak_mib: self.peak_mib }
    }
}

/// How often, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Runs {
    /// Runs of which the one with the least CPU time is taken.
    pub(crate) count: usize,
    /// `Some`: it does not end by itself, so after this many seconds it is told to.
    pub(crate) stop_after_s: Option<u32>,
}

impl Runs {
    pub(crate) const fn of(count: usize) -> Self {
        Self { count, stop_after_s: None }
    }
}

/// One row of the table: a process that is run several times, of which that run counts which took least:
/// its neighbours disturbed it least.
pub(crate) struct Row {
    pub(crate) name: String,
    runs: Runs,
    command: Command,
    /// Whether it is left out where it fails: others' tools are, and ours never.
    may_fail: bool,
    least: Result<Option<Measured>>,
}

impl Row {
    /// A row of ours.
    pub(crate) fn new(name: &str, runs: Runs, command: Command) -> Self {
        Self { name: name.to_owned(), runs, command, may_fail: false, least: Ok(None) }
    }

    /// A row of somebody else's.
    pub(crate) fn of_peer(name: &str, runs: Runs, command: Command) -> Self {
        Self { may_fail: true, ..Self::new(name, runs, command) }
    }

    /// One that cannot be measured, and why.
    pub(crate) fn missing(name: &str, why: &'static str) -> Self {
        let row = Self::of_peer(name, Runs::of(0), Command::new(""));
        Self { least: Err(anyhow!(why)), ..row }
    }

    /// What the best run took.
    pub(crate) fn least(&self) -> Result<Measured> {
        match &self.least {
            Ok(least) => least.with_context(|| format!("{} was not run", self.name)),
            Err(error) => bail!("{error:#}"),
        }
    }

    /// Another run.
    fn run(&mut self) -> Result<()> {
        let Ok(least) = &mut self.least else { return Ok(()) };
        match measure_once(&self.command, self.runs.stop_after_s) {
            Ok(next) if least.is_some_and(|least| least.cpu_s <= next.cpu_s) => {}
            Ok(next) => *least = Some(next),
            Err(error) if self.may_fail => self.least = Err(error),
            Err(error) => return Err(error).context(self.name.clone()),
        }
        Ok(())
    }
}

/// Runs all rows once, and again those that want it, until none does. Machines are fast for some minutes
/// and slow for others: so all rows have the same share of both.
///
/// # Errors
/// A row of ours that fails.
pub(crate) fn measure_in_rounds<'a>(rows: impl Iterator<Item = &'a mut Row>) -> Result<()> {
    let mut rows: Vec<&mut Row> = rows.collect();
    let rounds = rows.iter().map(|row| row.runs.count).max().unwrap_or(0);
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        rows.iter_mut().filter(|row| row.runs.count > round).try_for_each(|row| row.run())?;
    }
    Ok(())
}

/// One run of a process.
pub(crate) fn measure(command: &Command) -> Result<Measured> {
    measure_once(command, None)
}

fn measure_once(command: &Command, stop_after_s: Option<u32>) -> Result<Measured> {
    let limit = stop_after_s.unwrap_or(TIME_LIMIT_S).to_string();
    let output = Command::new("/usr/bin/time")
        .args(["-f", "TIMED %U %S %M", "timeout", "--signal=INT", "--kill-after=20", &limit])
        .arg(command.get_program())
        .args(command.get_args())
        .output()
        .context("cannot start /usr/bin/time (Debian package `time`)")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let timed = said.lines().find_map(|line| line.strip_prefix("TIMED "));
    let figures: Vec<f64> =
        timed.unwrap_or_default().split(' ').filter_map(|figure| figure.parse().ok()).collect();
    let [user, system, peak_kib] = figures[..] else {
        bail!("{:?} was not measured: {}", command.get_program(), tail(&said));
    };
    match output.status.code() {
        Some(0) => {}
        Some(TIMED_OUT) if stop_after_s.is_some() => {}
        Some(TIMED_OUT) => bail!("{:?} took more than {limit} s", command.get_program()),
        code => bail!("{:?} ended with {code:?}: {}", command.get_program(), tail(&said)),
    }
    Ok(Measured { cpu_s: user + system, peak_mib: peak_kib / 1024.0 })
}

/// The end of what a program said, on one line.
fn tail(said: &str) -> String {
    let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with("TIMED ")).collect();
    lines[lines.len().saturating_sub(2)..].join(" / ")
}
