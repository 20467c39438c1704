//! Which file this is: one generation of a log, whatever it is called at the moment.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;

use egret_event::{InputPosition, Scope, Timestamp};

use super::signs::is_header;
use crate::unpack::{Packing, head};

/// As much of a first line as tells one file from another, in bytes. Access logs begin with a
/// time in milliseconds and the client, well within it.
const FIRST_LINE_BYTES: usize = 1_024;

/// The same for logs that begin with headers: these are alike in all files, so that it takes the
/// first line after them. Zeek's are 0.5 to 2 KiB.
const HEADED_BYTES: usize = 16 * 1_024;

/// One generation of a log.
#[derive(Debug, Clone)]
pub(super) struct Generation {
    /// Device that holds the file.
    pub(super) device: u64,
    /// Its inode.
    pub(super) inode: u64,
    /// The begin of its first line, as far as that is written; headers do not count as one, and
    /// are kept before it.
    pub(super) first_line: Vec<u8>,
    /// Whether the first line will not change any more.
    pub(super) is_settled: bool,
    /// Its size when it was looked at, as it is on disk.
    pub(super) size: u64,
    /// What it is packed by: then offsets are places in what it holds.
    pub(super) packing: Option<Packing>,
    /// When it was last written to.
    pub(super) modified: Timestamp,
}

impl Generation {
    /// Looks at an open file, without moving its reading position.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let mut first_line = head(file, FIRST_LINE_BYTES as u64)?;
        let mut limit = FIRST_LINE_BYTES;
        if is_header(&first_line) {
            limit = HEADED_BYTES;
            first_line = head(file, limit as u64)?;
        }
        let line_end = first_line_end(&first_line);
        let is_settled = line_end.is_some() || first_line.len() == limit;
        first_line.truncate(line_end.unwrap_or(first_line.len()));
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            is_settled,
            first_line,
            size: metadata.size(),
            packing: Packing::of(file)?,
            modified: modified(&metadata),
        })
    }

    /// Whether it is the file that `metadata` was taken of.
    pub(super) fn is_file(&self, metadata: &Metadata) -> bool {
        (self.device, self.inode) == (metadata.dev(), metadata.ino())
    }

    /// Whether both are the same file.
    pub(super) fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    /// Whether both are the same file, or begin with the same line.
    pub(super) fn is_copy_of(&self, other: &Self) -> bool {
        let same_begin = self.is_settled && self.first_line == other.first_line;
        self.is_same_file(other) || same_begin
    }

    /// What generations of a log are ordered by, oldest first.
    pub(super) fn age(&self) -> (Timestamp, &[u8]) {
        (self.modified, &self.first_line)
    }

    /// The place `offset` of this file, for a log configured as `path`.
    pub(super) fn position(&self, path: &str, offset: u64) -> InputPosition {
        InputPosition {
            path: path.to_owned(),
            device: self.device,
            inode: self.inode,
            first_line: self.fingerprint(),
            offset,
        }
    }

    /// Whether `position` can be a place in this file: the content decides, so that a copy, or a
    /// file on a device with a new number, is recognized too.
    pub(super) fn holds(&self, position: &InputPosition) -> bool {
        let is_long_enough = self.packing.is_some() || self.size >= position.offset;
        self.is_settled && self.fingerprint() == position.first_line && is_long_enough
    }

    fn fingerprint(&self) -> u64 {
        Scope::of(&[b"first line", &self.first_line]).short()
    }
}

/// Where the first line ends that is no header.
fn first_line_end(head: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let end = from + memchr::memchr(b'\n', &head[from..])?;
        if !is_header(&head[from..end]) {
            return Some(end);
        }
        from = end + 1;
    }
}

fn modified(metadata: &Metadata) -> Timestamp {
    Timestamp::from_parts(metadata.mtime(), metadata.mtime_nsec())
}
