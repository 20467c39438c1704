//! The table of faults: what was done to a running egret, and what became of what was written
//! meanwhile.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::rows;
use crate::running::Running;
use crate::stored::Stored;
use crate::wait::until;

/// Where the rows of a run go, one a file: `tests/faults.sh` makes `tests/FAULTS.md` of them.
pub const ROWS: &str = "target/faults";

/// One row of the table.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    /// What went wrong.
    pub fault: &'a str,
    /// What was done to make it go wrong.
    pub done: &'a str,
    /// Units (lines, packets, requests) that were written or sent.
    pub written: u64,
    /// Of these, in the store, each once.
    pub stored: u64,
    /// Of these, lost for good, because nobody could have read them.
    pub unreadable: u64,
    /// How egret told of it.
    pub told: &'a str,
}

impl Row<'_> {
    /// Checks that the row adds up, and writes it down.
    pub fn tell(&self) {
        let Self { fault, done, written, stored, unreadable, told } = self;
        assert_eq!(stored + unreadable, *written, "{fault}: {self:?}");
        let row = format!("| {fault} | {done} | {written} | {stored} | {unreadable} | {told} |");
        rows::tell(ROWS, fault, &row);
    }
}

/// A log in the recommended format of Squid, with numbered lines: one request each, of a minute in
/// all at most, by a few executors of 10.20.0.0/16.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    written: u64,
}

/// The moment of the first line.
const START_S: u64 = 1_767_600_000;

/// Lines per second of the log's own time.
const LINES_PER_SECOND: u64 = 1_000;

impl Log {
    /// A log that is not there yet.
    pub fn at(path: PathBuf) -> Self {
        Self { path, written: 0 }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path with something appended, as rotation names files.
    pub fn rotated(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        name.into()
    }

    /// Lines written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Appends so many lines, making the file if there is none.
    pub fn write(&mut self, lines: u64) {
        let path = self.path.clone();
        self.write_to(&path, lines);
    }

    /// Appends so many lines to another file: one that was renamed and is still written to.
    pub fn write_to(&mut self, path: &Path, lines: u64) {
        let text: String = (self.written..self.written + lines).map(line).collect();
        let mut file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.as_mut().expect("the log can be opened");
        file.write_all(text.as_bytes()).expect("the log can be written");
        self.written += lines;
    }
}

/// Line `number` of a [`Log`], with its end.
pub fn line(number: u64) -> String {
    let (second, part) = (number / LINES_PER_SECOND, number % LINES_PER_SECOND);
    format!(
        "{at}.{part:03} 35 10.20.0.{executor}:{port} TCP_TUNNEL/200 up=640 down=5120 \
         CONNECT site-{site}.example:443 203.0.113.9:443 hier=HIER_DIRECT user=- sni=- ua=-\n",
        at = START_S + second,
        executor = number % 40 + 1,
        port = 20_000 + number % 40_000,
        site = number % 6,
    )
}

/// A line about an upload of 80 MiB by an executor to `drop.PLACE.example`: an incident, whatever else is known.
pub fn upload(at: &str, executor: &str, place: &str) -> String {
    format!(
        "{at} 35 {executor}:20001 TCP_TUNNEL/200 up=83886080 down=512 CONNECT \
         drop.{place}.example:443 203.0.113.9:443\n"
    )
}

/// A configuration that follows the log of the source `squid` and stores in `folder`.
pub fn following(log: &Path, folder: &Path) -> String {
    format!(
        "[[collector.segments]]\nname = \"executors\"\nranges = [\"10.20.0.0/16\"]\n\
         [[collector.sources]]\nname = \"squid\"\nkind = \"log\"\ndialect = \"squid-egret\"\n\
         path = \"{}\"\n[store]\npath = \"{}/egret.db\"\n[api]\nlisten = \"127.0.0.1:0\"\n",
        log.display(),
        folder.display()
    )
}

/// Waits until so many contacts are stored, by the sums per minute and hour.
pub fn until_stored(stored: &Stored, contacts: u64) {
    until("everything to be stored", || (stored.contacts() >= contacts).then_some(()));
}

/// Ends egret in order, and returns how many events with an executor are in its store, after
/// checking that the sums say the same and that none is there twice.
pub fn end_and_count(mut egret: Running, folder: &Path) -> u64 {
    assert_eq!(egret.process.terminate().code(), Some(0), "egret ends in order");
    let stored = Stored::open(folder);
    let times = stored.times();
    assert!(times.values().all(|times| *times == 1), "an event is there twice");
    let contacts = stored.events().iter().filter(|event| event.is_contact()).count() as u64;
    assert_eq!(stored.contacts(), contacts, "the sums count each event once");
    contacts
}
