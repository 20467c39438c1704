use std::fs;
use std::io::Write;
use std::sync::mpsc::channel;

use egret_event::{EventBatch, EventId, GapReason};
use tempfile::TempDir;

use super::super::testing::{Seen, context, line, lines, seen};
use super::*;
use crate::Refused;

/// Later than any file's time on the machine that runs the tests.
const START: Timestamp = Timestamp::from_secs(4_102_444_800);

/// A log in a folder of its own, and a follower with a clock that is moved by hand.
struct Rig {
    folder: TempDir,
    context: Context,
    follower: Follower,
    now: Timestamp,
    batches: Vec<EventBatch>,
}

impl Rig {
    /// A folder that holds no log yet.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let context = context();
        let follower = Self::follower(&folder, &context, &[]);
        Self { folder, context, follower, now: START, batches: Vec::new() }
    }

    fn follower(folder: &TempDir, context: &Context, resume: &[InputPosition]) -> Follower {
        let path = folder.path().join("access.log");
        Follower::new(&"proxy".into(), &path, None, resume, context)
    }

    /// Drops the follower, as a crash would, and starts another at the last place handed over.
    fn restart(&mut self) {
        let place = self.batches.last().and_then(|batch| batch.position.clone());
        self.restart_at(place.as_slice());
    }

    fn restart_at(&mut self, places: &[InputPosition]) {
        self.follower = Self::follower(&self.folder, &self.context, places);
        self.batches.clear();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(self.path(name));
        file.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// Steps until there is nothing to do, letting time pass for what is held.
    fn run(&mut self) {
        loop {
            let batches = &mut self.batches;
            let mut emit = |batch: EventBatch| {
                batches.push(batch);
                Ok(())
            };
            match self.follower.step(self.now, &mut emit).unwrap() {
                Step::Busy => {}
                Step::Holding => self.now = self.now + Duration::from_millis(MAX_BATCH_AGE_MS),
                Step::Idle => return,
            }
        }
    }

    /// As [`Self::run`], after enough time for a rotated file to count as complete.
    fn run_past_grace(&mut self) {
        self.run();
        self.now = self.now + GRACE;
        self.run();
    }

    fn seen(&self) -> Vec<Seen> {
        self.batches.iter().flat_map(|batch| &batch.events).map(seen).collect()
    }

    fn ids(&self) -> Vec<EventId> {
        self.batches.iter().flat_map(|batch| &batch.events).map(|event| event.id).collect()
    }

    fn place(&self) -> InputPosition {
        self.batches.last().and_then(|batch| batch.position.clone()).unwrap()
    }
}

fn numbers(range: std::ops::Range<u64>) -> Vec<Seen> {
    range.map(Seen::Line).collect()
}

#[test]
fn lines_are_handed_over_as_they_are_written() {
    let mut rig = Rig::new();
    rig.run();
    assert_eq!(rig.seen(), []);
    rig.append("access.log", &lines(0..2));
    rig.run();
    assert_eq!(rig.seen(), numbers(0..2));
    rig.append("access.log", &line(2));
    rig.run();
    assert_eq!(rig.seen(), numbers(0..3));
    assert_eq!(rig.place().offset, lines(0..3).len() as u64);
    assert_eq!(rig.context.ledger.read().unaccounted(), 0);
}

#[test]
fn a_batch_that_is_not_full_waits_50_ms_and_no_longer() {
    let mut rig = Rig::new();
    rig.append("access.log", &line(0));
    let mut handed_over = 0;
    let mut emit = |_: EventBatch| {
        handed_over += 1;
        Ok(())
    };
    assert_eq!(rig.follower.step(START, &mut emit).unwrap(), Step::Busy);
    assert_eq!(rig.follower.step(START, &mut emit).unwrap(), Step::Busy);
    let later = START + Duration::from_millis(49);
    assert_eq!(rig.follower.step(later, &mut emit).unwrap(), Step::Holding);
    let due = START + Duration::from_millis(50);
    assert_eq!(rig.follower.step(due, &mut emit).unwrap(), Step::Idle);
    assert_eq!(handed_over, 1);
}

