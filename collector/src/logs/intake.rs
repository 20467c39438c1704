//! What happens to each line, read whole or followed: it becomes an event, or is counted for what
//! it is.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use egret_event::{Gap, GapReason, Ledger, Loss, SmolStr, Timestamp};

use super::complaints::Complaints;
use super::entry::Entry;
use super::generation::Generation;
use super::headers;
use super::lines::Line;
use super::reader::Reader;
use super::record::LineProblem;
use super::scribe::{Ids, Scribe};
use super::squid::CUT_BYTES;
use crate::{Batcher, Context, Dialect, Emit, offer};

/// Nobody listens any more, or the source was told to stop while its batch was not taken.
#[derive(Debug)]
pub(super) struct Closed;

/// Turns the lines of one source into batches.
pub(super) struct Intake {
    path: String,
    reader: Reader,
    scribe: Scribe,
    batcher: Batcher,
    ledger: Arc<Ledger>,
    stop: Arc<AtomicBool>,
    tally: Tally,
    complaints: Complaints,
    reading: Option<Reading>,
    /// What could not be read and was not reported yet: the time of the next line is its end.
    unread: Option<Unread>,
    /// The latest time that a line told.
    last_at: Option<Timestamp>,
    /// Whether lines were consumed since the last batch was handed over.
    has_moved: bool,
}

/// The file that lines come from.
struct Reading {
    generation: Generation,
    ids: Ids,
    consumed: u64,
}

/// What could not be read in one place for one reason: a run of lines, or a lost part.
struct Unread {
    gap: Gap,
    ids: Ids,
    offset: u64,
}

/// Counts since the last batch: atomic counters are too dear to touch for each line.
#[derive(Default)]
struct Tally {
    received: u64,
    passed: u64,
    not_egress: u64,
    duplicate: u64,
    malformed: u64,
    too_long: u64,
}

impl Intake {
    pub(super) fn new(
        name: &SmolStr,
        path: &str,
        dialect: Option<Dialect>,
        context: &Context,
    ) -> Self {
        Self {
            path: path.to_owned(),
            reader: Reader::new(dialect).sharing(context.names.clone()),
            scribe: Scribe::new(name.clone(), context),
            batcher: Batcher::new(name.clone()),
            ledger: Arc::clone(&context.ledger),
            stop: Arc::clone(&context.stop),
            tally: Tally::default(),
            complaints: Complaints::new(name.clone()),
            reading: None,
            unread: None,
            last_at: None,
            has_moved: false,
        }
    }

    /// The lines that follow come from this file, of which `consumed` bytes were taken before.
    pub(super) fn begin(&mut self, generation: Generation, consumed: u64) {
        let ids = Ids::of(self.scribe.source(), &generation.first_line);
        self.reader.next_file(generation.modified);
        self.reading = Some(Reading { generation, ids, consumed });
    }

    /// Looks up in `file`, which was begun last, what the lines before `offset` said of those
    /// after it.
    pub(super) fn recall(&mut self, file: &File, offset: u64) -> io::Result<()> {
        if offset == 0 { Ok(()) } else { headers::recall(file, offset, &mut self.reader) }
    }

    /// Takes a line. [`Self::begin`] was called for its file.
    pub(super) fn take(&mut self, line: &Line<'_>, emit: &mut Emit<'_>) -> Result<(), Closed> {
        match line {
            Line::Whole { offset, next, bytes } => {
                let (mut offset, mut bytes) = (*offset, *bytes);
                while let Some(end) = glued(bytes) {
                    let next = offset + end as u64 + 1;
                    self.take_line(&bytes[..end], offset, next, emit)?;
                    (offset, bytes) = (next, &bytes[end + 1..]);
                }
                self.take_line(bytes, offset, *next, emit)
            }
            Line::TooLong { offset, next } => {
                let Some(ids) = self.receive(*next) else { return Ok(()) };
                self.tally.too_long += 1;
                self.complaints.add("too long");
                self.miss(GapReason::LineTooLong, ids, *offset, emit)
            }
        }
    }

