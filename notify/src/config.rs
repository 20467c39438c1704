//! The `[notify]` section: as written, and as checked.

use std::path::PathBuf;
use std::time::Duration;

use egret_analyzer::Severity;
use egret_event::{SmolStr, Timestamp};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::NotifyError;
use crate::alert::Telling;
use crate::alertmanager::{AlertmanagerConfig, RawAlertmanager};
use crate::elastic::{ElasticConfig, RawElastic};
use crate::email::{EmailConfig, RawEmail};
use crate::file::{FileConfig, RawFile};
use crate::kafka::{KafkaConfig, RawKafka};
use crate::link::Channel;
use crate::pagerduty::{PagerDutyConfig, RawPagerDuty};
use crate::quiet::{self, Maintenance};
use crate::sentinel::{RawSentinel, SentinelConfig};
use crate::slack::{RawSlack, SlackConfig};
use crate::splunk::{RawSplunk, SplunkConfig};
use crate::syslog::SyslogConfig;
use crate::target::{Calls, Only, Wants, raw_target};
use crate::webhook::{RawWebhook, WebhookConfig};

/// The `[notify]` section as written: every key optional, unknown keys refused.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawNotify {
    /// Who is told.
    pub targets: Vec<RawTarget>,
    /// Times in which somebody works on executors, and their incidents call nobody.
    pub maintenance: Vec<RawMaintenance>,
    /// The time zone of `quiet` hours, such as `Europe/Berlin`. Default `UTC`.
    pub time_zone: Option<String>,
}

/// A `[[notify.maintenance]]` entry. What opened in that time, and is still open, is told when it is over.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RawMaintenance {
    /// When it begins, such as `2026-12-01T20:00:00Z`.
    pub from: Timestamp,
    /// When it is over.
    pub until: Timestamp,
    /// The targets that are left alone. Default: those that are messages to people (Slack, PagerDuty, mail).
    pub targets: Option<Vec<String>>,
    /// Only about incidents of these network segments. Default: of any.
    pub segments: Option<Vec<SmolStr>>,
    /// Only about incidents of these kinds of executors. Default: of any.
    pub templates: Option<Vec<SmolStr>>,
    /// Only about incidents of executors that work for these. Default: for any.
    pub tenants: Option<Vec<SmolStr>>,
}

/// A `[[notify.targets]]` entry.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum RawTarget {
    /// A syslog receiver (RFC 5424).
    Syslog(RawSyslog),
    /// A web address (Standard Webhooks 1.0.0).
    Webhook(RawWebhook),
    /// Splunk's HTTP Event Collector.
    Splunk(RawSplunk),
    /// Elasticsearch, by its bulk API.
    Elastic(RawElastic),
    /// Microsoft Sentinel, by the Logs Ingestion API.
    Sentinel(RawSentinel),
    /// A Slack channel, by an incoming webhook.
    Slack(RawSlack),
    /// PagerDuty, by its Events API v2.
    Pagerduty(RawPagerDuty),
    /// Prometheus Alertmanager, by its API v2.
    Alertmanager(RawAlertmanager),
    /// Mail, by SMTP.
    Email(RawEmail),
    /// A topic of Kafka.
    Kafka(RawKafka),
    /// A file of JSON lines.
    File(RawFile),
}

raw_target! {
    /// A `[[notify.targets]]` entry with `kind = "syslog"`.
    pub struct RawSyslog {
        /// What the messages say, and how. Default `rfc5424`.
        pub format: Option<SyslogFormat>,
        /// How messages travel. Default `tcp`.
        pub transport: Option<SyslogTransport>,
        /// `host:port`. The registered ports are 514 (UDP) and 6514 (TLS).
        pub address: String,
        /// A PEM file with the certificates to trust (TLS). Default: the system's store.
        pub ca: Option<PathBuf>,
        /// The name that the receiver's certificate must carry (TLS). Default: the host of `address`.
        pub server_name: Option<String>,
        /// A PEM file with the certificate to show to a receiver that asks for one (TLS).
        pub client_cert: Option<PathBuf>,
        /// A PEM file with the key of `client_cert` (TLS).
        pub client_key: Option<PathBuf>,
        /// HOSTNAME in the messages. Default: this machine's name.
        pub hostname: Option<String>,
        /// APP-NAME in the messages. Default `egret`.
        pub app_name: Option<String>,
        /// The facility. Default `local0`.
        pub facility: Option<Facility>,
        /// The enterprise number in the structured data's id. Default 32473, the one for examples
        /// (RFC 5612), which parsers may be told to expect.
        pub enterprise_number: Option<u32>,
    }
}

