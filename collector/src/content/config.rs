//! `[[collector.secrets]]`: values to look for, as written and as checked.

use std::fmt;
use std::path::PathBuf;

use egret_event::{SensitiveKind, SmolStr, clean_name};
use serde::{Deserialize, Serialize, Serializer};

use super::Scanner;
use super::known::{Label, Sought, WINDOW};
use crate::ConfigProblem;

/// Longest value, in bytes: a private key of 16,384 bits in PEM fits.
const MOST_VALUE_BYTES: usize = 16 << 10;

/// Fewest different bytes of a value. What has fewer would be found where it is not.
const LEAST_DISTINCT: usize = 6;

/// A `[[collector.secrets]]` entry: its name, and where its value is.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RawSecret {
    /// What it is called where it is found.
    pub name: SmolStr,
    /// A secret, or a canary: a value that was planted to be stolen. Default `secret`.
    pub kind: Option<SecretKind>,
    /// The value itself. It is never printed.
    pub value: Option<Hidden>,
    /// The environment variable that holds it.
    pub env: Option<String>,
    /// The file that holds it; line ends at its end are left out.
    pub file: Option<PathBuf>,
    /// Domains that it may be sent to, with their subdomains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub belongs: Vec<SmolStr>,
}

/// What a value of the configuration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretKind {
    /// A secret that is in use.
    Secret,
    /// A value that is of no use, and was planted to be stolen.
    Canary,
}

/// Text that nothing prints.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Hidden(String);

const HIDDEN: &str = "(hidden)";

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Serialize for Hidden {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

/// Makes the scanner that looks for these.
///
/// # Errors
/// The first entry that cannot be used, with its key.
pub(crate) fn check(secrets: &[RawSecret]) -> Result<Scanner, ConfigProblem> {
    let mut values = Vec::with_capacity(secrets.len());
    for (n, secret) in secrets.iter().enumerate() {
        let key = format!("collector.secrets[{n}]");
        values.push((secret.label(&key)?, secret.read(&key)?));
    }
    let sought = values.iter().map(|(label, value)| Sought { label: label.clone(), value });
    Ok(Scanner::of(&sought.collect::<Vec<_>>()))
}

fn wrong(key: &str, field: &str, problem: impl Into<String>) -> ConfigProblem {
    ConfigProblem { key: format!("{key}.{field}"), problem: problem.into() }
}

impl RawSecret {
    fn label(&self, key: &str) -> Result<Label, ConfigProblem> {
        for domain in &self.belongs {
            let name = domain.trim_start_matches("*.");
            if name.is_empty() || clean_name(name) != name || name.contains(['/', ':', ' ']) {
                let problem = format!(
                    "{domain:?} is not a domain: write a name such as \"example.org\" (subdomains \
                     are included), without scheme, path or port"
                );
                return Err(wrong(key, "belongs", problem));
            }
        }
        Ok(Label {
            name: self.name.clone(),
            kind: match self.kind {
                Some(SecretKind::Canary) => SensitiveKind::Canary,
                Some(SecretKind::Secret) | None => SensitiveKind::Registered,
            },
            belongs: self.belongs.iter().map(|one| one.trim_start_matches("*.").into()).collect(),
        })
    }

    /// The value, wherever it is.
    fn read(&self, key: &str) -> Result<Vec<u8>, ConfigProblem> {
        let (field, value) = match (&self.value, &self.env, &self.file) {
            (Some(Hidden(value)), None, None) => ("value", value.clone().into_bytes()),
            (None, Some(variable), None) => {
                let value = std::env::var_os(variable);
                let problem = || wrong(key, "env", format!("{variable} is not set"));
                ("env", value.ok_or_else(problem)?.into_encoded_bytes())
            }
            (None, None, Some(path)) => {
                let problem =
                    |error| wrong(key, "file", format!("cannot read {}: {error}", path.display()));
                let mut value = std::fs::read(path).map_err(problem)?;
                value.truncate(value.trim_ascii_end().len());
                ("file", value)
            }
            _ => {
                let problem = "needs the value in one place: `value`, `env` or `file`";
                return Err(wrong(key, "value", problem));
            }
        };
        self.judge(&value).map(|()| value).map_err(|problem| wrong(key, field, problem))
    }

    fn judge(&self, value: &[u8]) -> Result<(), String> {
        let mut bytes = value.to_vec();
        bytes.sort_unstable();
        bytes.dedup();
        let name = &self.name;
        match value.len() {
            length @ ..WINDOW => Err(format!(
                "{name:?} has {length} bytes: only values of {WINDOW} bytes or more can be told from \
                 what is there by chance"
            )),
            length if length > MOST_VALUE_BYTES => {
                Err(format!("{name:?} has {length} bytes: {MOST_VALUE_BYTES} are the most"))
            }
            _ if bytes.len() < LEAST_DISTINCT => Err(format!(
                "{name:?} repeats so few different bytes that it would be found where it is not"
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RawCollector, Visible};

    const CANARY: &str = "cnry-7f3a9b1c5d2e8046";

    fn read(text: &str) -> RawCollector {
        toml::from_str(&format!("[[secrets]]\nname = \"build key\"\n{text}")).unwrap()
    }

    fn problem(text: &str) -> String {
        read(text).check().unwrap_err().to_string()
    }

    #[test]
    fn a_value_may_stand_in_the_configuration_or_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, format!("{CANARY}\n")).unwrap();
        let query = format!("a={CANARY}");
        let visible = Visible { query: query.as_bytes(), ..Visible::default() };
        for text in
            [format!("value = {CANARY:?}"), format!("file = {:?}", file.display().to_string())]
        {
            let raw = read(&format!("{text}\nkind = \"canary\""));
            let found = raw.check().unwrap().scanner.request(&visible);
            assert_eq!(found[0].kind, SensitiveKind::Canary, "{text}");
            assert_eq!(found[0].name, "build key");
        }
    }

    #[test]
    fn what_cannot_be_used_is_told_with_its_key() {
        for (text, expected) in [
            ("value = \"short\"", "collector.secrets[0].value: \"build key\" has 5 bytes"),
            (
                "value = \"abababababababababab\"",
                "collector.secrets[0].value: \"build key\" repeats",
            ),
            ("", "collector.secrets[0].value: needs the value in one place"),
            ("value = \"x\"\nenv = \"X\"", "collector.secrets[0].value: needs the value in one"),
            (
                "env = \"NO_SUCH_VARIABLE_HERE\"",
                "collector.secrets[0].env: NO_SUCH_VARIABLE_HERE is",
            ),
            ("file = \"/no/such/file\"", "collector.secrets[0].file: cannot read /no/such/file"),
            ("value = \"x\"\nbelongs = [\"https://a.example\"]", "collector.secrets[0].belongs: "),
        ] {
            let said = problem(text);
            assert!(said.starts_with(expected), "{said}");
        }
    }

    #[test]
    fn a_value_is_never_printed() {
        let raw = read(&format!("value = {CANARY:?}"));
        let shown = [
            format!("{raw:?}"),
            toml::to_string(&raw).unwrap(),
            format!("{:?}", raw.check().unwrap()),
        ];
        for text in shown {
            assert!(!text.contains(&CANARY[5..]), "{text}");
        }
    }
}
