//! A capture that is open, unpacked on its way to libpcap if it is compressed.
//!
//! libpcap reads files and pipes. What a compressed capture holds goes through a pipe, written by a
//! thread of its own, which ends with the capture or with its reader.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;

use pcap::{Capture, Offline, Precision};

use super::opened::message_of;
use crate::CollectError;
use crate::unpack::{Counted, Packing, Unpacked};

/// Bytes handed through the pipe at a time: what it holds (pipe(7)).
const PIECE_BYTES: usize = 64 * 1024;

/// A capture that is open.
pub(super) struct Input {
    pub(super) capture: Capture<Offline>,
    unpacking: Option<Unpacking>,
}

/// What goes on behind a pipe.
struct Unpacking {
    thread: JoinHandle<io::Result<()>>,
    /// Bytes of the file consumed so far.
    consumed: Arc<AtomicU64>,
}

impl Input {
    /// Opens the capture at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or is no capture.
    pub(super) fn open(path: &Path) -> Result<Self, CollectError> {
        let failed = |error: io::Error| CollectError::reading(path, &error);
        let file = File::open(path).map_err(failed)?;
        let Some(packing) = Packing::of(&file).map_err(failed)? else {
            return Ok(Self { capture: open(path, path)?, unpacking: None });
        };
        let (reader, writer) = io::pipe().map_err(failed)?;
        let consumed = Arc::new(AtomicU64::new(0));
        let counted = Counted::new(file, Arc::clone(&consumed));
        let unpacked = Unpacked::new(counted, Some(packing)).map_err(failed)?;
        let thread = std::thread::spawn(move || pass_on(unpacked, writer));
        // Once libpcap has the pipe, ours is closed: so the thread ends when libpcap closes it.
        let capture = open(Path::new(&format!("/dev/fd/{}", reader.as_raw_fd())), path)?;
        Ok(Self { capture, unpacking: Some(Unpacking { thread, consumed }) })
    }

    /// Bytes of the file consumed so far. `None`: as many as were read of the capture.
    pub(super) fn consumed(&self) -> Option<u64> {
        self.unpacking.as_ref().map(|unpacking| unpacking.consumed.load(Relaxed))
    }

    /// Closes the capture. Returns why it could not be unpacked to its end, if it could not.
    pub(super) fn close(self) -> Option<String> {
        let Self { capture, unpacking } = self;
        drop(capture);
        match unpacking?.thread.join() {
            Ok(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Some(error.to_string()),
            Ok(_) => None,
            Err(_) => Some("unpacking broke off".to_owned()),
        }
    }
}

/// Opens a capture; errors name the file that was asked for.
fn open(path: &Path, asked: &Path) -> Result<Capture<Offline>, CollectError> {
    // libpcap converts to nanoseconds whatever the file's own precision.
    Capture::from_file_with_precision(path, Precision::Nano).map_err(|error| {
        CollectError::NotACapture { path: asked.display().to_string(), reason: message_of(&error) }
    })
}

fn pass_on(mut unpacked: Unpacked<Counted>, mut pipe: io::PipeWriter) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = match unpacked.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        pipe.write_all(&piece[..read])?;
    }
}
