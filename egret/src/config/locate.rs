//! Which line of the configuration file sets which key.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Lines by key: `api.listen`, `collector.sources[2]`, `collector.sources[2].path`.
#[derive(Debug, Default)]
pub(super) struct Places {
    lines: BTreeMap<String, usize>,
}

impl Places {
    /// The places of all keys in `text`; none if it is not TOML.
    pub(super) fn of(text: &str) -> Self {
        let mut places = Self::default();
        if let Ok(table) = DeTable::parse(text) {
            places.add_table(text, "", table.get_ref());
        }
        places
    }

    /// The line that sets `key`, from 1.
    pub(super) fn line(&self, key: &str) -> Option<usize> {
        self.lines.get(key).copied()
    }

    fn add_table(&mut self, text: &str, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key = match prefix {
                "" => name.get_ref().to_string(),
                _ => format!("{prefix}.{}", name.get_ref()),
            };
            self.lines.insert(key.clone(), line_of(text, name.span().start));
            self.add_value(text, &key, value);
        }
    }

    fn add_value(&mut self, text: &str, key: &str, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Table(table) => self.add_table(text, key, table),
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let key = format!("{key}[{index}]");
                    self.lines.insert(key.clone(), line_of(text, item.span().start));
                    self.add_value(text, &key, item);
                }
            }
            _ => {}
        }
    }
}

/// The line, from 1, of the byte at `offset`.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_sections_and_of_lists_are_found() {
        let text = "[api]\nlisten = \"x\"\n\n[[notify.targets]]\nname = \"a\"\n[[notify.targets]]\nname = \"b\"\n";
        let places = Places::of(text);
        assert_eq!(places.line("api.listen"), Some(2));
        assert_eq!(places.line("notify.targets[1].name"), Some(7));
        assert_eq!(places.line("notify.targets[1]"), Some(6));
        assert_eq!(places.line("store.path"), None);
    }
}
