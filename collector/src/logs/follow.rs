//! Following a log as it grows and rotates.
//!
//! A log is a sequence of files, its generations; each is read to its end before the next. Which
//! one comes next is found by looking (the path, the open file's size, the folder), so that it
//! does not matter how the log is rotated: renamed and made anew, or copied and cut short. The
//! operating system's change notices only save waiting.
//!
//! After a restart reading goes on at the place that was handed over last, also if that is by now
//! in a rotated file. Without such a place a log is read from its begin.

use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

use egret_event::{InputPosition, MAX_BATCH_AGE_MS, SmolStr, Timestamp};

use super::generation::Generation;
use super::intake::{Closed, Intake};
use super::lines::Lines;
use super::rotation::{self, Opened};
use super::wake::Wake;
use super::whole::{take_all, take_rest};
use crate::config::CANNOT_FOLLOW_COMPRESSED;
use crate::unpack::Unpacked;
use crate::{CollectError, Context, Dialect, Emit};

/// Longest wait between two looks, where no change notice comes: the delay of new lines on file
/// systems without notices, and of the end after a stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long a rotated file must have been quiet before it is taken as complete: proxies go on
/// writing to it until they have opened the new one.
const GRACE: Duration = Duration::from_secs(2);

/// Longest wait for a rotated file that is still written to while there is a new one.
const LONGEST_GRACE: Duration = Duration::from_secs(60);

/// Follows the log at `path` until it is told to stop.
///
/// # Errors
/// When the file cannot be read. A missing one is waited for.
pub(crate) fn run_following(
    name: &SmolStr,
    path: &Path,
    dialect: Option<Dialect>,
    resume: &[InputPosition],
    context: &Context,
    emit: &mut Emit<'_>,
) -> Result<(), CollectError> {
    let wake = Wake::on_changes_of(path);
    let mut follower = Follower::new(name, path, dialect, resume, context);
    loop {
        if context.stop.load(Relaxed) {
            // A closed channel at the end is no error: what it did not take is read again.
            let _ = follower.intake.finish(emit);
            return Ok(());
        }
        match follower.step((context.now)(), emit) {
            Ok(Step::Busy) => {}
            Ok(Step::Idle) => wake.wait(LOOK_EVERY),
            Ok(Step::Holding) => wake.wait(Duration::from_millis(MAX_BATCH_AGE_MS)),
            Err(End::Closed) => return Ok(()),
            Err(End::Failed(error)) => return Err(error),
        }
    }
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Something: there may be more to do at once.
    Busy,
    /// Nothing, and events are waiting for their batch to fill.
    Holding,
    /// Nothing.
    Idle,
}

/// Why following ends.
#[derive(Debug)]
enum End {
    Closed,
    Failed(CollectError),
}

impl From<Closed> for End {
    fn from(Closed: Closed) -> Self {
        Self::Closed
    }
}

/// A log being followed.
struct Follower {
    path: PathBuf,
    intake: Intake,
    tail: Option<Tail>,
    /// Rotated files to read before the one at the path.
    earlier: VecDeque<Opened>,
    /// Where to go on, until the first file was opened.
    resume: Option<InputPosition>,
    /// Bytes known to be lost, to be reported with the next file.
    lost: Option<u64>,
    is_missing: bool,
    /// When the oldest line was taken that was not handed over yet.
    held_since: Option<Timestamp>,
}

/// The file being read.
struct Tail {
    input: Unpacked<File>,
    /// As it was when its first line was complete; before that, when it was opened.
    generation: Generation,
    lines: Lines,
    has_begun: bool,
    /// Whether it was rotated before it was opened.
    is_earlier: bool,
    /// When it was last written to, as far as was seen.
    written_at: Timestamp,
    /// When another file was first seen at its path.
    replaced_at: Option<Timestamp>,
    /// Whether the last look found nothing new.
    was_idle: bool,
    /// The file's own time of its last change, when it was last compared with what it was.
    compared_at: Option<SystemTime>,
}

