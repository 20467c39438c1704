//! The names of dialects: those that have a parser of their own, and those told by mappings.

use std::fmt;

use serde::Deserialize;
use serde::de::value::StrDeserializer;

use crate::Dialect;
use crate::logs::mapping::{self, Mapping};

/// How many letters may differ in a name that is suggested.
const MAX_DISTANCE: usize = 3;

/// The dialect of this name, shipped or among `mappings`.
pub(crate) fn named(name: &str, mappings: &[&'static Mapping]) -> Option<Dialect> {
    let own = mappings.iter().copied().find(|mapping| mapping.name() == name);
    let mapped = own.or_else(|| mapping::shipped(name)).map(Dialect::Mapped);
    mapped.or_else(|| built_in(name).ok())
}

/// What is wrong with a name that is none, and what helps.
pub(crate) fn unknown(name: &str, mappings: &[&'static Mapping]) -> String {
    let built_in = built_in(name).err().map_or(&[][..], |UnknownName(names)| names);
    let shipped = mapping::all_shipped().iter().map(Mapping::name);
    let own = mappings.iter().map(|mapping| mapping.name());
    let names: Vec<&str> = own.chain(built_in.iter().copied()).chain(shipped).collect();
    let near = names.iter().map(|known| (distance(name, known), known));
    match near.min().filter(|(distance, _)| *distance <= MAX_DISTANCE) {
        Some((_, near)) => format!("{name:?} is no dialect; did you mean {near:?}?"),
        None => {
            let names = names.join(", ");
            format!(
                "{name:?} is no dialect; choose one of {names}, or describe it in [[collector.mappings]]"
            )
        }
    }
}

fn built_in(name: &str) -> Result<Dialect, UnknownName> {
    Dialect::deserialize(StrDeserializer::new(name))
}

/// The name is none of these.
#[derive(Debug)]
struct UnknownName(&'static [&'static str]);

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "none of {}", self.0.join(", "))
    }
}

impl std::error::Error for UnknownName {}

impl serde::de::Error for UnknownName {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(&[])
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self(expected)
    }
}

/// How many letters have to be put in, left out or changed (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (n, letter) in one.chars().take(64).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], n + 1);
        for (m, known) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *known);
            diagonal = row[m + 1];
            row[m + 1] = changed.min(diagonal + 1).min(row[m] + 1);
        }
    }
    row[other.len()]
}
