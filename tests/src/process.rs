//! Child processes that never outlive the test that started them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::wait::{Deadline, until};

/// A child process with its output in a file; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, with both outputs in `log`.
    pub fn start(mut command: Command, log: &Path) -> Self {
        let file = File::create(log).expect("the log can be created");
        let errors = file.try_clone().expect("a file can be shared");
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self { child, log: log.to_owned() }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until `sign` is in its output.
    pub fn wait_for_output(&mut self, sign: &str) {
        until(&format!("{sign:?} in {}", self.log.display()), || {
            let output = self.output();
            if output.contains(sign) {
                return Some(());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("ended with {status} before it said {sign:?}:\n{output}");
            }
            None
        });
    }

    /// Waits until it ends by itself, but not for longer than `most`. Whether it says then that it
    /// succeeded is another matter: some do not.
    pub fn wait_for_end(&mut self, most: std::time::Duration) -> ExitStatus {
        let pause = std::time::Duration::from_millis(50);
        let deadline = Deadline::after(most);
        loop {
            if let Some(status) = self.child.try_wait().expect("a child has a status") {
                return status;
            }
            assert!(!deadline.has_passed(), "{} goes on:\n{}", self.log.display(), self.output());
            std::thread::sleep(pause);
        }
    }

    /// Waits until it has done its work and ended, but not for longer than `most`.
    pub fn wait_for_success(mut self, most: std::time::Duration) {
        let status = self.wait_for_end(most);
        let log = self.log.display();
        assert!(status.success(), "{log}: ended with {status}:\n{}", self.output());
    }

    /// Whether it has come to its end by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child has a status").is_some()
    }

    /// Kills it at once (SIGKILL), as a crash would.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a killed child ends");
    }

    /// Asks it to end (SIGTERM), and waits for that.
    pub fn terminate(&mut self) -> ExitStatus {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "cannot signal process {id}");
        until("the end of a process", || self.child.try_wait().expect("a child has a status"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {} ---\n{}", self.log.display(), self.output());
        }
    }
}