    /// Counts a line that ends before `next`.
    fn receive(&mut self, next: u64) -> Option<Ids> {
        let reading = self.reading.as_mut()?;
        reading.consumed = next;
        self.tally.received += 1;
        self.has_moved = true;
        Some(reading.ids)
    }

    fn take_line(
        &mut self,
        bytes: &[u8],
        offset: u64,
        next: u64,
        emit: &mut Emit<'_>,
    ) -> Result<(), Closed> {
        let read = self.reader.read(bytes);
        // Few lines have one, and it is large: it is moved only where there is one.
        let beside = if self.reader.has_beside() { self.reader.take_beside() } else { None };
        let beside = beside.map(Box::new);
        // A line's events are handed over together, with the place behind it: after a crash none
        // of them is missing.
        let events = 1 + usize::from(self.unread.is_some()) + usize::from(beside.is_some());
        if !self.batcher.has_room_for(events) {
            self.hand_over(emit)?;
        }
        let Some(ids) = self.receive(next) else { return Ok(()) };
        let entry = match &read {
            Ok(entry) => entry,
            Err(LineProblem::NoDestination | LineProblem::Note) => {
                self.tally.not_egress += 1;
                return self.tell_beside(beside, ids, offset, emit);
            }
            Err(LineProblem::Duplicate) => {
                self.tally.duplicate += 1;
                return self.tell_beside(beside, ids, offset, emit);
            }
            Err(LineProblem::Malformed(what)) => {
                tracing::debug!(
                    source = %self.scribe.source(), offset, what,
                    line = %bytes.escape_ascii(), "a log line cannot be read"
                );
                self.tally.malformed += 1;
                self.complaints.add(what);
                return self.miss(GapReason::Malformed, ids, offset, emit);
            }
        };
        let at = entry.at();
        if self.unread.is_some() {
            self.report_unread(at, emit)?;
        }
        self.last_at = self.last_at.max(Some(at));
        self.batcher.seen(at);
        if !self.scribe.write(entry, ids, offset, &mut self.batcher) {
            self.tally.not_egress += 1;
            return Ok(());
        }
        self.tally.passed += 1;
        self.tell_beside(beside, ids, offset, emit)
    }

    /// Takes what the line at `offset` tells beside its entry.
    fn tell_beside(
        &mut self,
        beside: Option<Box<Entry<'static>>>,
        ids: Ids,
        offset: u64,
        emit: &mut Emit<'_>,
    ) -> Result<(), Closed> {
        if let Some(more) = beside {
            self.scribe.write(&more, ids.beside(), offset, &mut self.batcher);
        }
        if self.batcher.has_room_for(1) { Ok(()) } else { self.hand_over(emit) }
    }

    /// Notes a line that could not be read: one gap tells of all in a row.
    fn miss(
        &mut self,
        reason: GapReason,
        ids: Ids,
        offset: u64,
        emit: &mut Emit<'_>,
    ) -> Result<(), Closed> {
        if let Some(unread) = self.unread.as_mut().filter(|unread| unread.gap.reason == reason) {
            unread.gap.count += 1;
            return Ok(());
        }
        self.report_unread(self.time_now(), emit)?;
        let gap = Gap { reason, count: 1, from: self.time_now() };
        self.unread = Some(Unread { gap, ids, offset });
        Ok(())
    }

    /// Notes that part of the log was lost unread, before the file that was begun last: at least
    /// `bytes` of it.
    pub(super) fn lose(&mut self, bytes: u64, emit: &mut Emit<'_>) -> Result<(), Closed> {
        let now = self.time_now();
        self.report_unread(now, emit)?;
        let Some(reading) = &self.reading else { return Ok(()) };
        metrics::counter!(
            "egret_collector_log_losses_total", "source" => self.scribe.source().to_string()
        )
        .increment(1);
        let gap = Gap { reason: GapReason::LogLost, count: bytes, from: now };
        self.unread = Some(Unread { gap, ids: reading.ids, offset: reading.consumed });
        self.has_moved = true;
        Ok(())
    }