impl Follower {
    fn new(
        name: &SmolStr,
        path: &Path,
        dialect: Option<Dialect>,
        resume: &[InputPosition],
        context: &Context,
    ) -> Self {
        let text = path.to_string_lossy();
        Self {
            path: path.to_owned(),
            intake: Intake::new(name, &text, dialect, context),
            tail: None,
            earlier: VecDeque::new(),
            resume: resume.iter().rfind(|position| position.path == *text).cloned(),
            lost: None,
            is_missing: false,
            held_since: None,
        }
    }

    /// Reads what there is, up to a buffer full, and hands over what is due by the clock `now`.
    fn step(&mut self, now: Timestamp, emit: &mut Emit<'_>) -> Result<Step, End> {
        self.intake.tick(now);
        let did = match self.tail.take() {
            None => self.open_next(now),
            Some(tail) => self.read(tail, now, emit),
        }?;
        self.hand_over_if_due(now, emit)?;
        Ok(match did {
            Step::Idle if self.intake.has_moved() => Step::Holding,
            other => other,
        })
    }

    fn hand_over_if_due(&mut self, now: Timestamp, emit: &mut Emit<'_>) -> Result<(), Closed> {
        if !self.intake.has_moved() {
            self.held_since = None;
            return Ok(());
        }
        let since = *self.held_since.get_or_insert(now);
        if now.since(since) < Duration::from_millis(MAX_BATCH_AGE_MS) {
            return Ok(());
        }
        self.held_since = None;
        self.intake.flush(emit)
    }

    /// Opens the file that comes next: a rotated one, or the one at the path.
    fn open_next(&mut self, now: Timestamp) -> Result<Step, End> {
        if let Some(position) = self.resume.take() {
            return self.go_on_at(&position, now);
        }
        if let Some(opened) = self.earlier.pop_front() {
            let written_at = opened.generation.modified;
            return self.start(opened, written_at, Start::Earlier);
        }
        match self.open_current()? {
            Some(opened) => self.start(opened, now, Start::Current),
            None => Ok(Step::Idle),
        }
    }

