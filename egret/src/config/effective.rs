//! The effective values, each with its origin.

use egret_analyzer::RawAnalyzer;
use egret_api::RawApi;
use egret_event::{ByteSize, HumanDuration};
use egret_store::RawStore;
use toml::Value;

use super::layers::{Layers, Origin};
use super::{Config, RawConfig};

/// A key, its value as it would stand in the file, and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct EffectiveValue {
    /// The key, such as `api.listen` or `collector.sources[0].path`.
    pub key: String,
    /// The value, in TOML.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// Every key that has a value, defaults included. Secrets are not among them: the configuration
/// only says where they are kept.
pub(super) fn list(config: &Config, raw: &RawConfig, layers: &Layers) -> Vec<EffectiveValue> {
    let full = RawConfig {
        collector: raw.collector.clone(),
        analyzer: filled_analyzer(config),
        store: filled_store(config),
        notify: raw.notify.clone(),
        api: filled_api(config),
    };
    let mut values = Vec::new();
    match Value::try_from(full) {
        Ok(value) => flatten("", &value, layers, &mut values),
        Err(reason) => tracing::error!(%reason, "cannot print the configuration"),
    }
    values
}

fn filled_analyzer(config: &Config) -> RawAnalyzer {
    let from = &config.analyzer;
    RawAnalyzer {
        epoch: Some(HumanDuration(from.epoch)),
        lateness: Some(HumanDuration(from.lateness)),
        session_idle: Some(HumanDuration(from.session_idle)),
        shards: Some(from.shards),
        allow: Some(from.allow.clone()),
        allow_private: Some(from.allow_private.clone()),
        baseline: from.baseline.clone(),
    }
}

fn filled_store(config: &Config) -> RawStore {
    let from = &config.store;
    RawStore {
        path: Some(from.path.clone()),
        keep_events: Some(HumanDuration(from.keep_events)),
        keep_history: Some(HumanDuration(from.keep_history)),
        max_size: Some(ByteSize(from.max_size_bytes)),
    }
}

fn filled_api(config: &Config) -> RawApi {
    let from = &config.api;
    RawApi {
        listen: Some(from.listen),
        request_timeout: Some(HumanDuration(from.request_timeout)),
        public_url: from.public_origin.clone(),
    }
}

fn flatten(prefix: &str, value: &Value, layers: &Layers, out: &mut Vec<EffectiveValue>) {
    match value {
        Value::Table(table) => {
            for (name, inner) in table {
                let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                flatten(&key, inner, layers, out);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_table) => {
            for (index, inner) in items.iter().enumerate() {
                flatten(&format!("{prefix}[{index}]"), inner, layers, out);
            }
        }
        leaf => out.push(EffectiveValue {
            key: prefix.to_owned(),
            value: leaf.to_string(),
            origin: layers.origin(prefix),
        }),
    }
}
