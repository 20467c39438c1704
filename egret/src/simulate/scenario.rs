//! The names of what can be simulated: an attack of the table, or none.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::PossibleValue;
use serde::{Deserialize, Serialize};

use super::attack::{FURTHER, Kind, LISTED, Manner};

/// What is simulated: one kind of attack, or ordinary traffic alone.
///
/// It is a place in the table of attacks, so that a new attack needs a line there and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub struct Scenario(u8);

/// The text is not the name of a scenario.
#[derive(Debug, thiserror::Error)]
#[error("no scenario is called {0:?}: `egret simulate --help` lists them")]
pub struct ParseScenarioError(String);

/// All scenarios: no attack, those that the evaluation is about, and the others.
const COUNT: usize = 1 + LISTED.len() + FURTHER.len();

impl Scenario {
    /// No attack at all.
    pub const BENIGN: Self = Self(0);

    /// All scenarios, in the order of the evaluation.
    pub const ALL: [Self; COUNT] = {
        let mut all = [Self::BENIGN; COUNT];
        let mut place = 0;
        while place < COUNT {
            all[place] = Self(place as u8);
            place += 1;
        }
        all
    };

    /// All attacks, in the order of the evaluation.
    pub fn attacks() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().skip(1)
    }

    /// Its name on the command line.
    pub fn word(self) -> &'static str {
        self.kind().map_or("benign", |kind| kind.name)
    }

    /// What happens in it, in a line.
    pub fn about(self) -> &'static str {
        self.kind().map_or("no attack at all", |kind| kind.about)
    }

    /// Its ATT&CK technique; empty where there is no attack.
    pub fn technique(self) -> &'static str {
        self.kind().map_or("", |kind| kind.technique)
    }

    /// What carries the stolen bytes; empty where there is no attack.
    pub fn channel(self) -> &'static str {
        self.kind().map_or("", |kind| kind.channel.word())
    }

    /// Whether it is one of the attacks that the published figures are means of.
    pub const fn is_listed(self) -> bool {
        0 < self.0 && self.0 as usize <= LISTED.len()
    }

    /// A length of time within which the scenario begins and ends. A demonstration that wants it
    /// to end about now starts it this much earlier.
    pub fn span(self, manner: Manner) -> Duration {
        self.kind().map_or(super::SHORT_SPAN, |kind| kind.span(manner))
    }

    /// Its number among all scenarios.
    pub(crate) const fn place(self) -> u16 {
        self.0 as u16
    }

    /// Its attack, if there is one.
    pub(crate) fn kind(self) -> Option<&'static Kind> {
        let place = usize::from(self.0).checked_sub(1)?;
        LISTED.get(place).or_else(|| FURTHER.get(place - LISTED.len())).copied()
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Scenario {
    type Err = ParseScenarioError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|scenario| scenario.word() == text);
        known.ok_or_else(|| ParseScenarioError(text.to_owned()))
    }
}

impl TryFrom<String> for Scenario {
    type Error = ParseScenarioError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Scenario> for &'static str {
    fn from(scenario: Scenario) -> Self {
        scenario.word()
    }
}

impl clap::ValueEnum for Scenario {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.word()).help(self.about()))
    }
}
