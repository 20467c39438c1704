//! What happens to log files while egret follows them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use egret_event::GapReason;
use egret_tests::binary::run;
use egret_tests::capability::{Need, have};
use egret_tests::faults::{Log, Row, end_and_count, following, line, until_stored};
use egret_tests::running::{Place, Running};
use egret_tests::stored::Stored;
use egret_tests::wait::until;

/// Lines of one part of a test.
const SOME: u64 = 3_000;

/// A user that is nobody.
const NOBODY: u32 = 65_534;

/// An egret that follows a log of which [`SOME`] lines are stored.
struct Rig {
    folder: tempfile::TempDir,
    log: Log,
    egret: Running,
    stored: Stored,
}

impl Rig {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let mut log = Log::at(folder.path().join("access.log"));
        log.write(SOME);
        let egret = Running::start(folder.path(), &following(log.path(), folder.path()));
        let stored = Stored::open(folder.path());
        until_stored(&stored, SOME);
        Self { folder, log, egret, stored }
    }

    /// Makes egret hold still, so that what follows happens between two of its looks.
    fn freeze(&self) {
        self.signal("-STOP");
    }

    fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.egret.process.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "cannot signal egret");
    }

    fn rename(&self, to: &str) {
        fs::rename(self.log.path(), self.log.rotated(to)).expect("a log can be renamed");
    }

    /// Kills egret and starts it again.
    fn kill_and(mut self, meanwhile: impl FnOnce(&mut Self)) -> Self {
        self.egret.process.kill();
        meanwhile(&mut self);
        let configuration = following(self.log.path(), self.folder.path());
        self.egret = Running::start(self.folder.path(), &configuration);
        self
    }

    /// Writes some lines, rotates the log twice and compresses it each time, and begins it anew.
    fn rotate_to_gz_twice(&mut self) {
        for name in [".2", ".1"] {
            self.log.write(SOME);
            self.rename(name);
            gzip(&self.log.rotated(name));
        }
        self.log.write(SOME);
    }

    /// Waits until all is stored, without a gap, and writes the row.
    fn finish_whole(self, fault: &str, done: &str) {
        until_stored(&self.stored, self.log.written());
        assert_eq!(self.stored.gaps("squid", GapReason::LogLost), [], "nothing was lost");
        self.finish(fault, done, 0, "nothing to tell");
    }

    /// Waits until all is stored but for `unreadable` lines, and writes the row.
    fn finish(self, fault: &str, done: &str, unreadable: u64, told: &str) {
        let written = self.log.written();
        until_stored(&self.stored, written - unreadable);
        let source = self.egret.source("squid");
        assert_eq!(source["state"], "running", "{source}");
        let stored = end_and_count(self.egret, self.folder.path());
        Row { fault, done, written, stored, unreadable, told }.tell();
    }
}

fn gzip(path: &Path) {
    let packed = Command::new("gzip").arg(path).status();
    assert!(packed.is_ok_and(|status| status.success()), "cannot compress {}", path.display());
}

#[test]
fn a_log_rotated_by_rename_loses_nothing() {
    let mut rig = Rig::start();
    for _ in 0..2 {
        rig.log.write(SOME);
        rig.rename(".1");
        // The proxy goes on in the old file until it has opened the new one.
        let old = rig.log.rotated(".1");
        rig.log.write_to(&old, SOME);
        rig.log.write(SOME);
        until_stored(&rig.stored, rig.log.written());
    }
    rig.finish_whole("log rotated by rename", "renamed twice, written on for a while, made anew");
}

#[test]
fn a_log_rotated_by_copytruncate_loses_nothing() {
    let mut rig = Rig::start();
    rig.freeze();
    rig.log.write(SOME);
    fs::copy(rig.log.path(), rig.log.rotated(".1")).expect("a log can be copied");
    fs::write(rig.log.path(), "").expect("a log can be cut short");
    rig.log.write(SOME);
    rig.thaw();
    rig.finish_whole(
        "log rotated by copytruncate",
        "copied and cut short with 3,000 lines unread, written anew",
    );
}

#[test]
fn a_log_compressed_as_it_is_rotated_loses_nothing() {
    let mut rig = Rig::start();
    rig.freeze();
    rig.rotate_to_gz_twice();
    rig.thaw();
    rig.finish_whole(
        "log rotated to .gz while followed",
        "renamed, gzipped and the original deleted twice, with 6,000 lines unread",
    );
}

#[test]
fn a_log_compressed_while_egret_was_dead_loses_nothing() {
    let rig = Rig::start().kill_and(Rig::rotate_to_gz_twice);
    rig.finish_whole(
        "log rotated to .gz while egret is dead",
        "kill -9, rotated to .gz twice, started again",
    );
}

