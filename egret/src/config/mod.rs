//! The whole configuration: the sections of the rooms, composed and checked.
//!
//! A value comes from the highest of four layers: flag, environment, file, default. Each room
//! owns its section, its defaults and its checks; this module only brings them together.

mod effective;
mod layers;
mod locate;

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use egret_analyzer::{AnalyzerConfig, RawAnalyzer};
use egret_api::{ApiConfig, RawApi};
use egret_collector::{CollectorConfig, RawCollector};
use egret_notify::{RawNotify, Target};
use egret_store::{RawStore, StoreConfig};
use serde::{Deserialize, Serialize};

use crate::cli::ConfigArgs;
use layers::Layers;

pub use effective::EffectiveValue;
pub use layers::Origin;

/// The configuration as written: unknown sections and keys are refused.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawConfig {
    /// Segments, executors, sources.
    pub collector: RawCollector,
    /// Epochs, sessions, policy.
    pub analyzer: RawAnalyzer,
    /// The database and its retention.
    pub store: RawStore,
    /// Where alerts go.
    pub notify: RawNotify,
    /// The API and the dashboard.
    pub api: RawApi,
}

/// The configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Segments, executors, sources.
    pub collector: CollectorConfig,
    /// Epochs, sessions, policy.
    pub analyzer: AnalyzerConfig,
    /// The database and its retention.
    pub store: StoreConfig,
    /// Where alerts go.
    pub targets: Vec<Target>,
    /// The API and the dashboard.
    pub api: ApiConfig,
}

/// A configuration with the account of where its values came from.
#[derive(Debug)]
pub struct Loaded {
    /// As written.
    pub raw: RawConfig,
    /// As checked.
    pub config: Config,
    /// The file that was read, if one was.
    pub file: Option<PathBuf>,
    layers: Layers,
}

/// Reads and checks the configuration.
///
/// # Errors
/// Every error names the file, line and key (or the variable or flag) and what is expected.
pub fn load(args: &ConfigArgs) -> Result<Loaded> {
    let layers = Layers::read(args)?;
    let raw = merged(&layers)?;
    finish(layers, raw)
}

/// As [`load`], without the targets of alerts: for commands that send none, and whose user may
/// not read the targets' secrets.
pub fn load_without_targets(args: &ConfigArgs) -> Result<Loaded> {
    let layers = Layers::read(args)?;
    let raw = RawConfig { notify: RawNotify::default(), ..merged(&layers)? };
    finish(layers, raw)
}

/// As [`load_without_targets`], without the secrets that are looked for either: for commands that
/// look at nothing but the store.
pub fn load_without_secrets(args: &ConfigArgs) -> Result<Loaded> {
    let layers = Layers::read(args)?;
    let raw = merged(&layers)?;
    let collector = RawCollector { secrets: Vec::new(), ..raw.collector };
    finish(layers, RawConfig { notify: RawNotify::default(), collector, ..raw })
}

fn merged(layers: &Layers) -> Result<RawConfig> {
    layers.merged().try_into().map_err(|e: toml::de::Error| {
        // The file alone has been read without fault, so this lies in what was laid over it.
        anyhow!("{} (set by the environment or a flag)", e.message())
    })
}

fn finish(layers: Layers, raw: RawConfig) -> Result<Loaded> {
    let config = check(&raw).map_err(|problem| layers.locate(&problem))?;
    Ok(Loaded { raw, config, file: layers.path().cloned(), layers })
}

impl Loaded {
    /// Every key with its effective value and where that came from, in the order of the file.
    pub fn effective(&self) -> Vec<EffectiveValue> {
        effective::list(&self.config, &self.raw, &self.layers)
    }
}

/// A problem with one key, before its place in the file is known.
struct Problem {
    key: String,
    text: String,
}

fn check(raw: &RawConfig) -> Result<Config, Problem> {
    let api = raw.api.check().map_err(Problem::of)?;
    let targets = raw.notify.check().map_err(Problem::of)?;
    let page = api.public_origin.as_deref();
    Ok(Config {
        collector: raw.collector.check().map_err(Problem::of)?,
        analyzer: raw.analyzer.check().map_err(Problem::of)?,
        store: raw.store.check(),
        targets: targets.into_iter().map(|target| target.linking_to(page)).collect(),
        api,
    })
}

impl Problem {
    /// Rooms begin what they say of a problem with its key.
    fn of(problem: impl std::fmt::Display) -> Self {
        let text = problem.to_string();
        let is_of_key =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._[]".contains(c);
        let end = text.find(|c: char| !is_of_key(c)).unwrap_or(text.len());
        Self { key: text[..end].to_owned(), text }
    }
}

/// Reads `path`, naming it in the error.
fn read_file(path: &std::path::Path) -> Result<String> {
    std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the configuration {}", path.display()))
}
