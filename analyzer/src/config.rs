//! The `[analyzer]` section: as written, and as checked.

use std::time::Duration;

use egret_event::{HumanDuration, SmolStr};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The `[analyzer]` section as written: every key optional, unknown keys refused.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawAnalyzer {
    /// Length of an epoch. Default `1h`.
    pub epoch: Option<HumanDuration>,
    /// How late an event may be before it counts as late. Default `30s`.
    pub lateness: Option<HumanDuration>,
    /// Silence that ends a session which nobody registered. Default `30m`.
    pub session_idle: Option<HumanDuration>,
    /// Engine shards. Default 1. The incidents do not depend on it.
    pub shards: Option<usize>,
    /// Policy: domains that executors may contact. Empty or absent: any.
    pub allow: Option<Vec<SmolStr>>,
    /// Policy: private ranges that executors may contact although they are private.
    pub allow_private: Option<Vec<IpNet>>,
}

/// The `[analyzer]` section, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct AnalyzerConfig {
    /// Length of an epoch.
    pub epoch: Duration,
    /// How late an event may be.
    pub lateness: Duration,
    /// Silence that ends a session which nobody registered.
    pub session_idle: Duration,
    /// Engine shards, at least 1.
    pub shards: usize,
    /// Domains that executors may contact. Empty: any.
    pub allow: Vec<SmolStr>,
    /// Private ranges that executors may contact.
    pub allow_private: Vec<IpNet>,
}
