//! A disk that fills up under the store.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use egret_tests::capability::{Need, have};
use egret_tests::faults::{Log, Row, end_and_count, following, until_stored};
use egret_tests::running::Running;
use egret_tests::stored::Stored;
use egret_tests::wait::until;

/// Lines of one part of a test.
const SOME: u64 = 3_000;

/// A small disk in memory; unmounted when dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: PathBuf) -> Self {
        fs::create_dir(&at).expect("the folder can be written");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64m", "egret-test"])
            .arg(&at)
            .status();
        assert!(mounted.is_ok_and(|status| status.success()), "cannot mount a disk in memory");
        Self(at)
    }

    /// Takes all the space that is left.
    fn fill(&self) {
        let mut file = File::create(self.filler()).expect("an empty file fits");
        // In pieces of a page, so that nothing is left.
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.filler()).expect("a file can be deleted");
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// A log on a disk with space, and a store on one that can be filled.
fn start(folder: &Path, disk: &Disk, log: &mut Log) -> (Running, Stored) {
    log.write(SOME);
    let egret = Running::start(folder, &following(log.path(), &disk.0));
    let stored = Stored::open(&disk.0);
    until_stored(&stored, SOME);
    (egret, stored)
}

fn store_error(egret: &Running) -> Option<String> {
    egret.status()["store_error"].as_str().map(str::to_owned)
}

#[test]
fn a_full_disk_is_told_of_and_caught_up_with_once_there_is_space() {
    if !have("a_full_disk_is_told_of_and_caught_up_with_once_there_is_space", &[Need::Mounts]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for the test");
    let disk = Disk::mount(folder.path().join("disk"));
    let mut log = Log::at(folder.path().join("access.log"));
    let (egret, stored) = start(folder.path(), &disk, &mut log);
    // Before it is full: that can still be stored and told.
    until("little space to be an incident", || {
        let incidents = egret.get("v1/incidents")?;
        let mut about = incidents["items"].as_array()?.iter().map(|one| &one["session"]);
        about.any(|about| about == "full disk of the store").then_some(())
    });
    disk.fill();
    // More than all queues hold.
    log.write(30 * SOME);
    let error = until("egret to say that the disk is full", || store_error(&egret));
    assert!(error.contains("no space left") && error.contains("egret.db"), "{error}");
    assert_eq!(egret.source("squid")["state"], "running");
    assert!(egret.get("v1/incidents").is_some(), "what is stored can still be read");
    disk.free();
    until_stored(&stored, log.written());
    until("the error to be over", || store_error(&egret).is_none().then_some(()));
    assert!(egret.process.output().contains("the store can be written again"));
    drop(stored);
    let counted = end_and_count(egret, &disk.0);
    Row {
        fault: "disk full",
        done: "filled under the store, 90,000 lines written, space made again",
        written: log.written(),
        stored: counted,
        unreadable: 0,
        told: "status store_error and log: no space left for the store, with the cure",
    }
    .tell();
}

#[test]
fn a_crash_while_the_disk_is_full_loses_nothing_and_doubles_nothing() {
    let name = "a_crash_while_the_disk_is_full_loses_nothing_and_doubles_nothing";
    if !have(name, &[Need::Mounts]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for the test");
    let disk = Disk::mount(folder.path().join("disk"));
    let mut log = Log::at(folder.path().join("access.log"));
    let (mut egret, stored) = start(folder.path(), &disk, &mut log);
    drop(stored);
    disk.fill();
    log.write(SOME);
    until("egret to say that the disk is full", || store_error(&egret));
    egret.process.kill();
    let configuration = following(log.path(), &disk.0);
    let (mut refused, _) =
        Running::launch(&egret_tests::running::Place::Here, folder.path(), &configuration);
    until("egret to refuse, or to wait for space", || {
        (refused.has_ended() || refused.output().contains("no space left")).then_some(())
    });
    let said = refused.output();
    assert!(said.contains("no space left") && said.contains("egret.db"), "{said}");
    drop(refused);
    disk.free();
    let egret = Running::start(folder.path(), &configuration);
    until_stored(&Stored::open(&disk.0), log.written());
    let counted = end_and_count(egret, &disk.0);
    Row {
        fault: "disk full, and killed",
        done: "filled under the store, kill -9, started while full and again with space",
        written: log.written(),
        stored: counted,
        unreadable: 0,
        told: "status store_error; at start: no space left for the store, with the cure",
    }
    .tell();
}