    /// The log's own time: the latest that a line told, or else when the file was last written.
    fn time_now(&self) -> Timestamp {
        let modified = || self.reading.as_ref().map(|reading| reading.generation.modified);
        self.last_at.or_else(modified).unwrap_or(Timestamp::MIN)
    }

    fn report_unread(&mut self, until: Timestamp, emit: &mut Emit<'_>) -> Result<(), Closed> {
        let Some(unread) = self.unread.take() else { return Ok(()) };
        let gap = Gap { from: unread.gap.from.min(until), ..unread.gap };
        let event = self.scribe.gap(gap, until, unread.ids, unread.offset);
        if self.batcher.push(event) { self.hand_over(emit) } else { Ok(()) }
    }

    /// Whether there is something to hand over.
    pub(super) fn has_moved(&self) -> bool {
        self.has_moved
    }

    /// Complains about unreadable lines, if it is time to by the clock `now`.
    pub(super) fn tick(&mut self, now: Timestamp) {
        self.complaints.tick(now);
    }

    /// Hands over what there is, with the place after the last line taken.
    pub(super) fn flush(&mut self, emit: &mut Emit<'_>) -> Result<(), Closed> {
        if !self.has_moved {
            return Ok(());
        }
        self.report_unread(self.time_now(), emit)?;
        self.hand_over(emit)
    }

    /// At the end of the source: hands over the rest and complains of what was not yet told.
    pub(super) fn finish(&mut self, emit: &mut Emit<'_>) -> Result<(), Closed> {
        self.complaints.finish();
        // Each at a place of its own behind the last line, so that all have different ids.
        let place = self.reading.as_ref().map(|reading| (reading.ids, reading.consumed));
        let mut number = 0;
        while let (Some((ids, consumed)), Some(left)) = (place, self.reader.take_left()) {
            self.tell_beside(Some(Box::new(left)), ids, consumed + number, emit)?;
            number += 1;
        }
        self.has_moved |= number > 0;
        self.flush(emit)
    }

    /// Counts the names of connections that there was no room for any more.
    fn count_forgotten(&self) {
        let forgotten = self.reader.take_forgotten();
        if forgotten > 0 {
            let source = self.scribe.source().to_string();
            metrics::counter!("egret_names_evicted_total", "source" => source).increment(forgotten);
        }
    }

    /// The place handed over is that after the last line taken, and all events up to there are in
    /// this batch or were in one before it.
    fn hand_over(&mut self, emit: &mut Emit<'_>) -> Result<(), Closed> {
        if let Some(reading) = &self.reading {
            self.batcher.stands_at(reading.generation.position(&self.path, reading.consumed));
        }
        self.has_moved = false;
        self.tally.settle(&self.ledger, self.scribe.source());
        self.count_forgotten();
        let stop = &self.stop;
        self.batcher.flush(&mut |batch| offer(batch, stop, emit)).map_err(|_| Closed)
    }
}

/// Where the first of two lines ends that Squid wrote as one: when it cuts a line, the line end
/// becomes a NUL. Without this a client could hide its next request behind a long URL.
fn glued(bytes: &[u8]) -> Option<usize> {
    if bytes.len() <= CUT_BYTES { None } else { memchr::memchr(0, bytes) }
}

impl Tally {
    fn settle(&mut self, ledger: &Ledger, source: &SmolStr) {
        let tally = std::mem::take(self);
        ledger.receive(tally.received);
        ledger.pass(tally.passed);
        let lost = [
            (Loss::NotEgress, tally.not_egress),
            (Loss::Duplicate, tally.duplicate),
            (Loss::Malformed, tally.malformed),
            (Loss::TooLong, tally.too_long),
        ];
        for (reason, count) in lost {
            if count == 0 {
                continue;
            }
            ledger.lose(reason, count);
            metrics::counter!(
                "egret_collector_log_lines_left_out_total",
                "source" => source.to_string(), "reason" => reason.word()
            )
            .increment(count);
        }
    }
}
