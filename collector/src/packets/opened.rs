//! A capture file that is open, whatever its format: plain ones are read by [`super::savefile`],
//! those in sections by [`super::pcapng`], also where they are compressed, and all others through
//! libpcap.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use egret_event::{SmolStr, Timestamp};
use pcap::{Capture, Linktype, Offline, PacketHeader};

use super::input::Input;
use super::link::Link;
use super::pcapng::{self, Dropped, Joined, PcapNg};
use super::savefile::{FILE_HEADER_BYTES, Layout, RECORD_HEADER_BYTES, SaveFile};
use crate::CollectError;
use crate::unpack::{Counted, Packing, Unpacked};

/// A capture that is being read.
pub(super) struct Opened {
    format: Format,
    /// Bytes of the file that were read, where libpcap does not read it.
    read: Arc<AtomicU64>,
    consumed: u64,
}

type Source = Unpacked<Counted>;

enum Format {
    Plain(SaveFile<Source>),
    Sections(Box<PcapNg<Joined<Source>>>),
    Other(Input, Link),
}

/// A packet of it.
pub(super) struct Captured<'a> {
    pub(super) at: Timestamp,
    /// How it begins; else libpcap's number for a link type that is not decoded.
    pub(super) link: Result<Link, u16>,
    pub(super) wire_bytes: u32,
    pub(super) bytes: &'a [u8],
}

impl Opened {
    /// Opens the capture at `path`; errors call it `name`.
    ///
    /// # Errors
    /// When it cannot be read, is no capture, or is of no link type that is decoded.
    pub(super) fn open(name: &SmolStr, path: &Path) -> Result<Self, CollectError> {
        let read = Arc::new(AtomicU64::new(0));
        let format = match Format::of(name, path, &read)? {
            Some(format) => format,
            None => {
                let input = Input::open(path)?;
                let link = link_of(name, &input.capture)?;
                Format::Other(input, link)
            }
        };
        Ok(Self { format, read, consumed: 0 })
    }

    /// How the first packets begin.
    pub(super) fn link(&self) -> Link {
        match &self.format {
            Format::Plain(file) => file.link(),
            Format::Sections(file) => file.links().find_map(decoded).unwrap_or(Link::Ethernet),
            Format::Other(_, link) => *link,
        }
    }

    /// The next packet. `None`: that was all.
    ///
    /// # Errors
    /// What is wrong with the rest of the file.
    #[inline]
    pub(super) fn next_packet(&mut self) -> Result<Option<Captured<'_>>, String> {
        match &mut self.format {
            Format::Plain(file) => {
                let link = file.link();
                let Some((header, bytes)) = file.next_packet()? else { return Ok(None) };
                let (at, wire_bytes) = (header.at, header.wire_bytes);
                Ok(Some(Captured { at, link: Ok(link), wire_bytes, bytes }))
            }
            Format::Sections(file) => Ok(file.next_packet()?.map(|packet| Captured {
                at: packet.at,
                link: decoded(packet.link).ok_or(packet.link),
                wire_bytes: packet.wire_bytes,
                bytes: packet.bytes,
            })),
            Format::Other(input, link) => match input.capture.next_packet() {
                Ok(packet) => {
                    self.consumed += (RECORD_HEADER_BYTES + packet.data.len()) as u64;
                    let (at, wire_bytes) = (time_of(packet.header), packet.header.len);
                    Ok(Some(Captured { at, link: Ok(*link), wire_bytes, bytes: packet.data }))
                }
                Err(pcap::Error::NoMorePackets) => Ok(None),
                Err(error) => Err(message_of(&error)),
            },
        }
    }

    /// Bytes of the file that were read so far.
    pub(super) fn consumed(&self) -> u64 {
        match &self.format {
            Format::Plain(_) | Format::Sections(_) => self.read.load(Relaxed),
            Format::Other(input, _) => input.consumed().unwrap_or(self.consumed),
        }
    }

    /// What the capture itself says it has dropped, as far as it was read.
    pub(super) fn dropped(&self) -> Option<Dropped> {
        match &self.format {
            Format::Sections(file) => file.dropped(),
            Format::Plain(_) | Format::Other(..) => None,
        }
    }

    /// Ends the reading. Returns what was wrong with the file, beyond what its packets showed.
    pub(super) fn close(self) -> Option<String> {
        match self.format {
            Format::Plain(_) | Format::Sections(_) => None,
            Format::Other(input, _) => input.close(),
        }
    }
}

impl Format {
    /// What can be read without libpcap. `None`: it must be left to that.
    fn of(
        name: &SmolStr,
        path: &Path,
        read: &Arc<AtomicU64>,
    ) -> Result<Option<Self>, CollectError> {
        let failed = |error: io::Error| CollectError::reading(path, &error);
        let file = File::open(path).map_err(failed)?;
        // What is read of a pipe is gone.
        if !file.metadata().map_err(failed)?.is_file() {
            return Ok(None);
        }
        let packing = Packing::of(&file).map_err(failed)?;
        let counted = Counted::new(file, Arc::clone(read));
        let mut source = Unpacked::new(counted, packing).map_err(failed)?;
        let mut header = [0; FILE_HEADER_BYTES];
        if source.read_exact(&mut header).is_err() {
            return Ok(None);
        }
        if header.starts_with(&pcapng::MAGIC) {
            return sections(name, path, header.to_vec(), source).map(Some);
        }
        Ok(Layout::of(&header).map(|layout| Self::Plain(SaveFile::new(layout, source))))
    }
}

fn sections(
    name: &SmolStr,
    path: &Path,
    start: Vec<u8>,
    source: Source,
) -> Result<Format, CollectError> {
    let file = PcapNg::open(start, source)
        .map_err(|reason| CollectError::NotACapture { path: path.display().to_string(), reason })?;
    let first = file.links().next();
    match first {
        Some(first) if file.links().all(|link| decoded(link).is_none()) => {
            Err(unknown_link(name, Linktype(first.into())))
        }
        _ => Ok(Format::Sections(Box::new(file))),
    }
}

fn decoded(link: u16) -> Option<Link> {
    Link::from_number(link.into())
}

fn link_of(name: &SmolStr, capture: &Capture<Offline>) -> Result<Link, CollectError> {
    let number = capture.get_datalink();
    Link::from_number(number.0).ok_or_else(|| unknown_link(name, number))
}

fn unknown_link(name: &SmolStr, number: Linktype) -> CollectError {
    CollectError::LinkType { name: name.to_string(), link_type: link_name(number) }
}

/// The name of a link type, else its number.
pub(super) fn link_name(number: Linktype) -> String {
    number.get_name().unwrap_or_else(|_| number.0.to_string())
}

/// The time of a packet captured with nanosecond precision.
pub(super) fn time_of(header: &PacketHeader) -> Timestamp {
    Timestamp::from_parts(header.ts.tv_sec, header.ts.tv_usec)
}

/// What libpcap says, without the crate's prefix.
pub(super) fn message_of(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(message) => message.trim().to_owned(),
        other => other.to_string(),
    }
}
