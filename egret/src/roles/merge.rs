//! Files are read together and merged by time.
//!
//! A capture and a proxy log of the same hour are one story. Read one after the other, all of the
//! second would be late. So each file is read on its own thread into a short queue, and the
//! earliest event of all queues goes first; ties go to the file named first. The order depends on
//! the files alone, so the same files always give the same incidents. What names the flows of another
//! file is read before all that, whichever file is named first.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use egret_collector::{CollectError, Context, Refused, SourceConfig, names_beforehand, run};
use egret_event::{Event, EventBatch, MAX_BATCH_EVENTS};

/// Batches that a file's thread may be ahead.
const READ_AHEAD: usize = 4;

/// A file to read, and what it needs for that.
pub struct Input {
    /// The file, as a source.
    pub source: SourceConfig,
    /// Its surroundings.
    pub context: Context,
}

/// How the reading of one file ended.
pub struct Finished {
    /// Index of the file among the inputs.
    pub index: usize,
    /// Why it could not be read to its end, if so.
    pub outcome: Result<(), CollectError>,
}

/// A file whose events are being merged.
struct Feed {
    batches: Receiver<EventBatch>,
    waiting: VecDeque<Event>,
    open: bool,
}

impl Feed {
    /// The next event, waiting for the file's thread if need be. `None`: the file has ended.
    fn head(&mut self) -> Option<&Event> {
        while self.waiting.is_empty() && self.open {
            match self.batches.recv() {
                Ok(batch) => self.waiting.extend(batch.events),
                Err(_) => self.open = false,
            }
        }
        self.waiting.front()
    }
}

/// Reads all files to their ends and hands their events, merged by time, to `emit`, in batches
/// of at most [`MAX_BATCH_EVENTS`] of one source each. Returns how each file ended.
///
/// When `emit` says [`Refused::Closed`], reading stops early.
pub fn merge(
    mut inputs: Vec<Input>,
    emit: &mut dyn FnMut(EventBatch) -> Result<(), Refused>,
) -> Vec<Finished> {
    name_connections(&mut inputs);
    let mut feeds = Vec::with_capacity(inputs.len());
    let mut threads = Vec::with_capacity(inputs.len());
    for input in inputs {
        let (sender, batches) = sync_channel::<EventBatch>(READ_AHEAD);
        feeds.push(Feed { batches, waiting: VecDeque::new(), open: true });
        threads.push(thread::spawn(move || {
            let mut hand_over = |batch: EventBatch| sender.send(batch).map_err(|_| Refused::Closed);
            run(&input.source, &[], &input.context, &mut hand_over)
        }));
    }
    drain(&mut feeds, emit);
    // Threads that still have something to say find nobody listening, and end.
    drop(feeds);
    threads
        .into_iter()
        .enumerate()
        .map(|(index, thread)| Finished { index, outcome: joined(thread) })
        .collect()
}

/// Lets logs of connections use the names that the other logs of the same sensor give.
fn name_connections(inputs: &mut [Input]) {
    let Some(stop) = inputs.first().map(|first| Arc::clone(&first.context.stop)) else { return };
    let names = names_beforehand(inputs.iter().map(|input| &input.source), &stop);
    for input in inputs {
        input.context.names = names.clone();
    }
}

fn joined(thread: thread::JoinHandle<Result<(), CollectError>>) -> Result<(), CollectError> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn drain(feeds: &mut [Feed], emit: &mut dyn FnMut(EventBatch) -> Result<(), Refused>) {
    let mut pending: Option<EventBatch> = None;
    while let Some(event) = earliest(feeds) {
        if let Some(batch) = pending.as_mut()
            && batch.source == event.source
            && batch.events.len() < MAX_BATCH_EVENTS
        {
            batch.seen_until = event.at;
            batch.events.push(event);
            continue;
        }
        let next = EventBatch {
            source: event.source.clone(),
            seen_until: event.at,
            events: vec![event],
            position: None,
        };
        if let Some(full) = pending.replace(next)
            && emit(full).is_err()
        {
            return;
        }
    }
    if let Some(last) = pending {
        // Nothing follows, so whether it was taken makes no difference here.
        let _ = emit(last);
    }
}

/// Takes the earliest event of all feeds.
fn earliest(feeds: &mut [Feed]) -> Option<Event> {
    let mut first: Option<(usize, egret_event::Timestamp)> = None;
    for (index, feed) in feeds.iter_mut().enumerate() {
        if let Some(event) = feed.head()
            && first.is_none_or(|(_, at)| event.at < at)
        {
            first = Some((index, event.at));
        }
    }
    feeds[first?.0].waiting.pop_front()
}