#[test]
fn a_half_written_line_waits_for_its_end() {
    let mut rig = Rig::new();
    let (text, second) = (line(0), line(1));
    let (head, tail) = second.split_at(40);
    rig.append("access.log", &(text + head));
    rig.run();
    assert_eq!(rig.seen(), numbers(0..1));
    rig.append("access.log", tail);
    rig.run();
    assert_eq!(rig.seen(), numbers(0..2));
}

#[test]
fn nothing_is_taken_before_the_first_line_is_complete() {
    let mut rig = Rig::new();
    let first = line(0);
    for piece in first.as_bytes().chunks(30) {
        rig.append("access.log", str::from_utf8(piece).unwrap());
        rig.run();
    }
    rig.append("access.log", &line(1));
    rig.run();
    let ids = rig.ids();
    rig.restart_at(&[]);
    rig.run();
    assert_eq!(rig.ids(), ids);
}

#[test]
fn lines_that_give_no_event_still_move_the_place() {
    let mut rig = Rig::new();
    let foreign = line(0).replace("10.20.", "192.0.");
    rig.append("access.log", &foreign);
    rig.run();
    assert_eq!(rig.seen(), []);
    assert_eq!(rig.place().offset, foreign.len() as u64);
}

#[test]
fn a_renamed_log_is_read_to_its_end_before_the_new_one() {
    let mut rig = Rig::new();
    rig.append("access.log", &lines(0..2));
    rig.run();
    rig.rename("access.log", "access.log.1");
    rig.run();
    rig.append("access.log.1", &line(2));
    rig.append("access.log", &line(4));
    rig.run();
    assert_eq!(rig.seen(), numbers(0..3));
    // The proxy's last words, without a line end, within the grace.
    rig.now = rig.now + GRACE / 2;
    rig.append("access.log.1", line(3).trim_end());
    rig.run();
    rig.now = rig.now + GRACE / 2;
    rig.run();
    assert_eq!(rig.seen(), numbers(0..3));
    rig.run_past_grace();
    assert_eq!(rig.seen(), numbers(0..5));
    assert_eq!(rig.place().offset, line(4).len() as u64);
}

#[test]
fn a_log_that_goes_missing_for_a_while_is_waited_for() {
    let mut rig = Rig::new();
    rig.append("access.log", &line(0));
    rig.run();
    fs::remove_file(rig.path("access.log")).unwrap();
    rig.run_past_grace();
    rig.append("access.log", &line(1));
    rig.run_past_grace();
    assert_eq!(rig.seen(), numbers(0..2));
}

#[test]
fn two_rotations_in_one_wait_lose_nothing() {
    let mut rig = Rig::new();
    rig.append("access.log", &line(0));
    rig.run();
    rig.append("access.log", &line(1));
    rig.rename("access.log", "access.log.2");
    rig.append("access.log.1", &line(2));
    rig.append("access.log", &line(3));
    rig.run_past_grace();
    assert_eq!(rig.seen(), numbers(0..4));
}

#[test]
fn a_rotation_while_an_earlier_file_is_read_loses_nothing() {
    let mut rig = Rig::new();
    rig.append("access.log", &line(0));
    rig.run();
    rig.rename("access.log", "access.log.1");
    rig.append("access.log", &line(1));
    rig.restart();
    rig.run();
    rig.rename("access.log.1", "access.log.2");
    rig.rename("access.log", "access.log.1");
    rig.append("access.log", &line(2));
    rig.run_past_grace();
    assert_eq!(rig.seen(), numbers(1..3));
}

#[test]
fn a_log_copied_and_cut_short_loses_nothing_while_the_copy_is_there() {
    let mut rig = Rig::new();
    rig.append("access.log", &lines(0..2));
    rig.run();
    rig.append("access.log", &line(2));
    fs::copy(rig.path("access.log"), rig.path("access.log.1")).unwrap();
    fs::write(rig.path("access.log"), "").unwrap();
    rig.run_past_grace();
    rig.append("access.log", &line(3));
    rig.run();
    assert_eq!(rig.seen(), numbers(0..4));
}

