//! What happens to each message: it becomes an event, or is counted for what it is.

use std::net::IpAddr;
use std::sync::Arc;

use egret_event::{GapReason, Ledger, Loss, SmolStr, Timestamp};
use foldhash::quality::FixedState;
use hashbrown::HashMap;

use super::header::Message;
use crate::logs::{Complaints, ConnectionNames, Entry, Ids, LineProblem, Reader, Scribe};
use crate::packets::{Outlet, Tally, gap_event};
use crate::{Context, Dialect, Emit};

/// Most writers that are remembered, with what they write and their numbers. Beyond that all are
/// forgotten: dialects are found out again, and numbers start anew.
const MAX_WRITERS: usize = 1_024;

/// Turns the messages of one source into events.
pub(crate) struct Intake<'a, 'b> {
    name: SmolStr,
    dialect: Option<Dialect>,
    names: ConnectionNames,
    ledger: Arc<Ledger>,
    scribe: Scribe,
    outlet: Outlet<'a, 'b>,
    writers: HashMap<WriterKey, Writer, FixedState>,
    complaints: Complaints,
    malformed: Tally,
    too_long: Tally,
    missing: Tally,
    latest: Latest,
    now: Timestamp,
}

type WriterKey = (IpAddr, SmolStr);

struct Writer {
    reader: Reader,
    sequence: Option<u32>,
}

/// The latest message and how often it came in a row: a repeat is another event.
#[derive(Default)]
struct Latest {
    message: Vec<u8>,
    repeats: u64,
}

impl<'a, 'b> Intake<'a, 'b> {
    pub(crate) fn new(
        name: &SmolStr,
        dialect: Option<Dialect>,
        context: &Context,
        emit: &'a mut Emit<'b>,
    ) -> Self {
        Self {
            name: name.clone(),
            dialect,
            names: context.names.clone(),
            ledger: Arc::clone(&context.ledger),
            scribe: Scribe::new(name.clone(), context),
            outlet: Outlet::new(name, &context.ledger, emit),
            writers: HashMap::default(),
            complaints: Complaints::new(name.clone()),
            malformed: Tally::new(GapReason::Malformed),
            too_long: Tally::new(GapReason::LineTooLong),
            missing: Tally::new(GapReason::SequenceHole),
            latest: Latest::default(),
            now: (context.now)(),
        }
    }

    /// Takes a message from `sender`. Each line of its body counts for itself.
    pub(crate) fn message(&mut self, sender: IpAddr, message: &[u8]) {
        let Message { writer, sequence, body } = Message::of(message);
        let name = String::from_utf8_lossy(writer);
        let key = (sender, SmolStr::from(name.as_ref()));
        if self.writers.len() >= MAX_WRITERS && !self.writers.contains_key(&key) {
            self.writers.clear();
        }
        let new = || {
            let reader = Reader::new(self.dialect).sharing(self.names.clone());
            Writer { reader, sequence: None }
        };
        let mut writer = self.writers.remove(&key).unwrap_or_else(new);
        if let Some(number) = sequence {
            let missing = writer.missing_before(number);
            if missing > 0 {
                self.missing.add(missing, self.now);
            }
        }
        for line in body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end) {
            if !line.is_empty() {
                self.line(sender, line, &mut writer.reader);
            }
        }
        self.writers.insert(key, writer);
    }

    fn line(&mut self, sender: IpAddr, line: &[u8], reader: &mut Reader) {
        // A header that is stripped leaves a space before the message in RFC 3164.
        let read = reader.read(line.strip_prefix(b" ").unwrap_or(line));
        let beside = reader.take_beside();
        self.entry(sender, line, read);
        if let Some(more) = beside {
            let ids = self.ids(sender, line).beside();
            self.tell(&more, ids, self.latest.repeats);
        }
    }

    /// Takes what `sender` tells of in `raw`, already read.
    pub(crate) fn entry(
        &mut self,
        sender: IpAddr,
        raw: &[u8],
        read: Result<Entry<'_>, LineProblem>,
    ) {
        self.ledger.receive(1);
        let repeats = self.latest.count(raw);
        let entry = match read {
            Ok(entry) => entry,
            Err(LineProblem::NoDestination | LineProblem::Note) => {
                self.ledger.lose(Loss::NotEgress, 1);
                return;
            }
            Err(LineProblem::Duplicate) => {
                self.ledger.lose(Loss::Duplicate, 1);
                return;
            }
            Err(LineProblem::Malformed(what)) => {
                self.complaints.add(what);
                self.malformed.add(1, self.now);
                self.ledger.lose(Loss::Malformed, 1);
                return;
            }
        };
        if self.tell(&entry, self.ids(sender, raw), repeats) {
            self.ledger.pass(1);
        } else {
            self.ledger.lose(Loss::NotEgress, 1);
        }
    }

    /// Ids of what `sender` tells in these bytes.
    fn ids(&self, sender: IpAddr, raw: &[u8]) -> Ids {
        Ids::of(&self.name, &[sender.to_string().as_bytes(), b" ", raw].concat())
    }

    /// Whether it was an event of somebody who is watched.
    fn tell(&mut self, entry: &Entry<'_>, ids: Ids, repeats: u64) -> bool {
        self.outlet.write(|batch| self.scribe.write(entry, ids, repeats, batch))
    }

    /// Counts a message that is too long to be read.
    pub(crate) fn too_long(&mut self) {
        self.ledger.receive(1);
        self.ledger.lose(Loss::TooLong, 1);
        self.complaints.add("too long");
        self.too_long.add(1, self.now);
    }

    /// Tells what was dropped before it could be read.
    pub(crate) fn dropped(&mut self, count: u64, from: Timestamp, at: Timestamp) {
        let gap = egret_event::Gap { reason: GapReason::KernelDrop, count, from };
        self.outlet.push(gap_event(&self.name, gap, at));
    }

    /// Lets time pass; hands over what has waited long enough.
    pub(crate) fn tick(&mut self, now: Timestamp) {
        self.now = now;
        self.complaints.tick(now);
        for tally in [&mut self.malformed, &mut self.too_long, &mut self.missing] {
            if let Some(gap) = tally.due(now) {
                self.outlet.push(gap_event(&self.name, gap, now));
            }
        }
        self.outlet.flush_if_due(now);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.outlet.is_closed()
    }

    /// Ends the source.
    pub(crate) fn finish(mut self) {
        self.complaints.finish();
        for ((sender, name), mut writer) in std::mem::take(&mut self.writers) {
            let ids = self.ids(sender, name.as_bytes()).beside();
            let mut number = 0;
            while let Some(left) = writer.reader.take_left() {
                self.tell(&left, ids, number);
                number += 1;
            }
        }
        for tally in [&mut self.malformed, &mut self.too_long, &mut self.missing] {
            if let Some(gap) = tally.take() {
                self.outlet.push(gap_event(&self.name, gap, self.now));
            }
        }
        self.outlet.flush();
    }
}

impl Writer {
    /// How many messages are missing before this number. A number that is not above the latest
    /// one is that of a writer that began anew (or of the wrap at 2,147,483,647).
    fn missing_before(&mut self, number: u32) -> u64 {
        let latest = self.sequence.replace(number);
        let missing = latest.and_then(|latest| number.checked_sub(latest)?.checked_sub(1));
        u64::from(missing.unwrap_or(0))
    }
}

impl Latest {
    fn count(&mut self, message: &[u8]) -> u64 {
        if self.message == message {
            self.repeats += 1;
        } else {
            self.message.clear();
            self.message.extend_from_slice(message);
            self.repeats = 0;
        }
        self.repeats
    }
}
