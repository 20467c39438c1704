//! The way to one receiver, whatever its kind.

use std::time::Duration;

use egret_event::Timestamp;
use egret_store::Delivery;

use crate::syslog::{SyslogConfig, SyslogLink};
use crate::webhook::WebhookConfig;

/// How a target is reached.
#[derive(Debug, Clone)]
pub(crate) enum Channel {
    Syslog(SyslogConfig),
    Webhook(WebhookConfig),
}

/// An open way to a target. The kinds are a closed set.
pub(crate) enum Link {
    Syslog(SyslogLink),
    Webhook(WebhookConfig),
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
    /// The receiver wants no alerts any more.
    Gone(String),
}

impl Link {
    pub(crate) fn new(channel: Channel) -> Self {
        match channel {
            Channel::Syslog(config) => Self::Syslog(SyslogLink::new(config)),
            Channel::Webhook(config) => Self::Webhook(config),
        }
    }

    /// Makes one attempt, in bounded time. `now` is the time of the attempt.
    pub(crate) async fn send(
        &mut self,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<(), Failure> {
        match self {
            Self::Syslog(link) => link.send(delivery).await,
            Self::Webhook(config) => config.send(delivery, now).await,
        }
    }

    /// Says goodbye where the protocol has a word for it.
    pub(crate) async fn close(&mut self) {
        match self {
            Self::Syslog(link) => link.close().await,
            Self::Webhook(_) => {}
        }
    }
}