#[test]
fn a_log_cut_short_without_a_copy_is_a_gap() {
    let mut rig = Rig::new();
    rig.append("access.log", &(lines(0..2) + "half a line"));
    rig.run();
    fs::write(rig.path("access.log"), "").unwrap();
    rig.run();
    rig.append("access.log", &line(2));
    rig.run();
    let lost = Seen::Gap(GapReason::LogLost, 11);
    assert_eq!(rig.seen(), [Seen::Line(0), Seen::Line(1), lost, Seen::Line(2)]);
    assert_eq!(rig.batches.last().unwrap().events[0].at, Timestamp::from_secs(1_700_000_002));
}

#[test]
fn a_log_rewritten_beyond_the_place_is_noticed_by_its_first_line() {
    let mut rig = Rig::new();
    rig.append("access.log", &line(0));
    rig.run();
    fs::write(rig.path("access.log"), lines(5..8)).unwrap();
    rig.run();
    let lost = Seen::Gap(GapReason::LogLost, 0);
    assert_eq!(rig.seen(), [Seen::Line(0), lost, Seen::Line(5), Seen::Line(6), Seen::Line(7)]);
}

#[test]
fn a_log_rewritten_to_just_the_place_is_noticed_too() {
    let mut rig = Rig::new();
    rig.append("access.log", &lines(0..2));
    rig.run();
    rig.run();
    fs::write(rig.path("access.log"), lines(5..7)).unwrap();
    rig.run();
    let lost = Seen::Gap(GapReason::LogLost, 0);
    assert_eq!(rig.seen(), [Seen::Line(0), Seen::Line(1), lost, Seen::Line(5), Seen::Line(6)]);
}

#[test]
fn after_a_crash_every_event_comes_exactly_once() {
    let mut rig = Rig::new();
    rig.append("access.log", &lines(0..700));
    rig.run();
    rig.append("access.log", &lines(700..1300));
    rig.run();
    let (batches, ids) = (rig.batches.clone(), rig.ids());
    assert!(batches.len() > 3);
    let mut handed_over = 0;
    for batch in batches {
        handed_over += batch.events.len();
        rig.restart_at(batch.position.as_slice());
        rig.run();
        assert_eq!(rig.ids(), ids[handed_over..], "after {handed_over}");
    }
}

#[test]
fn a_restart_after_a_rotation_finishes_the_old_file_first() {
    let mut rig = Rig::new();
    rig.append("access.log", &line(0));
    rig.run();
    rig.append("access.log", &line(1));
    rig.rename("access.log", "access.log.1");
    rig.append("access.log", &line(2));
    rig.restart();
    rig.run_past_grace();
    assert_eq!(rig.seen(), numbers(1..3));
}

#[test]
fn a_restart_after_two_rotations_reads_the_one_in_between() {
    let mut rig = Rig::new();
    rig.append("access.log", &line(0));
    rig.run();
    rig.append("access.log", &line(1));
    rig.rename("access.log", "access.log-20260101");
    rig.append("access.log-20260102", &line(2));
    rig.append("access.log", &line(3));
    fs::write(rig.path("access.log-20251231.gz"), "packed").unwrap();
    fs::copy(rig.path("access.log-20260102"), rig.path("access.log.backup")).unwrap();
    rig.restart();
    rig.run_past_grace();
    assert_eq!(rig.seen(), numbers(1..4));
}

/// Compresses a file as `gzip` does: the copy is complete, then the original is deleted.
fn gzip(rig: &Rig, name: &str) {
    let packed = crate::unpack::testing::gzip(&fs::read(rig.path(name)).unwrap());
    fs::write(rig.path(&format!("{name}.gz")), packed).unwrap();
    fs::remove_file(rig.path(name)).unwrap();
}

#[test]
fn what_was_rotated_and_compressed_while_egret_was_away_is_read_on() {
    let mut rig = Rig::new();
    rig.append("access.log", &lines(0..40));
    rig.run();
    rig.append("access.log", &lines(40..80));
    rig.rename("access.log", "access.log.2");
    gzip(&rig, "access.log.2");
    rig.append("access.log.1", &lines(80..90));
    gzip(&rig, "access.log.1");
    rig.append("access.log", &lines(90..95));
    rig.restart();
    rig.run_past_grace();
    assert_eq!(rig.seen(), numbers(40..95));
    assert_eq!(rig.place().offset, lines(90..95).len() as u64);
}

