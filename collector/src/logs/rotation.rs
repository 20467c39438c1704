//! Finding a log's earlier generations after it was rotated.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use egret_event::InputPosition;

use super::generation::Generation;
use crate::unpack::{is_compressed_by_name, is_unpacked_by_name};

/// A file that was opened, to be read from `offset` on. Held open, so that it stays the same file
/// when it is renamed once more.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) generation: Generation,
    pub(super) offset: u64,
}

impl Opened {
    /// Opens the file at `path` to be read from its begin.
    ///
    /// # Errors
    /// When it cannot be opened, or is no regular file: opening a pipe could wait for ever, and
    /// nothing could be read again after a restart.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let kind = fs::metadata(path)?;
        if kind.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !kind.is_file() {
            return Err(io::Error::other("it is no regular file; write the log to one"));
        }
        let file = File::open(path)?;
        let generation = Generation::of(&file)?;
        Ok(Self { file, generation, offset: 0 })
    }
}

/// The rotated file that `position` is a place in, and those that came after it, oldest first.
/// Empty: there is none, so what was in it is lost.
pub(super) fn continued(path: &Path, position: &InputPosition) -> VecDeque<Opened> {
    let mut files = rotated(path);
    let matches = |opened: &Opened| opened.generation.holds(position);
    let same_inode = |opened: &Opened| opened.generation.inode == position.inode;
    let found = files
        .iter()
        .position(|opened| matches(opened) && same_inode(opened))
        .or_else(|| files.iter().position(matches));
    let Some(found) = found else { return VecDeque::new() };
    let mut rest = files.split_off(found);
    if let Some(first) = rest.front_mut() {
        first.offset = position.offset;
    }
    rest
}

/// The rotated files that came after `generation`, which was the log until it was rotated.
pub(super) fn successors(path: &Path, generation: &Generation) -> VecDeque<Opened> {
    let mut files = rotated(path);
    match files.iter().position(|opened| opened.generation.is_copy_of(generation)) {
        Some(found) => files.split_off(found + 1),
        None => VecDeque::new(),
    }
}

/// A copy of `generation`'s content, as `copytruncate` leaves it, that holds `position`.
pub(super) fn copy_with(path: &Path, position: &InputPosition) -> Option<Opened> {
    let mut copies = rotated(path);
    copies.retain(|opened| opened.generation.holds(position));
    let mut copy = copies.pop_back()?;
    copy.offset = position.offset;
    Some(copy)
}

/// The log's rotated files, oldest first by their last change: those in its folder whose names
/// begin with its own name and a dot or a dash (`access.log.1`, `access.log-20260131.gz`). What is
/// compressed in a way that is not read here, not a file or not readable is left out, and so is a
/// second copy of the same content.
fn rotated(path: &Path) -> VecDeque<Opened> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return VecDeque::new();
    };
    let current = Opened::at(path).ok();
    let mut files: Vec<Opened> = entries(path)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|entry| open_rotated(&entry, name))
        .filter(|opened| opened.generation.size > 0)
        .filter(|opened| {
            current.as_ref().is_none_or(|now| !opened.generation.is_copy_of(&now.generation))
        })
        .collect();
    // The longest of several copies is the one to keep, then the oldest. One that is being
    // compressed is whole until it is deleted, and its compressed copy is whole from then on.
    files.sort_by_key(|opened| {
        let Generation { packing, size, modified, .. } = &opened.generation;
        (packing.is_some(), Reverse(*size), *modified)
    });
    let mut kept: Vec<Opened> = Vec::with_capacity(files.len());
    for opened in files {
        if !kept.iter().any(|longer| opened.generation.is_copy_of(&longer.generation)) {
            kept.push(opened);
        }
    }
    // File times may be equal when two rotations follow at once; Squid's lines begin with theirs.
    kept.sort_by(|one, other| one.generation.age().cmp(&other.generation.age()));
    kept.into()
}

fn entries(path: &Path) -> impl Iterator<Item = fs::DirEntry> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    fs::read_dir(folder.unwrap_or(Path::new("."))).into_iter().flatten().flatten()
}

/// Opens what by its name is a rotated file of the log `name`, if it is one by its content.
fn open_rotated(entry: &fs::DirEntry, name: &str) -> Option<Opened> {
    let candidate = entry.file_name();
    let candidate = candidate.to_string_lossy();
    let rest = candidate.strip_prefix(name)?;
    let must_be_packed = is_unpacked_by_name(&candidate);
    if !rest.starts_with(['.', '-']) || (is_compressed_by_name(&candidate) && !must_be_packed) {
        return None;
    }
    let opened = Opened::at(&entry.path()).ok()?;
    (opened.generation.packing.is_some() || !must_be_packed).then_some(opened)
}
