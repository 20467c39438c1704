//! The `[store]` section: as written, and as checked.

use std::path::PathBuf;
use std::time::Duration;

use egret_event::{ByteSize, HumanDuration};
use serde::{Deserialize, Serialize};

/// The `[store]` section as written: every key optional, unknown keys refused.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawStore {
    /// Path of the SQLite file. Default `/var/lib/egret/egret.db`.
    pub path: Option<PathBuf>,
    /// How long events and sums per minute are kept. Default `7d`.
    pub keep_events: Option<HumanDuration>,
    /// How long sums per hour, closed incidents and delivered alerts are kept. Default `90d`.
    pub keep_history: Option<HumanDuration>,
    /// Beyond this size the oldest events go first. Default `10GiB`.
    pub max_size: Option<ByteSize>,
}

/// The `[store]` section, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// Path of the SQLite file.
    pub path: PathBuf,
    /// How long events and sums per minute are kept.
    pub keep_events: Duration,
    /// How long sums per hour, closed incidents and delivered alerts are kept.
    pub keep_history: Duration,
    /// Beyond this size, in bytes, the oldest events go first.
    pub max_size_bytes: u64,
}

impl RawStore {
    /// The checked section, with defaults filled in.
    pub fn check(&self) -> StoreConfig {
        let days = |n: u64| Duration::from_secs(n * 86_400);
        StoreConfig {
            path: self.path.clone().unwrap_or_else(|| "/var/lib/egret/egret.db".into()),
            keep_events: self.keep_events.map_or(days(7), |d| d.0),
            keep_history: self.keep_history.map_or(days(90), |d| d.0),
            max_size_bytes: self.max_size.map_or(10 << 30, |s| s.0),
        }
    }
}