/// How syslog messages travel, least safe first.
///
/// Syslog has no acknowledgement. Over UDP a lost datagram is not noticed. Over TCP and TLS an
/// alert counts as delivered once it was handed to a connection that the receiver had not closed
/// before nor right after, and is written again to the next one where the receiver's kernel did not
/// get it. What that kernel had and the receiver had not read when it died is lost. Where that
/// matters, add a webhook, whose receiver confirms each alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyslogTransport {
    /// One datagram per message (RFC 5426), at most 2048 bytes.
    Udp,
    /// Octet counting on a TCP stream (RFC 6587, section 3.4.1).
    Tcp,
    /// The same inside TLS (RFC 5425).
    Tls,
}

/// How a syslog message tells of an alert; its header is RFC 5424's in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyslogFormat {
    /// Structured data, and a sentence (RFC 5424, section 6).
    #[default]
    Rfc5424,
    /// The Common Event Format: ArcSight, Sentinel and most SIEMs.
    Cef,
    /// The Log Event Extended Format 2.0: QRadar.
    Leef,
}

/// A syslog facility (RFC 5424, table 1), by the name that syslog.conf(5) gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum Facility {
    User = 1,
    Daemon = 3,
    Auth = 4,
    Authpriv = 10,
    Local0 = 16,
    Local1,
    Local2,
    Local3,
    Local4,
    Local5,
    Local6,
    Local7,
}

/// A target, checked. It holds everything needed to reach it; secrets do not show in `Debug`.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name in the outbox and in metrics.
    pub name: String,
    /// Incidents below this severity are not sent.
    pub min_severity: Severity,
    /// Whether it is also told of what repeats another incident of the same roll-up.
    pub repeats: bool,
    pub(crate) only: Only,
    pub(crate) calls: Calls,
    pub(crate) heartbeat: Option<Duration>,
    pub(crate) telling: Telling,
    pub(crate) channel: Channel,
}

impl Target {
    /// With links to the dashboard at `origin`, such as `https://egret.example.org`.
    #[must_use]
    pub fn linking_to(mut self, origin: Option<&str>) -> Self {
        self.telling.dashboard = origin.map(str::to_owned);
        self
    }
}

impl RawNotify {
    /// The checked section. Secrets and certificates are read here, so a change of theirs needs a
    /// restart.
    ///
    /// # Errors
    /// The first key that cannot be used, with the cure.
    pub fn check(&self) -> Result<Vec<Target>, NotifyError> {
        let zone = quiet::zone_named(self.time_zone.as_deref().unwrap_or("UTC"));
        let zone = zone.map_err(|problem| NotifyError::Config {
            key: "notify.time_zone".to_owned(),
            problem,
        })?;
        let mut checked: Vec<Target> = Vec::with_capacity(self.targets.len());
        for (index, raw) in self.targets.iter().enumerate() {
            let target = raw.check(&zone).map_err(|wrong| wrong.at("targets", index))?;
            if let Some(first) = checked.iter().position(|other| other.name == target.name) {
                let problem = format!(
                    "{:?} is the name of targets[{first}] already: rename one",
                    target.name
                );
                return Err(Wrong::new("name", problem).at("targets", index));
            }
            checked.push(target);
        }
        for (index, raw) in self.maintenance.iter().enumerate() {
            raw.apply(&mut checked).map_err(|wrong| wrong.at("maintenance", index))?;
        }
        Ok(checked)
    }
}

impl RawMaintenance {
    /// Lets the targets that it is for be left alone.
    fn apply(&self, targets: &mut [Target]) -> Result<(), Wrong> {
        if self.until <= self.from {
            return Err(Wrong::new("until", "is not after from".to_owned()));
        }
        let is_unknown = |name: &&String| targets.iter().all(|target| target.name != **name);
        if let Some(name) = self.targets.iter().flatten().find(is_unknown) {
            let problem = format!("{name:?} is the name of no target");
            return Err(Wrong::new("targets", problem));
        }
        let only = Only {
            segments: self.segments.clone(),
            templates: self.templates.clone(),
            tenants: self.tenants.clone(),
            techniques: None,
        };
        let work = Maintenance { from: self.from, until: self.until, only: only.check()? };
        for target in targets {
            let is_meant = match &self.targets {
                Some(names) => names.contains(&target.name),
                None => target.channel.wakes_people(),
            };
            if is_meant {
                target.calls.quiet.maintenance.push(work.clone());
            }
        }
        Ok(())
    }
}