#[test]
fn a_crash_while_a_compressed_file_is_read_goes_on_in_it() {
    let mut rig = Rig::new();
    rig.append("access.log", &lines(0..2));
    rig.run();
    rig.append("access.log", &lines(2..1_300));
    rig.rename("access.log", "access.log.1");
    gzip(&rig, "access.log.1");
    rig.append("access.log", &line(1_300));
    rig.restart();
    rig.run_past_grace();
    let batches = rig.batches.clone();
    for (number, batch) in batches.iter().enumerate() {
        rig.restart_at(batch.position.as_slice());
        rig.run_past_grace();
        let handed_over: usize = batches[..=number].iter().map(|batch| batch.events.len()).sum();
        assert_eq!(rig.seen(), numbers(2 + handed_over as u64..1_301), "after batch {number}");
    }
}

#[test]
fn a_copied_log_that_was_compressed_before_it_was_looked_at_loses_nothing() {
    let mut rig = Rig::new();
    rig.append("access.log", &lines(0..2));
    rig.run();
    rig.append("access.log", &lines(2..9));
    fs::copy(rig.path("access.log"), rig.path("access.log.1")).unwrap();
    fs::write(rig.path("access.log"), line(9)).unwrap();
    gzip(&rig, "access.log.1");
    rig.run_past_grace();
    assert_eq!(rig.seen(), numbers(0..10));
}

#[test]
fn a_compressed_rotated_file_that_is_cut_gives_what_comes_before_the_cut_and_a_gap() {
    let mut rig = Rig::new();
    rig.append("access.log", &line(0));
    rig.run();
    rig.append("access.log", &lines(1..2_000));
    rig.rename("access.log", "access.log.1");
    gzip(&rig, "access.log.1");
    let packed = fs::read(rig.path("access.log.1.gz")).unwrap();
    fs::write(rig.path("access.log.1.gz"), &packed[..packed.len() / 2]).unwrap();
    rig.append("access.log", &line(2_000));
    rig.restart();
    rig.run_past_grace();
    let seen = rig.seen();
    let is_lost = |seen: &Seen| matches!(seen, Seen::Gap(GapReason::LogLost, _));
    let read = seen.iter().position(is_lost).unwrap();
    assert!(read > 100, "{read}");
    assert_eq!(seen[..read], numbers(1..1 + read as u64));
    assert_eq!(seen[read + 1..], numbers(2_000..2_001));
}

#[test]
fn a_compressed_log_is_not_followed() {
    let mut rig = Rig::new();
    rig.append("access.log", &line(0));
    gzip(&rig, "access.log");
    rig.rename("access.log.gz", "access.log");
    let End::Failed(error) = rig.follower.step(START, &mut |_| Ok(())).unwrap_err() else {
        panic!("the channel is open")
    };
    let text = error.to_string();
    assert!(text.contains("access.log") && text.contains("follow = false"), "{text}");
}

#[test]
fn a_crash_while_a_rotated_file_is_read_goes_on_in_it() {
    let mut rig = Rig::new();
    rig.append("access.log", &lines(0..2));
    rig.run();
    rig.rename("access.log", "access.log.1");
    rig.append("access.log.1", &line(2));
    rig.append("access.log", &line(4));
    rig.run();
    assert_eq!(rig.seen(), numbers(0..3));
    rig.append("access.log.1", &line(3));
    rig.restart();
    rig.run_past_grace();
    assert_eq!(rig.seen(), numbers(3..5));
}

#[test]
fn a_restart_when_the_file_is_gone_is_a_gap() {
    let mut rig = Rig::new();
    rig.append("access.log", &line(0));
    rig.run();
    fs::remove_file(rig.path("access.log")).unwrap();
    rig.append("access.log", &lines(5..7));
    rig.restart();
    rig.run();
    assert_eq!(rig.seen(), [Seen::Gap(GapReason::LogLost, 0), Seen::Line(5), Seen::Line(6)]);
}

