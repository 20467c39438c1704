//! Alerts to a file, one JSON document per line, for a shipper that follows it.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::alert::Alert;
use crate::config::Wrong;
use crate::format::{Format, JsonFormat};
use crate::heartbeat::Beat;
use crate::link::Failure;
use crate::target::raw_target;
use crate::text::{bounded, visible};
use crate::transcript::note;

raw_target! {
    /// A `[[notify.targets]]` entry with `kind = "file"`.
    pub struct RawFile {
        /// The file. It is opened for each alert, so that it may be moved away at any time (logrotate).
        pub path: PathBuf,
        /// How a line tells of an alert. Default `egret`.
        pub format: Option<JsonFormat>,
        /// The version of OCSF that a line claims (format `ocsf`): `1.1.0` to `1.8.0`. Default `1.5.0`.
        pub ocsf_version: Option<String>,
    }
}

/// A file target, checked.
#[derive(Debug, Clone)]
pub(crate) struct FileConfig {
    path: PathBuf,
    pub(crate) format: Format,
}

impl FileConfig {
    pub(crate) fn check(raw: &RawFile) -> Result<Self, Wrong> {
        if raw.path.file_name().is_none() {
            let problem = format!("{} is not the name of a file", raw.path.display());
            return Err(Wrong::new("path", problem));
        }
        let format = Format::check(raw.format, raw.ocsf_version.as_deref())?;
        Ok(Self { path: raw.path.clone(), format })
    }

    /// Makes one attempt.
    pub(crate) async fn send(&self, alert: &Alert) -> Result<(), Failure> {
        self.write(self.format.text(alert)).await
    }

    pub(crate) async fn beat(&self, beat: &Beat) -> Result<(), Failure> {
        self.write(self.format.heartbeat(beat).to_string()).await
    }

    async fn write(&self, line: String) -> Result<(), Failure> {
        let line = line + "\n";
        note(|| format!("> {}: {}", self.path.display(), line.trim_end()));
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || append(&path, &line)).await;
        let written = written.unwrap_or_else(|broken| Err(io::Error::other(broken)));
        written.map_err(|error| {
            let problem = format!("{}: {error}", self.path.display());
            Failure::Unreachable(bounded(&problem, 500, visible))
        })
    }
}

/// Appends a line that is on disk when this returns. After a line that was cut short (a full disk, a crash) the next
/// one begins anew.
fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).read(true).open(path)?;
    let length = file.metadata()?.len();
    if length > 0 && last_byte(&file, length)? != b'\n' {
        file.write_all(b"\n")?;
    }
    file.write_all(line.as_bytes())?;
    file.sync_data()
}

fn last_byte(file: &std::fs::File, length: u64) -> io::Result<u8> {
    use std::os::unix::fs::FileExt;
    let mut byte = [0];
    file.read_exact_at(&mut byte, length - 1)?;
    Ok(byte[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_short_does_not_take_the_next_one_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alerts.json");
        std::fs::write(&path, "{\"half\":").unwrap();
        append(&path, "{\"a\":1}\n").unwrap();
        append(&path, "{\"b\":2}\n").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "{\"half\":\n{\"a\":1}\n{\"b\":2}\n");
    }
}
