//! Alerts, on their way from the store's durable outbox to whoever is to know: SIEMs, pagers, chat, mail.
//!
//! This room owns the `[notify]` section, the choice of who is told of what ([`route`],
//! [`targets_for`]), how an alert is written for each kind of receiver, and when a delivery is
//! tried again or given up ([`run`]). Each kind of target has a file, with its configuration and what its receiver
//! expects (`link` has them all); so has each format that several kinds share (`cef`, `leef`, `ecs`, `ocsf`). What waits, and in which order, is the store's business;
//! what an incident is, the analyzer's. Nothing here may read the engine or the wall clock.
//!
//! Delivery is **at least once**: an alert leaves the outbox only after its receiver took it, so
//! a crash in between sends it again under the same id. The one limit is syslog itself, which
//! has no acknowledgement: see [`SyslogTransport`].

mod alert;
mod alertmanager;
mod at_most;
mod cef;
mod config;
mod deliver;
mod ecs;
mod elastic;
mod email;
mod fields;
mod file;
mod format;
mod heartbeat;
mod http;
mod kafka;
mod leef;
mod link;
mod ocsf;
mod pagerduty;
mod pagerduty_webhook;
mod pairs;
mod quiet;
mod route;
#[cfg(test)]
#[path = "../tests/receivers/sample.rs"]
mod sample;
mod schedule;
mod secret;
mod sentinel;
mod slack;
mod splunk;
mod standing;
mod syslog;
mod target;
mod text;
mod tls;
mod transcript;
mod try_out;
mod webhook;

pub use alertmanager::RawAlertmanager;
pub use config::{
    Facility, RawMaintenance, RawNotify, RawSyslog, RawTarget, SyslogFormat, SyslogTransport,
    Target,
};
pub use deliver::{Deliveries, run};
pub use elastic::RawElastic;
pub use email::{EmailTls, RawEmail};
pub use file::RawFile;
pub use format::JsonFormat;
pub use heartbeat::Wellness;
pub use kafka::{RawKafka, SaslMechanism};
pub use pagerduty::RawPagerDuty;
pub use pagerduty_webhook::hear;
pub use route::{about_target, route, targets_for};
pub use sentinel::RawSentinel;
pub use slack::RawSlack;
pub use splunk::RawSplunk;
pub use standing::{Standing, Standings};
pub use target::RawAtMost;
pub use try_out::{Tried, try_out};
pub use webhook::RawWebhook;

/// What can go wrong here. A receiver that does not take an alert is not an error of this crate:
/// it is recorded in the outbox.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The `[notify]` section cannot be used as written.
    #[error("{key}: {problem}")]
    Config {
        /// The key, such as `notify.targets[1].url`.
        key: String,
        /// What is wrong with it, and the cure.
        problem: String,
    },
    /// The task of a target ended before it was told to, which is a defect of Egret.
    #[error("the delivery to a target broke off: {0}")]
    BrokeOff(#[from] tokio::task::JoinError),
}
