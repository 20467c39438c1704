//! The `[collector]` section: as written, and as checked.

use std::net::IpAddr;
use std::path::PathBuf;

use egret_event::{ByteSize, SmolStr};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{Segment, StaticExecutor};

/// The `[collector]` section as written: unknown keys refused.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawCollector {
    /// Network ranges that hold executors.
    pub segments: Vec<RawSegment>,
    /// Executors with a fixed address.
    pub executors: Vec<RawExecutor>,
    /// Where events come from.
    pub sources: Vec<RawSource>,
}

/// A `[[collector.segments]]` entry.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RawSegment {
    /// Its name.
    pub name: SmolStr,
    /// Its address ranges.
    pub ranges: Vec<IpNet>,
}

/// A `[[collector.executors]]` entry.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RawExecutor {
    /// Its id.
    pub id: SmolStr,
    /// Its address.
    pub address: IpAddr,
    /// The kind of executor.
    pub template: Option<SmolStr>,
    /// Who it works for.
    pub tenant: Option<SmolStr>,
}

/// A `[[collector.sources]]` entry.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum RawSource {
    /// A capture file, pcap or pcapng.
    Capture {
        /// Its name in events and metrics; the path if absent.
        name: Option<SmolStr>,
        /// Path of the file.
        path: PathBuf,
    },
    /// A live interface.
    Live {
        /// Its name in events and metrics; the interface if absent.
        name: Option<SmolStr>,
        /// The interface.
        interface: String,
        /// A pcap-filter(7) expression.
        filter: Option<String>,
        /// Kernel buffer. Default `64MiB`.
        buffer: Option<ByteSize>,
        /// Whether to see packets for other hosts. Default `true`.
        promiscuous: Option<bool>,
    },
    /// A proxy's access log.
    Log {
        /// Its name in events and metrics; the path if absent.
        name: Option<SmolStr>,
        /// Path of the file.
        path: PathBuf,
        /// The dialect; recognized by content if absent.
        dialect: Option<Dialect>,
        /// Whether to go on as the file grows and rotates. Default `true`.
        follow: Option<bool>,
    },
}

/// The `[collector]` section, checked.
#[derive(Debug, Clone)]
pub struct CollectorConfig {
    /// Network ranges that hold executors.
    pub segments: Vec<Segment>,
    /// Executors with a fixed address.
    pub executors: Vec<StaticExecutor>,
    /// Where events come from; names are unique.
    pub sources: Vec<SourceConfig>,
}

/// A source, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceConfig {
    /// Its name in events and metrics.
    pub name: SmolStr,
    /// What it is.
    pub kind: SourceKind,
}

/// What a source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceKind {
    /// A capture file.
    Capture {
        /// Its path.
        path: PathBuf,
    },
    /// A live interface.
    Live(LiveOptions),
    /// A proxy's access log.
    Log {
        /// Its path.
        path: PathBuf,
        /// Its dialect. `None`: recognized by content, line by line.
        dialect: Option<Dialect>,
        /// Whether to go on as it grows and rotates.
        follow: bool,
    },
}

/// How to capture from an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveOptions {
    /// The interface.
    pub interface: String,
    /// A pcap-filter(7) expression; empty: everything.
    pub filter: String,
    /// Kernel buffer, in bytes.
    pub buffer_bytes: u64,
    /// Whether to see packets for other hosts.
    pub promiscuous: bool,
}

/// A log dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// Squid's native access log.
    SquidNative,
    /// Squid with `logformat egret` (see `deploy/squid`).
    SquidEgret,
    /// Envoy's access log in JSON (see `deploy/envoy`).
    EnvoyJson,
}