impl RawTarget {
    fn check(&self, zone: &TimeZone) -> Result<Target, Wrong> {
        let ((name, wants), channel) = match self {
            Self::Syslog(raw) => (raw.wants(zone)?, Channel::Syslog(SyslogConfig::check(raw)?)),
            Self::Webhook(raw) => (raw.wants(zone)?, Channel::Webhook(WebhookConfig::check(raw)?)),
            Self::Splunk(raw) => (raw.wants(zone)?, Channel::Splunk(SplunkConfig::check(raw)?)),
            Self::Elastic(raw) => (raw.wants(zone)?, Channel::Elastic(ElasticConfig::check(raw)?)),
            Self::Sentinel(raw) => {
                (raw.wants(zone)?, Channel::Sentinel(SentinelConfig::check(raw)?))
            }
            Self::Slack(raw) => (raw.wants(zone)?, Channel::Slack(SlackConfig::check(raw)?)),
            Self::Pagerduty(raw) => {
                (raw.wants(zone)?, Channel::PagerDuty(PagerDutyConfig::check(raw)?))
            }
            Self::Alertmanager(raw) => {
                (raw.wants(zone)?, Channel::Alertmanager(AlertmanagerConfig::check(raw)?))
            }
            Self::Email(raw) => (raw.wants(zone)?, Channel::Email(EmailConfig::check(raw)?)),
            Self::Kafka(raw) => (raw.wants(zone)?, Channel::Kafka(KafkaConfig::check(raw)?)),
            Self::File(raw) => (raw.wants(zone)?, Channel::File(FileConfig::check(raw)?)),
        };
        let fits = (1..=64).contains(&name.len());
        if !fits || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
            let problem = format!("{name:?} is not 1 to 64 letters, digits, -, _ or .");
            return Err(Wrong::new("name", problem));
        }
        let Wants { min_severity, repeats, only, calls, telling, heartbeat } = wants;
        if heartbeat.is_some() && channel.wakes_people() {
            let problem =
                "would be a message to people each time: give it to another kind of target";
            return Err(Wrong::new("heartbeat", problem.to_owned()));
        }
        if calls.at_most.is_some() && matches!(channel, Channel::Alertmanager(_)) {
            let problem = "is not for Alertmanager, which groups alerts by itself (group_by)";
            return Err(Wrong::new("at_most", problem.to_owned()));
        }
        channel.check_fields(&telling.fields)?;
        let name = name.to_owned();
        Ok(Target { name, min_severity, repeats, only, calls, heartbeat, telling, channel })
    }
}

/// A key of an entry of a list, and what is wrong with it.
#[derive(Debug)]
pub(crate) struct Wrong {
    key: &'static str,
    problem: String,
}

impl Wrong {
    pub(crate) fn new(key: &'static str, problem: String) -> Self {
        Self { key, problem }
    }