#[test]
fn a_log_cut_short_loses_only_what_nobody_can_read_and_says_so() {
    let mut rig = Rig::start();
    rig.freeze();
    rig.log.write(SOME);
    fs::write(rig.log.path(), "").expect("a log can be cut short");
    rig.log.write(SOME / 2);
    rig.thaw();
    until_stored(&rig.stored, rig.log.written() - SOME);
    // The gap is an event of its own, which may be stored after the lines.
    until("the gap", || (!rig.stored.gaps("squid", GapReason::LogLost).is_empty()).then_some(()));
    assert_eq!(rig.stored.gaps("squid", GapReason::LogLost).len(), 1);
    assert!(rig.egret.process.output().contains("the log was cut short"));
    let done = "cut short with 3,000 lines unread and no copy, written anew";
    rig.finish("log truncated", done, SOME, "log; gap log_lost");
}

#[test]
fn a_log_deleted_and_made_anew_loses_nothing() {
    let mut rig = Rig::start();
    rig.freeze();
    rig.log.write(SOME);
    fs::remove_file(rig.log.path()).expect("a log can be deleted");
    rig.thaw();
    // It is held open, so what was in it is still read.
    until_stored(&rig.stored, 2 * SOME);
    rig.log.write(SOME);
    rig.finish_whole("log deleted", "deleted with 3,000 lines unread, made anew");
}

#[test]
fn a_log_that_may_not_be_read_for_a_while_is_taken_up_again_where_it_stood() {
    let name = "a_log_that_may_not_be_read_for_a_while_is_taken_up_again_where_it_stood";
    if !have(name, &[Need::Namespaces, Need::Program("setpriv")]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path();
    chown(path, Some(NOBODY), Some(NOBODY)).expect("root gives folders away");
    let mut log = Log::at(path.join("access.log"));
    log.write(SOME);
    let egret = Running::start_in(Place::User(NOBODY), path, &following(log.path(), path));
    let stored = Stored::open(path);
    until_stored(&stored, SOME);
    // As a rotation with the wrong mode leaves it.
    fs::rename(log.path(), log.rotated(".1")).expect("a log can be renamed");
    log.write(SOME);
    allow(log.path(), 0o600);
    let refused = until("egret to say that it may not", || {
        let source = egret.source("squid");
        (source["state"] == "failed").then_some(source)
    });
    let error = refused["error"].as_str().unwrap_or_default();
    assert!(error.contains("access.log") && error.contains("permission denied"), "{error}");
    log.write(SOME);
    allow(log.path(), 0o644);
    until_stored(&stored, log.written());
    assert_eq!(egret.source("squid")["state"], "running");
    assert_eq!(stored.gaps("squid", GapReason::LogLost), []);
    let status = egret.status();
    let repeated = status["stages"][2]["ledger"]["lost"].to_string();
    assert_eq!(repeated, "[]", "nothing was read twice");
    let stored = end_and_count(egret, path);
    Row {
        fault: "log unreadable for a while",
        done: "renamed, made anew with mode 600 of another user, then 644",
        written: log.written(),
        stored,
        unreadable: 0,
        told: "source failed: permission denied, with the cure; running again within 10 s",
    }
    .tell();
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("root changes modes");
}

#[test]
fn a_line_from_the_future_is_stored_and_judges_nothing_after_it_late() {
    let mut rig = Rig::start();
    #[expect(clippy::disallowed_methods, reason = "the future depends on now")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
    let stamp = |text: String, at: u64| {
        let rest = text.find('.').map(|dot| text[dot..].to_owned()).unwrap_or_default();
        format!("{at}{rest}")
    };
    let text = stamp(line(SOME), now + 86_400) + &stamp(line(SOME + 1), now - 1);
    let mut file = fs::OpenOptions::new().append(true).open(rig.log.path());
    std::io::Write::write_all(file.as_mut().expect("the log is there"), text.as_bytes())
        .expect("the log can be written");
    let written = rig.log.written() + 2;
    until_stored(&rig.stored, written);
    rig.log.write(0);
    let engine = rig.egret.status()["stages"][1]["ledger"].clone();
    assert_eq!(engine["lost"].to_string(), "[[\"from_future\",1]]", "{engine}");
    assert!(rig.egret.process.output().contains("events from the future"));
    let stored = end_and_count(rig.egret, rig.folder.path());
    Row {
        fault: "clock of a proxy a day ahead",
        done: "one line a day in the future, one of now after it",
        written,
        stored,
        unreadable: 0,
        told: "log: set the clock of their source; ledger from_future 1",
    }
    .tell();
}

#[test]
fn a_compressed_log_is_refused_at_start_with_the_cure() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let mut log = Log::at(folder.path().join("access.log"));
    log.write(10);
    gzip(log.path());
    let config = folder.path().join("egret.toml");
    let start = |path: &Path| {
        fs::write(&config, following(path, folder.path())).expect("the folder can be written");
        let output = run(&["run", "--config", config.to_str().expect("the path is UTF-8")]);
        assert!(!output.status.success(), "egret started");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let by_name = start(&log.rotated(".gz"));
    assert!(by_name.contains("access.log.gz") && by_name.contains("follow = false"), "{by_name}");
    fs::rename(log.rotated(".gz"), log.path()).expect("a log can be renamed");
    let by_content = start(log.path());
    assert!(by_content.contains("it is compressed"), "{by_content}");
    assert!(by_content.contains("follow = false"), "{by_content}");
}
