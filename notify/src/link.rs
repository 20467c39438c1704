//! The way to one receiver, whatever its kind.

use std::time::Duration;

use egret_event::Timestamp;

use crate::alert::Alert;
use crate::alertmanager::{self, AlertmanagerConfig, POST_AGAIN};
use crate::config::Wrong;
use crate::elastic::ElasticConfig;
use crate::email::EmailConfig;
use crate::fields::Fields;
use crate::file::FileConfig;
use crate::format::Format;
use crate::heartbeat::Beat;
use crate::kafka::{KafkaConfig, KafkaLink};
use crate::pagerduty::{self, PagerDutyConfig};
use crate::sentinel::{self, SentinelConfig, SentinelLink};
use crate::slack::{self, SlackConfig};
use crate::splunk::SplunkConfig;
use crate::syslog::{SyslogConfig, SyslogLink};
use crate::webhook::WebhookConfig;

/// How a target is reached.
#[derive(Debug, Clone)]
pub(crate) enum Channel {
    Syslog(SyslogConfig),
    Webhook(WebhookConfig),
    Splunk(SplunkConfig),
    Elastic(ElasticConfig),
    Sentinel(SentinelConfig),
    Slack(SlackConfig),
    PagerDuty(PagerDutyConfig),
    Alertmanager(AlertmanagerConfig),
    Email(EmailConfig),
    Kafka(KafkaConfig),
    File(FileConfig),
}

impl Channel {
    /// Whether all that is sent is a message to people.
    pub(crate) fn wakes_people(&self) -> bool {
        matches!(self, Self::Slack(_) | Self::PagerDuty(_) | Self::Email(_))
    }

    /// # Errors
    /// The first field of somebody's own that the receiver has no place for.
    pub(crate) fn check_fields(&self, fields: &Fields) -> Result<(), Wrong> {
        match self {
            Self::Syslog(config) => config.check_fields(fields),
            Self::Webhook(config) => config.format.check_fields(fields),
            Self::Splunk(config) => config.format.check_fields(fields),
            Self::Elastic(_) => Format::Ecs.check_fields(fields),
            Self::Sentinel(_) => sentinel::check_fields(fields),
            Self::Slack(_) => slack::check_fields(fields),
            Self::PagerDuty(_) => pagerduty::check_fields(fields),
            Self::Alertmanager(_) => alertmanager::check_fields(fields),
            // Any name can stand before a colon.
            Self::Email(_) => Ok(()),
            Self::Kafka(config) => config.format.check_fields(fields),
            Self::File(config) => config.format.check_fields(fields),
        }
    }
}

/// An open way to a target. The kinds are a closed set.
pub(crate) enum Link {
    Syslog(SyslogLink),
    Webhook(WebhookConfig),
    Splunk(SplunkConfig),
    Elastic(ElasticConfig),
    Sentinel(SentinelLink),
    Slack(SlackConfig),
    PagerDuty(PagerDutyConfig),
    Alertmanager(AlertmanagerConfig),
    Email(EmailConfig),
    Kafka(KafkaLink),
    File(FileConfig),
}

/// What came of looking after what a receiver may not have got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tended {
    /// There was nothing to look after.
    Nothing,
    /// The receiver is there, and has it or is sent it.
    Reached,
}

/// Why an alert was not taken. The texts are safe to show.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody was there, which says nothing about this alert: the whole target waits.
    Unreachable(String),
    /// The receiver had the alert and did not accept it.
    Refused {
        error: String,
        /// How long the receiver asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// The receiver had the alert and never will accept it.
    Rejected(String),
    /// The receiver wants no alerts any more.
    Gone(String),
}

impl Failure {
    /// What went wrong.
    pub(crate) fn error(&self) -> &str {
        match self {
            Self::Unreachable(error)
            | Self::Refused { error, .. }
            | Self::Rejected(error)
            | Self::Gone(error) => error,
        }
    }
}

impl Link {
    pub(crate) fn new(channel: Channel) -> Self {
        match channel {
            Channel::Syslog(config) => Self::Syslog(SyslogLink::new(config)),
            Channel::Webhook(config) => Self::Webhook(config),
            Channel::Splunk(config) => Self::Splunk(config),
            Channel::Elastic(config) => Self::Elastic(config),
            Channel::Sentinel(config) => Self::Sentinel(SentinelLink::new(config)),
            Channel::Slack(config) => Self::Slack(config),
            Channel::PagerDuty(config) => Self::PagerDuty(config),
            Channel::Alertmanager(config) => Self::Alertmanager(config),
            Channel::Email(config) => Self::Email(config),
            Channel::Kafka(config) => Self::Kafka(KafkaLink::new(config)),
            Channel::File(config) => Self::File(config),
        }
    }

    /// Makes one attempt, in bounded time. `now` is the time of the attempt.
    pub(crate) async fn send(&mut self, alert: &Alert, now: Timestamp) -> Result<(), Failure> {
        match self {
            Self::Syslog(link) => link.send(alert).await,
            Self::Webhook(config) => config.send(alert, now).await,
            Self::Splunk(config) => config.send(alert, now).await,
            Self::Elastic(config) => config.send(alert, now).await,
            Self::Sentinel(link) => link.send(alert, now).await,
            Self::Slack(config) => config.send(alert, now).await,
            Self::PagerDuty(config) => config.send(alert, now).await,
            Self::Alertmanager(config) => config.send(alert, now).await,
            Self::Email(config) => config.send(alert, now).await,
            Self::Kafka(link) => link.send(alert).await,
            Self::File(config) => config.send(alert).await,
        }
    }

    /// Says that Egret is well, in bounded time.
    pub(crate) async fn beat(&mut self, beat: &Beat) -> Result<(), Failure> {
        match self {
            Self::Syslog(link) => link.beat(beat).await,
            Self::Webhook(config) => config.beat(beat).await,
            Self::Splunk(config) => config.beat(beat).await,
            Self::Elastic(config) => config.beat(beat).await,
            Self::Sentinel(link) => link.beat(beat).await,
            Self::Alertmanager(config) => config.beat(beat).await,
            Self::Kafka(link) => link.beat(beat).await,
            Self::File(config) => config.beat(beat).await,
            // Their configuration has no heartbeat.
            Self::Slack(_) | Self::PagerDuty(_) | Self::Email(_) => Ok(()),
        }
    }

    /// How often the receiver wants to be told again of what is not closed. `None`: it remembers.
    pub(crate) fn wants_again(&self) -> Option<Duration> {
        match self {
            Self::Alertmanager(_) => Some(POST_AGAIN),
            _ => None,
        }
    }

    /// Tells it again of the last state of each incident that it was told of and that is not closed.
    pub(crate) async fn send_again(
        &self,
        standing: &[Alert],
        now: Timestamp,
    ) -> Result<(), Failure> {
        match self {
            Self::Alertmanager(config) => config.post_again(standing, now).await,
            _ => Ok(()),
        }
    }

    /// Looks after what the receiver may not have got, in bounded time.
    pub(crate) async fn tend(&mut self) -> Result<Tended, Failure> {
        match self {
            Self::Syslog(link) => link.tend().await,
            _ => Ok(Tended::Nothing),
        }
    }

    /// Says goodbye where the protocol has a word for it.
    pub(crate) async fn close(&mut self) {
        if let Self::Syslog(link) = self {
            link.close().await;
        }
    }
}
