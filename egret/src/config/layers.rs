//! The four layers a value can come from, laid over each other.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use toml::{Table, Value};

use super::locate::Places;
use super::{Problem, RawConfig, read_file};
use crate::cli::ConfigArgs;

/// Prefix of environment variables that set a key: `EGRET_API__LISTEN` sets `api.listen`.
const PREFIX: &str = "EGRET_";

/// Files that are used when none is named, the first that exists.
const DEFAULT_FILES: [&str; 2] = ["egret.toml", "/etc/egret/egret.toml"];

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A line of the configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// `--set`.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::Flag => f.write_str("--set"),
        }
    }
}

/// The file, and what was laid over it.
#[derive(Debug)]
pub(super) struct Layers {
    merged: Table,
    path: Option<PathBuf>,
    places: Places,
    overlaid: BTreeMap<String, Origin>,
}

impl Layers {
    /// Reads the file, then the environment, then the flags.
    pub(super) fn read(args: &ConfigArgs) -> Result<Self> {
        let path = args.config.clone().or_else(default_file);
        let mut layers = match path {
            Some(path) => Self::from_file(&path)?,
            None => Self {
                merged: Table::new(),
                path: None,
                places: Places::default(),
                overlaid: BTreeMap::new(),
            },
        };
        let mut variables: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with(PREFIX) && name.contains("__"))
            .collect();
        variables.sort();
        for (name, value) in variables {
            let key = name[PREFIX.len()..].to_ascii_lowercase().replace("__", ".");
            layers.lay_over(&key, &value, Origin::Environment(name))?;
        }
        for setting in &args.set {
            let Some((key, value)) = setting.split_once('=') else {
                bail!("--set {setting:?}: expected KEY=VALUE, such as api.listen=127.0.0.1:9000");
            };
            layers.lay_over(key.trim(), value.trim(), Origin::Flag)?;
        }
        Ok(layers)
    }

    fn from_file(path: &Path) -> Result<Self> {
        let text = read_file(path)?;
        // Read once on its own, so that a mistake is shown with its line in the file.
        toml::from_str::<RawConfig>(&text).map_err(|e| {
            let line = e.span().map_or(1, |span| super::locate::line_of(&text, span.start));
            anyhow!("{}:{line}: {}", path.display(), e.message())
        })?;
        let merged = text.parse().map_err(|e| anyhow!("{}: {e}", path.display()))?;
        Ok(Self {
            merged,
            path: Some(path.to_owned()),
            places: Places::of(&text),
            overlaid: BTreeMap::new(),
        })
    }

    /// Sets one key. Lists of tables (sources, targets) belong in the file.
    fn lay_over(&mut self, key: &str, text: &str, origin: Origin) -> Result<()> {
        let mut steps: Vec<&str> = key.split('.').collect();
        let Some(last) = steps.pop().filter(|last| !last.is_empty()) else {
            bail!("{origin}: a key is missing");
        };
        let mut table = &mut self.merged;
        for step in steps {
            let entry = table.entry(step).or_insert_with(|| Value::Table(Table::new()));
            table = entry
                .as_table_mut()
                .ok_or_else(|| anyhow!("{origin}: {key:?} is no key: {step:?} is not a section"))?;
        }
        table.insert(last.to_owned(), parse_value(text));
        self.overlaid.insert(key.to_owned(), origin);
        Ok(())
    }

    /// The table of all layers.
    pub(super) fn merged(&self) -> Table {
        self.merged.clone()
    }

    /// The file that was read.
    pub(super) fn path(&self) -> Option<&PathBuf> {
        self.path.as_ref()
    }

    /// Where `key` was set.
    pub(super) fn origin(&self, key: &str) -> Origin {
        if let Some(origin) = self.overlaid.get(key) {
            return origin.clone();
        }
        match (&self.path, self.places.line(key)) {
            (Some(path), Some(line)) => Origin::File { path: path.clone(), line },
            _ => Origin::Default,
        }
    }

    /// The error for a problem with one key, with the place where it was set.
    pub(super) fn locate(&self, problem: &Problem) -> anyhow::Error {
        let mut key = problem.key.as_str();
        loop {
            match self.origin(key) {
                Origin::Default => {}
                origin => return anyhow!("{origin}: {}", problem.text),
            }
            // The key itself may be missing from the file: then its section is the place.
            match key.rfind(['.', '[']) {
                Some(end) => key = &key[..end],
                None => return anyhow!("{}", problem.text),
            }
        }
    }
}

fn default_file() -> Option<PathBuf> {
    DEFAULT_FILES.iter().map(PathBuf::from).find(|path| path.is_file())
}

/// A value as typed: TOML where it is TOML (`5`, `true`, `["a"]`), else the text itself.
fn parse_value(text: &str) -> Value {
    match format!("value = {text}").parse::<Table>() {
        Ok(mut table) if table.len() == 1 => {
            table.remove("value").unwrap_or_else(|| Value::String(text.to_owned()))
        }
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_value_is_toml_where_it_can_be_and_text_otherwise() {
        assert_eq!(parse_value("5"), Value::Integer(5));
        assert_eq!(parse_value("[\"a\"]"), Value::Array(vec![Value::String("a".into())]));
        assert_eq!(parse_value("127.0.0.1:9000"), Value::String("127.0.0.1:9000".into()));
        assert_eq!(parse_value("1h\nother = 2"), Value::String("1h\nother = 2".into()));
    }
}