#[test]
fn a_reused_inode_is_told_by_the_first_line() {
    let mut rig = Rig::new();
    rig.append("access.log", &line(0));
    rig.run();
    // The same inode, with another content: what a file system does when it gives one out again.
    fs::write(rig.path("access.log"), lines(5..8)).unwrap();
    rig.restart();
    rig.run();
    assert_eq!(rig.seen()[0], Seen::Gap(GapReason::LogLost, 0));
    assert_eq!(rig.seen()[1..], numbers(5..8));
}

#[test]
fn places_in_other_logs_are_ignored() {
    let mut rig = Rig::new();
    rig.append("access.log", &lines(0..2));
    rig.run();
    let elsewhere = InputPosition { path: "/elsewhere".into(), ..rig.place() };
    rig.restart_at(&[elsewhere]);
    rig.run();
    assert_eq!(rig.seen(), numbers(0..2));
}

#[test]
fn a_folder_in_the_place_of_a_log_is_an_error() {
    let mut rig = Rig::new();
    fs::create_dir(rig.path("access.log")).unwrap();
    let end = rig.follower.step(START, &mut |_| Ok(())).unwrap_err();
    assert!(matches!(end, End::Failed(CollectError::Read { .. })), "{end:?}");
}

#[test]
fn a_closed_channel_ends_the_following() {
    let mut rig = Rig::new();
    rig.append("access.log", &lines(0..600));
    let mut emit = |_| Err(Refused::Closed);
    let mut steps = (0..5).map(|_| rig.follower.step(START, &mut emit));
    assert!(steps.any(|step| matches!(step, Err(End::Closed))));
}

#[test]
fn a_follower_on_a_thread_hands_over_what_it_holds_when_it_is_told_to_stop() {
    let rig = Rig::new();
    rig.append("access.log", &line(0));
    let (path, context) = (rig.path("access.log"), rig.context.clone());
    let (out, batches) = channel();
    let follower = std::thread::spawn(move || {
        let mut emit = |batch: EventBatch| out.send(batch).map_err(|_| Refused::Closed);
        // The context's clock stands still, so that no batch is ever due by its age.
        run_following(&"proxy".into(), &path, None, &[], &context, &mut emit)
    });
    while rig.context.ledger.read().received < 513 {
        rig.append("access.log", &lines(1..200));
        if let Ok(batch) = batches.recv_timeout(Duration::from_millis(20)) {
            assert_eq!(batch.events.len(), 512);
            break;
        }
    }
    rig.context.stop.store(true, Relaxed);
    follower.join().unwrap().unwrap();
    let rest: usize = batches.iter().map(|batch| batch.events.len()).sum();
    assert_eq!(rig.context.ledger.read().passed, 512 + rest as u64);
    assert_eq!(rig.context.ledger.read().unaccounted(), 0);
}

/// A header of Zeek's for a log of requests with the columns in this order.
fn zeek_header(columns: &[&str]) -> String {
    format!("#separator \\x09\n#path\thttp\n#fields\t{}\n", columns.join("\t"))
}

#[test]
fn a_log_with_headers_goes_on_with_the_columns_that_were_in_force() {
    let columns = ["ts", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "method", "uri"];
    let mut other = columns;
    other.swap(0, 6);
    let line = |n: u64| format!("1700000000.5\t10.20.0.17\t9\t192.0.2.7\t80\tGET\t/{n}\n");
    let swapped = |n: u64| format!("/{n}\t10.20.0.17\t9\t192.0.2.7\t80\tGET\t1700000000.5\n");
    let mut rig = Rig::new();
    rig.append("access.log", &(zeek_header(&columns) + &line(0)));
    rig.run();
    rig.restart();
    rig.append("access.log", &(line(1) + &zeek_header(&other) + &swapped(2)));
    rig.run();
    assert_eq!(rig.seen(), numbers(1..3));
    rig.restart();
    rig.append("access.log", &swapped(3));
    rig.rename("access.log", "access.log.1");
    rig.append("access.log", &(zeek_header(&columns) + &line(4)));
    rig.run_past_grace();
    assert_eq!(rig.seen(), numbers(3..5));
}
