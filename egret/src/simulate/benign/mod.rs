//! What executors do all day: what real programs were recorded to do ([`recorded`]), and where none
//! could be had, profiles of our own making, one per file, numbers as constants with their reasons.
//!
//! Downloads are made smaller by the factor that each profile states, so that a capture of fifty
//! sessions stays small; uploads and pacing, which detectors look at, are not scaled.

mod ci_tests;
mod model_download;
mod notebook;
mod own_service;
pub(crate) mod recorded;
mod retries;
mod scraping;
mod telemetry;
mod web_browsing;

use super::dice::Dice;
use super::session::Session;

/// Something that an executor does.
#[derive(Debug)]
pub(crate) struct Activity {
    /// The word used in the truth.
    pub(crate) name: &'static str,
    /// Does it.
    pub(crate) run: fn(&mut Session),
}

/// A kind of executor and what it does, each as likely as its weight.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) name: &'static str,
    repertoire: &'static [(u32, Activity)],
}

/// Activities per session: a task installs something, works, and hands in.
const ACTIVITIES: std::ops::Range<usize> = 2..5;

/// The kinds of executor.
pub(crate) static TEMPLATES: [Template; 3] = [
    Template {
        name: "python-sandbox",
        repertoire: &[
            (16, recorded::PIP_INSTALL),
            (16, recorded::LLM_LOOP),
            (8, recorded::GIT_CLONE),
            (4, model_download::ACTIVITY),
            (4, recorded::APT_UPDATE),
            (8, notebook::ACTIVITY),
            (4, recorded::API_CALLS),
            (4, recorded::CURL_CALLS),
            (4, scraping::ACTIVITY),
            (4, retries::ACTIVITY),
            (8, telemetry::ACTIVITY),
            (1, own_service::ACTIVITY),
        ],
    },
    Template {
        name: "node-ci",
        repertoire: &[
            (16, recorded::NPM_INSTALL),
            (16, ci_tests::ACTIVITY),
            (8, recorded::GIT_CLONE),
            (8, recorded::GIT_PUSH),
            (4, recorded::CARGO_BUILD),
            (4, recorded::GO_BUILD),
            (4, recorded::MAVEN_BUILD),
            (4, recorded::CURL_CALLS),
            (4, retries::ACTIVITY),
            (8, telemetry::ACTIVITY),
            (1, own_service::ACTIVITY),
        ],
    },
    Template {
        name: "browser-agent",
        repertoire: &[
            (5, web_browsing::ACTIVITY),
            (4, recorded::LLM_LOOP),
            (2, scraping::ACTIVITY),
            (1, retries::ACTIVITY),
            (2, telemetry::ACTIVITY),
        ],
    },
];

impl Template {
    /// What one session of this kind does.
    pub(crate) fn draw(&self, dice: &mut Dice) -> Vec<&'static Activity> {
        (0..dice.count(ACTIVITIES)).map(|_| self.draw_one(dice)).collect()
    }

    /// The names of all that it may do.
    #[cfg(test)]
    pub(crate) fn profiles(&self) -> impl Iterator<Item = &'static str> {
        self.repertoire.iter().map(|(_, activity)| activity.name)
    }

    /// Something that it does.
    pub(crate) fn draw_one(&self, dice: &mut Dice) -> &'static Activity {
        let weights = self.repertoire.iter().map(|(weight, _)| *weight);
        &self.repertoire[dice.weighted(weights)].1
    }
}
