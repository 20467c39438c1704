//! `truth.json`: what really happened, to measure detection against.

use egret_event::{ExecutorRegistration, Timestamp};
use serde::{Deserialize, Serialize};

use super::attack::{Attack, Manner};
use super::{Plan, Scenario};

/// What really happened in a simulated scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// What was simulated.
    pub scenario: Scenario,
    /// How the attack was gone about.
    pub manner: Manner,
    /// The attack's ATT&CK technique; empty where there is none.
    pub technique: String,
    /// What carried the stolen bytes; empty where there is no attack.
    pub channel: String,
    /// The plan's seed.
    pub seed: u64,
    /// The plan's start.
    pub start: Timestamp,
    /// Packets in the capture.
    pub packets: u64,
    /// Lines of the Squid log.
    pub squid_lines: u64,
    /// Lines of the Envoy log.
    pub envoy_lines: u64,
    /// Every session, in the order in which they began.
    pub sessions: Vec<SessionTruth>,
}

/// What really happened in one session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionTruth {
    /// Who: the executor, its address, template and tenant, and from when until when.
    #[serde(flatten)]
    pub executor: ExecutorRegistration,
    /// Its way out: `direct`, `squid`, `squid-bump` or `envoy`.
    pub route: String,
    /// What it did, apart from an attack.
    pub activities: Vec<String>,
    /// Flows in the capture.
    pub flows: u64,
    /// TCP and UDP payload bytes that the capture shows from it and to it.
    pub up_bytes: u64,
    /// Payload bytes to it.
    pub down_bytes: u64,
    /// `null`: a benign session.
    pub attack: Option<Attack>,
}

impl Truth {
    /// The truth of `plan`, with the counts still to be filled in.
    pub(crate) fn of(plan: &Plan, sessions: Vec<SessionTruth>) -> Self {
        Self {
            scenario: plan.scenario,
            manner: plan.manner,
            technique: plan.scenario.technique().to_owned(),
            channel: plan.scenario.channel().to_owned(),
            seed: plan.seed,
            start: plan.start,
            packets: 0,
            squid_lines: 0,
            envoy_lines: 0,
            sessions,
        }
    }
}
