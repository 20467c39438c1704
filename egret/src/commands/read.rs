//! Reads captures and logs to their end, all at once and in the order of time.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context as _, Result};
use egret_collector::{
    AttributionTable, CollectorConfig, Context, Recognized, Refused, Scanner, SourceConfig,
    SourceKind, recognize,
};
use egret_event::{Event, ExecutorRegistration, Ledger, LedgerReading, SmolStr};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::cli::ExecutorsArg;
use crate::clock;
use crate::roles::merge::{Input, merge};

/// What was read of one file.
#[derive(Debug, Serialize)]
pub struct InputReport {
    /// The file.
    pub path: String,
    /// What it was recognized as.
    pub kind: String,
    /// The account: packets or lines.
    pub ledger: LedgerReading,
    /// Why it could not be read to its end, if so.
    pub error: Option<String>,
}

/// Whose address it was when: by the configuration, and by a file of registrations. Without segments
/// and executors in the configuration, whoever begins a connection is an executor.
///
/// # Errors
/// When the file cannot be read, or does not hold registrations.
pub fn attribution(
    collector: &CollectorConfig,
    registered: &ExecutorsArg,
) -> Result<AttributionTable> {
    let table = if collector.segments.is_empty() && collector.executors.is_empty() {
        AttributionTable::any_initiator()
    } else {
        AttributionTable::new(collector.segments.clone(), collector.executors.clone())
    };
    if let Some(path) = &registered.file {
        let named = || format!("--executors names {}", path.display());
        let text = std::fs::read(path).with_context(named)?;
        let registrations: Vec<ExecutorRegistration> =
            serde_json::from_slice(&text).with_context(named)?;
        for registration in &registrations {
            registration.check().with_context(named)?;
            table.register(registration);
        }
    }
    Ok(table)
}

/// Reads `paths`, looks for secrets with `scanner`, and gives the events to `take` in the order of time.
///
/// # Errors
/// When a file is not there or of no known kind, and what `take` returns. A file that cannot be read
/// to its end says so in its report.
pub fn read(
    paths: &[PathBuf],
    (attribution, scanner): (AttributionTable, &Arc<Scanner>),
    with_progress: bool,
    take: &mut dyn FnMut(&mut Vec<Event>) -> Result<()>,
) -> Result<Vec<InputReport>> {
    let files = open(paths, &Arc::new(attribution), scanner)?;
    let progress = show_progress(&files, with_progress)?;
    let ledgers: Vec<Arc<Ledger>> =
        files.iter().map(|file| Arc::clone(&file.input.context.ledger)).collect();
    let mut inputs: Vec<InputReport> = files.iter().map(InputReport::of).collect();
    let mut taken = Ok(());
    let outcomes = merge(files.into_iter().map(|file| file.input).collect(), &mut |mut batch| {
        taken = take(&mut batch.events);
        if taken.is_ok() { Ok(()) } else { Err(Refused::Closed) }
    });
    progress.end();
    taken?;
    for finished in outcomes {
        inputs[finished.index].error = finished.outcome.err().map(|e| e.to_string());
    }
    for (input, ledger) in inputs.iter_mut().zip(ledgers) {
        input.ledger = ledger.read();
    }
    Ok(inputs)
}

/// A recognized file.
struct File {
    input: Input,
    kind: &'static str,
}

impl InputReport {
    fn of(file: &File) -> Self {
        let path = file.input.source.name.to_string();
        Self { path, kind: file.kind.to_owned(), ledger: Ledger::default().read(), error: None }
    }
}

fn open(
    paths: &[PathBuf],
    attribution: &Arc<AttributionTable>,
    scanner: &Arc<Scanner>,
) -> Result<Vec<File>> {
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let (source, kind) = recognized(path)?;
        let context = Context {
            scanner: Arc::clone(scanner),
            ..Context::new(Arc::clone(attribution), clock::now)
        };
        files.push(File { input: Input { source, context }, kind });
    }
    Ok(files)
}

fn recognized(path: &Path) -> Result<(SourceConfig, &'static str)> {
    let name = SmolStr::from(path.display().to_string());
    let path = path.to_owned();
    Ok(match recognize(&path)? {
        Recognized::Capture => {
            (SourceConfig { name, kind: SourceKind::Capture { path } }, "capture")
        }
        Recognized::Log(dialect) => {
            let kind = SourceKind::Log { path, dialect: Some(dialect), follow: false };
            (SourceConfig { name, kind }, "log")
        }
        Recognized::Netflow => {
            let kind = SourceKind::Netflow(egret_collector::Input::File(path));
            (SourceConfig { name, kind }, "netflow")
        }
    })
}

/// A progress bar that follows what the sources have read; drawn on a terminal only.
struct Progress {
    bar: ProgressBar,
    done: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Progress {
    fn end(self) {
        self.done.store(true, Relaxed);
        if let Some(thread) = self.thread {
            thread.thread().unpark();
            let _ = thread.join();
        }
        self.bar.finish_and_clear();
    }
}

fn show_progress(files: &[File], is_wanted: bool) -> Result<Progress> {
    let done = Arc::new(AtomicBool::new(false));
    if !is_wanted || !std::io::stderr().is_terminal() {
        return Ok(Progress { bar: ProgressBar::hidden(), done, thread: None });
    }
    let mut total = 0;
    for file in files {
        let path = Path::new(file.input.source.name.as_str());
        total += path.metadata().map_or(0, |metadata| metadata.len());
    }
    let style =
        ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta} left")
            .context("the progress bar")?;
    let bar = ProgressBar::new(total).with_style(style);
    let counters: Vec<Arc<AtomicU64>> =
        files.iter().map(|file| Arc::clone(&file.input.context.progress)).collect();
    let (shared_bar, shared_done) = (bar.clone(), Arc::clone(&done));
    let thread = std::thread::spawn(move || {
        while !shared_done.load(Relaxed) {
            shared_bar.set_position(counters.iter().map(|counter| counter.load(Relaxed)).sum());
            std::thread::park_timeout(Duration::from_millis(100));
        }
    });
    Ok(Progress { bar, done, thread: Some(thread) })
}