    fn at(self, list: &str, index: usize) -> NotifyError {
        let Self { key, problem } = self;
        NotifyError::Config { key: format!("notify.{list}[{index}].{key}"), problem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(toml: &str) -> Result<Vec<Target>, String> {
        let raw: RawNotify = toml::from_str(toml).map_err(|error| error.to_string())?;
        raw.check().map_err(|error| error.to_string())
    }

    /// A directory with a secret file, and a webhook's lines that use it.
    fn webhook(extra: &str) -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("secret");
        std::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let lines = format!(
            "[[targets]]\nkind = 'webhook'\nname = 'hook'\nurl = 'https://h.example/hunter2'\n\
             secret_file = '{}'\n{extra}\n",
            secret.display()
        );
        (dir, lines)
    }

    const SYSLOG: &str =
        "[[targets]]\nkind = 'syslog'\nname = 'siem'\naddress = 'l.example:6514'\n";

    #[test]
    fn nothing_is_required_and_each_kind_needs_little() {
        assert!(check("").unwrap().is_empty());
        let (_dir, lines) = webhook("min_severity = 'high'\nrepeats = false");
        let targets = check(&(lines + SYSLOG)).unwrap();
        assert_eq!(targets[0].name, "hook");
        assert_eq!(targets[0].min_severity, Severity::High);
        assert_eq!(targets[1].min_severity, Severity::Low);
        assert_eq!([&targets[0], &targets[1]].map(|target| target.repeats), [false, true]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_key() {
        let (_dir, hook) = webhook("");
        for (lines, says) in [
            ("transport = 'tcp'\nca = 'x.pem'", "targets[1].ca: has no effect without TLS"),
            ("server_name = 'x'", "targets[1].server_name: has no effect without TLS"),
            ("client_cert = 'x'", "targets[1].client_cert: has no effect without TLS"),
            ("transport = 'tls'\nclient_key = 'x'", "targets[1].client_cert: is missing"),
            ("transport = 'tls'\nclient_cert = 'x'", "targets[1].client_key: is missing"),
            (
                "transport = 'tls'\nclient_cert = '/nonexistent'\nclient_key = 'x'",
                "targets[1].client_cert: cannot use /nonexistent as a PEM file of certificates",
            ),
            ("transport = 'tls'\nca = '/nonexistent.pem'", "targets[1].ca: cannot use"),
            ("transport = 'tls'\nserver_name = 'a b'", "targets[1].server_name: \"a b\""),
            ("hostname = 'a b'", "targets[1].hostname: \"a b\""),
            ("app_name = ''", "targets[1].app_name: \"\""),
            ("heartbeat = '1s'", "targets[1].heartbeat: is not between 10s and 1h"),
            ("tenants = []", "targets[1].tenants: names nothing"),
            ("quiet = ['22-7']", "targets[1].quiet: \"22-7\" is not hours such as"),
            (
                "unacknowledged_for = '1s'",
                "targets[1].unacknowledged_for: is not between 10s and 7d",
            ),
            (
                "at_most = { alerts = 0, per = '10m' }",
                "targets[1].at_most: its alerts are not 1 to 1000",
            ),
            ("at_most = { alerts = 1, per = '1s' }", "targets[1].at_most: its per is not between"),
            (
                "techniques = ['exfiltration']",
                "targets[1].techniques: \"exfiltration\" is no technique",
            ),
            ("colour = 'red'", "unknown field `colour`"),
            ("facility = 'local9'", "unknown variant `local9`"),
        ] {
            let error = check(&format!("{hook}{SYSLOG}{lines}")).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn maintenance_is_for_targets_that_there_are_and_ends_after_it_begins() {
        let times = "from = '2026-12-01T20:00:00Z'\nuntil = '2026-12-01T22:00:00Z'\n";
        let (_dir, hook) = webhook("");
        for (lines, says) in [
            (times.replace("22:00", "20:00"), "maintenance[0].until: is not after from"),
            (
                format!("{times}targets = ['who']"),
                "maintenance[0].targets: \"who\" is the name of no",
            ),
            (format!("{times}segments = []"), "maintenance[0].segments: names nothing"),
        ] {
            let error = check(&format!("{hook}[[maintenance]]\n{lines}")).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        let error = check("time_zone = 'Mars/Phobos'").unwrap_err();
        assert!(error.starts_with("notify.time_zone: \"Mars/Phobos\" is no time zone"), "{error}");
        let named =
            check(&format!("{hook}{SYSLOG}[[maintenance]]\n{times}targets = ['hook']")).unwrap();
        assert_eq!([0, 1].map(|n| named[n].calls.quiet.is_any()), [true, false]);
        let error = check(
            "[[targets]]\nkind = 'alertmanager'\nname = 'a'\nurl = 'http://a.example'\n\
             at_most = { alerts = 1, per = '10m' }",
        );
        assert!(error.unwrap_err().contains("at_most: is not for Alertmanager"));
    }

    #[test]
    fn webhooks_need_a_good_url_and_one_secret() {
        for (extra, says) in [
            ("timeout = '0s'", "targets[0].timeout: is not above zero"),
            ("timeout = '1h'", "targets[0].timeout: is not above zero and at most 5m"),
            ("secret_env = 'X'", "targets[0].secret_env: stands beside secret_file"),
            ("secret = 'whsec_x'", "unknown field `secret`"),
        ] {
            let (_dir, lines) = webhook(extra);
            let error = check(&lines).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        let bare = "[[targets]]\nkind = 'webhook'\nname = 'h'\nurl = 'https://h.example/'\n";
        for (lines, says) in [
            (bare.to_owned(), "targets[0].secret_file: is missing"),
            (format!("{bare}secret_file = '/nonexistent'"), "cannot read /nonexistent"),
            (format!("{bare}secret_env = 'EGRET_NOT_SET'"), "\"EGRET_NOT_SET\" is not set"),
            (bare.replace("https", "ftp"), "targets[0].url: is not an https://"),
        ] {
            let error = check(&lines).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn names_are_plain_and_unique() {
        let error = check(&format!("{SYSLOG}{SYSLOG}")).unwrap_err();
        assert_eq!(
            error,
            "notify.targets[1].name: \"siem\" is the name of targets[0] already: rename one"
        );
        assert!(check(&SYSLOG.replace("siem", "a b")).unwrap_err().contains("targets[0].name"));
    }

    #[test]
    fn a_target_does_not_show_its_secret_nor_the_path_of_its_url() {
        let (_dir, lines) = webhook("");
        let shown = format!("{:?}", check(&lines).unwrap());
        assert!(shown.contains("https://h.example") && shown.contains("1 hidden"), "{shown}");
        assert!(!shown.contains("hunter2") && !shown.contains("MfKQ"), "{shown}");
    }
}
