//! What keeps a source from going on.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

/// What keeps a source from going on. Each says what it was about and what helps.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The file cannot be opened or read.
    #[error("cannot read {path:?}: {reason}")]
    Read {
        /// Path of the file.
        path: String,
        /// Why, and what helps.
        reason: String,
    },
    /// The file is no capture that can be read.
    #[error("{path:?} is not a capture that egret can read: {reason}")]
    NotACapture {
        /// Path of the file.
        path: String,
        /// Why, and what helps.
        reason: String,
    },
    /// The capture's link type is not supported.
    #[error(
        "{name:?} has link type {link_type}, which egret cannot decode \
         (it reads Ethernet, Linux cooked v1 and v2, raw IP, BSD loopback)"
    )]
    LinkType {
        /// The file or interface.
        name: String,
        /// The link type, by name or number.
        link_type: String,
    },
    /// The interface cannot be opened.
    #[error("cannot open interface {interface:?}: {reason}")]
    Interface {
        /// Its name.
        interface: String,
        /// Why, and what helps.
        reason: String,
    },
    /// The filter expression is wrong.
    #[error("bad capture filter {filter:?}: {reason} (see pcap-filter(7))")]
    Filter {
        /// The expression.
        filter: String,
        /// What libpcap said.
        reason: String,
    },
    /// The port cannot be listened at.
    #[error("cannot listen at {address}: {reason}")]
    Listen {
        /// Address and port.
        address: SocketAddr,
        /// Why, and what helps.
        reason: String,
    },
    /// Whoever knows which executor has which address cannot be asked.
    #[error("cannot watch {authority}: {reason}")]
    Authority {
        /// What was asked.
        authority: &'static str,
        /// Why not, and what helps.
        reason: String,
    },
    /// The content is of no kind that egret reads.
    #[error(
        "{path:?} is neither a capture (pcap, pcapng), nor NetFlow or IPFIX, nor a log that egret \
         knows by its content (of Squid, Envoy, nginx, HAProxy, Apache, Caddy, Traefik, mitmproxy, \
         Smokescreen, Zeek, Suricata, Argus and others, listed in the README); for another log, \
         describe its lines in [[collector.mappings]]"
    )]
    Unrecognized {
        /// Path of the file.
        path: String,
    },
}

impl CollectError {
    /// The port at `address` cannot be listened at because of `error`.
    pub(crate) fn listening(address: SocketAddr, error: &io::Error) -> Self {
        let reason = match error.kind() {
            io::ErrorKind::PermissionDenied => {
                "permission denied (ports below 1024 need CAP_NET_BIND_SERVICE)".to_owned()
            }
            io::ErrorKind::AddrInUse => "another program listens there".to_owned(),
            io::ErrorKind::AddrNotAvailable => {
                "no interface has this address (0.0.0.0 listens at all)".to_owned()
            }
            _ => error.to_string().to_lowercase(),
        };
        Self::Listen { address, reason }
    }

    #[cfg(not(all(feature = "kubernetes", feature = "docker")))]
    pub(crate) fn built_without(authority: &'static str) -> Self {
        Self::Authority { authority, reason: "this egret was built without it".to_owned() }
    }

    /// The file at `path` cannot be read because of `error`.
    pub(crate) fn reading(path: &Path, error: &io::Error) -> Self {
        let reason = match error.kind() {
            io::ErrorKind::NotFound => "no such file".to_owned(),
            io::ErrorKind::PermissionDenied => {
                "permission denied (run egret as a user or group that may read it)".to_owned()
            }
            io::ErrorKind::IsADirectory => "it is a directory; name a file in it".to_owned(),
            _ => error.to_string(),
        };
        Self::Read { path: path.to_string_lossy().into_owned(), reason }
    }
}
