//! The `[notify]` section: as written, and as checked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use egret_analyzer::Severity;
use egret_event::HumanDuration;
use serde::{Deserialize, Serialize};

use crate::NotifyError;
use crate::link::Channel;
use crate::secret::SigningKeys;
use crate::syslog::SyslogConfig;
use crate::webhook::{WebhookConfig, check_url};

/// Longest time to wait for a webhook, so that one which hangs still gets every alert tried.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(300);

/// The `[notify]` section as written: every key optional, unknown keys refused.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawNotify {
    /// Who is told.
    pub targets: Vec<RawTarget>,
}

/// A `[[notify.targets]]` entry.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum RawTarget {
    /// A syslog receiver (RFC 5424).
    Syslog(RawSyslog),
    /// A web address (Standard Webhooks 1.0.0).
    Webhook(RawWebhook),
}

/// A `[[notify.targets]]` entry with `kind = "syslog"`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RawSyslog {
    /// Its name in the outbox and in metrics. A renamed target is a new one.
    pub name: String,
    /// Incidents below this severity are not sent. Default `low`: all are.
    pub min_severity: Option<Severity>,
    /// Whether it is also told of incidents that repeat one of the same roll-up: the same story, not more
    /// severe, and that one is not closed. Default `true`; `false` for what wakes people.
    pub repeats: Option<bool>,
    /// How messages travel. Default `tcp`.
    pub transport: Option<SyslogTransport>,
    /// `host:port`. The registered ports are 514 (UDP) and 6514 (TLS).
    pub address: String,
    /// A PEM file with the certificates to trust (TLS). Default: the system's store.
    pub ca: Option<PathBuf>,
    /// The name that the receiver's certificate must carry (TLS). Default: the host of `address`.
    pub server_name: Option<String>,
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

/// A `[[notify.targets]]` entry with `kind = "webhook"`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RawWebhook {
    /// Its name in the outbox and in metrics. A renamed target is a new one.
    pub name: String,
    /// Incidents below this severity are not sent. Default `low`: all are.
    pub min_severity: Option<Severity>,
    /// Whether it is also told of incidents that repeat one of the same roll-up: the same story, not more
    /// severe, and that one is not closed. Default `true`; `false` for what wakes people.
    pub repeats: Option<bool>,
    /// Where to POST, `https://…`. It may be `http://…` where the way there is trusted.
    pub url: String,
    /// A file that holds the secret, `whsec_…`. Two of them, one per line, sign together while
    /// the secret is rotated. This or `secret_env` is required; the secret itself has no key, so
    /// that it is not in a file which is shown, copied and versioned.
    pub secret_file: Option<PathBuf>,
    /// The environment variable that holds the secret.
    pub secret_env: Option<String>,
    /// How long to wait for the answer, connecting included. Default `10s`, at most `5m`.
    pub timeout: Option<HumanDuration>,
    /// A PEM file with the certificates to trust. Default: the system's store.
    pub ca: Option<PathBuf>,
}

/// How syslog messages travel, least safe first.
///
/// Syslog has no acknowledgement. Over UDP a lost datagram is not noticed. Over TCP and TLS an
/// alert counts as delivered once it was handed to a connection that the receiver had not closed
/// before nor right after: what is in flight when a receiver or the network dies is lost. Where
/// that matters, add a webhook, whose receiver confirms each alert.
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
    pub(crate) channel: Channel,
}

impl RawNotify {
    /// The checked section. Secrets and certificates are read here, so a change of theirs needs a
    /// restart.
    ///
    /// # Errors
    /// The first key that cannot be used, with the cure.
    pub fn check(&self) -> Result<Vec<Target>, NotifyError> {
        let mut checked: Vec<Target> = Vec::with_capacity(self.targets.len());
        for (index, raw) in self.targets.iter().enumerate() {
            let target = raw.check().map_err(|wrong| wrong.at(index))?;
            if let Some(first) = checked.iter().position(|other| other.name == target.name) {
                let problem = format!(
                    "{:?} is the name of targets[{first}] already: rename one",
                    target.name
                );
                return Err(Wrong::new("name", problem).at(index));
            }
            checked.push(target);
        }
        Ok(checked)
    }
}

impl RawTarget {
    fn check(&self) -> Result<Target, Wrong> {
        let (name, wants, channel) = match self {
            Self::Syslog(raw) => {
                let channel = Channel::Syslog(SyslogConfig::check(raw)?);
                (&raw.name, (raw.min_severity, raw.repeats), channel)
            }
            Self::Webhook(raw) => {
                (&raw.name, (raw.min_severity, raw.repeats), Channel::Webhook(raw.check()?))
            }
        };
        let fits = (1..=64).contains(&name.len());
        if !fits || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
            let problem = format!("{name:?} is not 1 to 64 letters, digits, -, _ or .");
            return Err(Wrong::new("name", problem));
        }
        Ok(Target {
            name: name.clone(),
            min_severity: wants.0.unwrap_or(Severity::Low),
            repeats: wants.1.unwrap_or(true),
            channel,
        })
    }
}

impl RawWebhook {
    fn check(&self) -> Result<WebhookConfig, Wrong> {
        let url = check_url(&self.url).map_err(|problem| Wrong::new("url", problem))?;
        let timeout = self.timeout.map_or(Duration::from_secs(10), |timeout| timeout.0);
        if timeout.is_zero() || timeout > LONGEST_TIMEOUT {
            return Err(Wrong::new("timeout", "is not above zero and at most 5m".to_owned()));
        }
        let keys = self.keys()?;
        WebhookConfig::build(url, keys, timeout, self.ca.as_deref())
            .map_err(|problem| Wrong::new("ca", problem))
    }

    fn keys(&self) -> Result<SigningKeys, Wrong> {
        let (key, text) = match (&self.secret_file, &self.secret_env) {
            (Some(path), None) => ("secret_file", read_secret(path)),
            (None, Some(variable)) => (
                "secret_env",
                std::env::var(variable).map_err(|_| {
                    format!("the environment variable {variable:?} is not set, or is not text")
                }),
            ),
            (None, None) => (
                "secret_file",
                Err("is missing: name a file or, with secret_env, an environment variable that \
                     holds the secret (whsec_ and 24 to 64 random bytes in base64)"
                    .to_owned()),
            ),
            (Some(_), Some(_)) => {
                ("secret_env", Err("stands beside secret_file: keep one of the two".to_owned()))
            }
        };
        text.and_then(|text| SigningKeys::parse(&text)).map_err(|problem| Wrong::new(key, problem))
    }
}

fn read_secret(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// A key of a target, and what is wrong with it.
pub(crate) struct Wrong {
    key: &'static str,
    problem: String,
}

impl Wrong {
    pub(crate) fn new(key: &'static str, problem: String) -> Self {
        Self { key, problem }
    }

    fn at(self, index: usize) -> NotifyError {
        let Self { key, problem } = self;
        NotifyError::Config { key: format!("notify.targets[{index}].{key}"), problem }
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
            ("transport = 'tls'\nca = '/nonexistent.pem'", "targets[1].ca: cannot use"),
            ("transport = 'tls'\nserver_name = 'a b'", "targets[1].server_name: \"a b\""),
            ("hostname = 'a b'", "targets[1].hostname: \"a b\""),
            ("app_name = ''", "targets[1].app_name: \"\""),
            ("colour = 'red'", "unknown field `colour`"),
            ("facility = 'local9'", "unknown variant `local9`"),
        ] {
            let error = check(&format!("{hook}{SYSLOG}{lines}")).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
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