    /// The file at the path. `None`: there is none.
    fn open_current(&mut self) -> Result<Option<Opened>, End> {
        match Opened::at(&self.path) {
            Ok(opened) if opened.generation.packing.is_some() => {
                Err(self.failed(&io::Error::other(format!("it {CANNOT_FOLLOW_COMPRESSED}"))))
            }
            Ok(opened) => {
                self.is_missing = false;
                Ok(Some(opened))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !std::mem::replace(&mut self.is_missing, true) {
                    tracing::warn!(path = %self.path.display(), "no such log yet; waiting for it");
                }
                Ok(None)
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Finds the place where an earlier run left off.
    fn go_on_at(&mut self, position: &InputPosition, now: Timestamp) -> Result<Step, End> {
        let current = self.open_current()?;
        if let Some(opened) = current.filter(|opened| opened.generation.holds(position)) {
            return self.start(Opened { offset: position.offset, ..opened }, now, Start::Current);
        }
        self.earlier = rotation::continued(&self.path, position);
        if self.earlier.is_empty() {
            self.lost = Some(0);
            tracing::warn!(
                path = %self.path.display(),
                "the file that was read last is gone; lines written since then are lost"
            );
        }
        Ok(Step::Busy)
    }

    fn start(&mut self, opened: Opened, written_at: Timestamp, start: Start) -> Result<Step, End> {
        let Opened { file, generation, offset } = opened;
        let input = match enter(file, &generation, offset) {
            Ok(input) => input,
            Err(error) if generation.packing.is_some() => return Ok(self.pass_over(&error)),
            Err(error) => return Err(self.failed(&error)),
        };
        self.tail = Some(Tail {
            input,
            generation,
            lines: Lines::starting_at(offset),
            has_begun: false,
            is_earlier: start == Start::Earlier,
            written_at,
            replaced_at: None,
            was_idle: false,
            compared_at: None,
        });
        Ok(Step::Busy)
    }

    /// Reads on in `tail`, and puts it back unless it is done with.
    fn read(&mut self, mut tail: Tail, now: Timestamp, emit: &mut Emit<'_>) -> Result<Step, End> {
        let held = tail.held();
        let read = match tail.lines.fill(&mut tail.input) {
            Ok(read) => read,
            Err(error) if tail.generation.packing.is_some() => {
                return self.leave_damaged(&tail, &error, emit);
            }
            Err(error) => return Err(self.failed(&error)),
        };
        if read == 0 {
            return self.look_around(tail, now, emit);
        }
        if tail.was_idle && tail.was_rewritten().map_err(|error| self.failed(&error))? {
            return self.begin_anew(&tail, held, emit);
        }
        tail.was_idle = false;
        if tail.is_beyond(tail.generation.size) {
            tail.written_at = now;
        }
        self.begin_if_settled(&mut tail, emit)?;
        if tail.has_begun {
            take_all(&mut tail.lines, &mut self.intake, emit)?;
        }
        self.tail = Some(tail);
        Ok(Step::Busy)
    }

    /// Lines are taken only once the first one is complete: it is part of their ids.
    fn begin_if_settled(&mut self, tail: &mut Tail, emit: &mut Emit<'_>) -> Result<(), End> {
        if tail.has_begun {
            return Ok(());
        }
        if !tail.generation.is_settled {
            tail.generation =
                Generation::of(tail.input.packed()).map_err(|error| self.failed(&error))?;
        }
        if tail.generation.is_settled {
            self.begin(tail, emit)?;
        }
        Ok(())
    }

    fn begin(&mut self, tail: &mut Tail, emit: &mut Emit<'_>) -> Result<(), End> {
        tail.has_begun = true;
        let offset = tail.lines.offset();
        self.intake.begin(tail.generation.clone(), offset);
        self.intake.recall(tail.input.packed(), offset).map_err(|error| self.failed(&error))?;
        if let Some(bytes) = self.lost.take() {
            self.intake.lose(bytes, emit)?;
        }
        Ok(())
    }

    /// At the end of what is written: was the file cut short, or replaced?
    fn look_around(
        &mut self,
        mut tail: Tail,
        now: Timestamp,
        emit: &mut Emit<'_>,
    ) -> Result<Step, End> {
        let metadata = tail.input.packed().metadata().map_err(|error| self.failed(&error))?;
        let rewritten = tail.has_changed_without_growing(&metadata);
        if tail.is_beyond(metadata.len()) || rewritten.map_err(|error| self.failed(&error))? {
            return self.begin_anew(&tail, tail.held(), emit);
        }
        let is_done = if tail.is_earlier {
            now.since(tail.written_at) >= GRACE
        } else {
            self.is_replaced(&mut tail, now)?
        };
        if is_done {
            return self.leave(tail, emit);
        }
        tail.was_idle = true;
        self.tail = Some(tail);
        Ok(Step::Idle)
    }

    /// Whether there is another file at the path, and this one is complete. While there is none,
    /// the proxy has not opened a new one, so it still writes to this one.
    fn is_replaced(&self, tail: &mut Tail, now: Timestamp) -> Result<bool, End> {
        let metadata = match std::fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(self.failed(&error)),
        };
        if tail.generation.is_file(&metadata) {
            tail.replaced_at = None;
            return Ok(false);
        }
        let replaced_at = *tail.replaced_at.get_or_insert(now);
        let is_quiet = now.since(tail.written_at.max(replaced_at)) >= GRACE;
        let is_abandoned = metadata.len() > 0 && now.since(replaced_at) >= LONGEST_GRACE;
        Ok(is_quiet || is_abandoned)
    }

    /// Done with a rotated file: its last line is one even without a line end.
    fn leave(&mut self, mut tail: Tail, emit: &mut Emit<'_>) -> Result<Step, End> {
        if !tail.has_begun && tail.held() > 0 {
            self.begin(&mut tail, emit)?;
        }
        if tail.has_begun {
            take_rest(&mut tail.lines, &mut self.intake, emit)?;
        }
        self.look_for_successors(&tail);
        Ok(Step::Busy)
    }

    /// The log may have been rotated again while an earlier file was read.
    fn look_for_successors(&mut self, tail: &Tail) {
        if self.earlier.is_empty() {
            self.earlier = rotation::successors(&self.path, &tail.generation);
        }
    }

    /// Leaves out a compressed file that is damaged before the place to go on at.
    fn pass_over(&mut self, error: &io::Error) -> Step {
        tracing::warn!(
            path = %self.path.display(), %error,
            "a compressed file of this log is damaged; what was not yet read of it is lost"
        );
        self.lost = Some(0);
        Step::Busy
    }

    /// Done with a compressed file that is damaged or cut: what came before that is used.
    fn leave_damaged(
        &mut self,
        tail: &Tail,
        error: &io::Error,
        emit: &mut Emit<'_>,
    ) -> Result<Step, End> {
        tracing::warn!(
            path = %self.path.display(), %error,
            "a compressed file of this log ends early; what came before is used"
        );
        self.intake.flush(emit)?;
        self.lost = Some(tail.held());
        self.look_for_successors(tail);
        Ok(Step::Busy)
    }

    /// The file was cut short or rewritten. What was not read of it is in a copy, if one was made
    /// (`copytruncate`), or else lost: at least the `held` bytes of a line that had begun.
    fn begin_anew(&mut self, tail: &Tail, held: u64, emit: &mut Emit<'_>) -> Result<Step, End> {
        self.intake.flush(emit)?;
        let place = tail.generation.position(&self.path.to_string_lossy(), tail.lines.offset());
        match rotation::copy_with(&self.path, &place).filter(|_| tail.has_begun) {
            Some(copy) => self.earlier.push_front(copy),
            None => {
                self.lost = Some(held);
                tracing::warn!(
                    path = %self.path.display(),
                    "the log was cut short; lines that were not yet read are lost"
                );
            }
        }
        Ok(Step::Busy)
    }

    fn failed(&self, error: &io::Error) -> End {
        End::Failed(CollectError::reading(&self.path, error))
    }
}

/// What `file` holds from `offset` on, unpacked if it is packed.
fn enter(mut file: File, generation: &Generation, offset: u64) -> io::Result<Unpacked<File>> {
    if generation.packing.is_none() {
        file.seek(SeekFrom::Start(offset))?;
        return Unpacked::new(file, None);
    }
    let mut input = Unpacked::new(file, generation.packing)?;
    io::copy(&mut input.by_ref().take(offset), &mut io::sink())?;
    Ok(input)
}

/// Which file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// One that was rotated before.
    Earlier,
    /// The one at the path.
    Current,
}

impl Tail {
    /// Bytes read of a line that is not complete.
    fn held(&self) -> u64 {
        self.lines.read_until() - self.lines.offset()
    }

    /// Whether reading came past the first `size` bytes of the file. What was compressed neither
    /// grows nor shrinks.
    fn is_beyond(&self, size: u64) -> bool {
        self.generation.packing.is_none() && self.lines.read_until() > size
    }

    /// Whether the file was cut short and has grown again to just where reading stood. Looked at
    /// only when something was written since the last time.
    fn has_changed_without_growing(&mut self, metadata: &Metadata) -> io::Result<bool> {
        let changed_at = metadata.modified().ok();
        if std::mem::replace(&mut self.compared_at, changed_at) == changed_at {
            return Ok(false);
        }
        self.was_rewritten()
    }

    /// Whether the file begins with another line than it did: it was cut short and has grown
    /// again past where reading stood.
    fn was_rewritten(&self) -> io::Result<bool> {
        if !self.has_begun {
            return Ok(false);
        }
        Ok(Generation::of(self.input.packed())?.first_line != self.generation.first_line)
    }
}

#[cfg(test)]
mod tests;
