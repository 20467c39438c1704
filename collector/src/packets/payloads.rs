//! The UDP payloads of a capture, for those who speak inside them.

use std::net::SocketAddr;
use std::path::Path;

use egret_event::Timestamp;

use super::link::{self, Fragment, UDP};
use super::opened::{Captured, Opened};
use crate::recognize::is_capture;
use crate::{CollectError, recognize};

/// A capture that is read for its UDP payloads.
pub(crate) struct CaptureFile {
    input: Opened,
}

/// What a UDP packet carried.
pub(crate) struct UdpPayload<'a> {
    pub(crate) at: Timestamp,
    pub(crate) from: SocketAddr,
    pub(crate) content: &'a [u8],
}

/// A packet that carries nothing over UDP, or not all of it.
pub(crate) struct NotUdp;

impl CaptureFile {
    /// Whether the file is a capture.
    pub(crate) fn is_one(path: &Path) -> Result<bool, CollectError> {
        Ok(is_capture(&recognize::head_of(path, 4)?))
    }

    pub(crate) fn open(path: &Path) -> Result<Self, CollectError> {
        let name = path.to_string_lossy().as_ref().into();
        Ok(Self { input: Opened::open(&name, path)? })
    }

    /// The next packet. `None` at the end, or where the capture is cut.
    pub(crate) fn next_udp(&mut self) -> Option<Result<UdpPayload<'_>, NotUdp>> {
        let Captured { at, link, wire_bytes, bytes } = self.input.next_packet().ok()??;
        let dissected = link.map(|link| link::dissect(link, wire_bytes, bytes));
        Some(match dissected {
            Ok(Ok(inner))
                if inner.protocol == UDP
                    && inner.fragment == Fragment::Whole
                    && inner.payload.len() == inner.payload_bytes as usize =>
            {
                let from = SocketAddr::new(link::address(inner.source), inner.source_port);
                Ok(UdpPayload { at, from, content: inner.payload })
            }
            _ => Err(NotUdp),
        })
    }

    /// Bytes of the file read so far.
    pub(crate) fn consumed(&self) -> u64 {
        self.input.consumed()
    }
}
