//! Alerts to a topic of Kafka: one message each, keyed by the incident, so that those of an incident stay in order.
//!
//! Source: the configuration reference of librdkafka. A message counts as delivered once all replicas in step have it
//! (`acks=all`), and the producer is idempotent: what it sends again by itself is there once. What Egret sends again
//! after a crash has the same header `id`.

#[cfg(feature = "kafka")]
mod producer;
#[cfg(not(feature = "kafka"))]
#[path = "absent.rs"]
mod producer;

use std::path::PathBuf;
use std::time::Duration;

use egret_event::HumanDuration;
use serde::{Deserialize, Serialize};

use crate::config::Wrong;
use crate::format::{Format, JsonFormat};
use crate::http::check_timeout;
use crate::secret::{SecretSource, Token};
use crate::syslog::host_of;
use crate::target::raw_target;
use crate::tls::Identity;

pub(crate) use producer::KafkaLink;

/// How long the brokers may take to say yes, where nothing else is configured.
const USUAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest name of a topic (Kafka's `Topic.MAX_NAME_LENGTH`).
const MAX_TOPIC_BYTES: usize = 249;

raw_target! {
    /// A `[[notify.targets]]` entry with `kind = "kafka"`.
    pub struct RawKafka {
        /// Some of the brokers, each `host:port`; the others are learned from them.
        pub brokers: Vec<String>,
        /// The topic. It must be there.
        pub topic: String,
        /// How a message tells of an alert. Default `egret`.
        pub format: Option<JsonFormat>,
        /// The version of OCSF that a message claims (format `ocsf`): `1.1.0` to `1.8.0`. Default `1.5.0`.
        pub ocsf_version: Option<String>,
        /// Whether the brokers are reached by TLS. Default `true`.
        pub tls: Option<bool>,
        /// A PEM file with the certificates to trust (TLS). Default: the system's store.
        pub ca: Option<PathBuf>,
        /// A PEM file with the certificate to show to brokers that ask for one (TLS).
        pub client_cert: Option<PathBuf>,
        /// A PEM file with the key of `client_cert` (TLS).
        pub client_key: Option<PathBuf>,
        /// Who logs in (SASL). Default: nobody does.
        pub user: Option<String>,
        /// A file that holds their password.
        pub password_file: Option<PathBuf>,
        /// The environment variable that holds it.
        pub password_env: Option<String>,
        /// How they log in. Default `scram-sha-512`.
        pub mechanism: Option<SaslMechanism>,
        /// How long the brokers may take to say yes, connecting included. Default `10s`, at most `5m`.
        pub timeout: Option<HumanDuration>,
    }
}

/// How a client of Kafka logs in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SaslMechanism {
    /// The password as it is: only inside TLS.
    Plain,
    /// RFC 5802, RFC 7677.
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    /// The same with SHA-512.
    #[default]
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
}

impl SaslMechanism {
    const fn word(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// A Kafka target, checked.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "a build without it refuses it"))]
pub(crate) struct KafkaConfig {
    brokers: String,
    topic: String,
    pub(crate) format: Format,
    timeout: Duration,
    /// What librdkafka is told of the way to the brokers, but for the password.
    way: Vec<(&'static str, String)>,
    password: Option<Token>,
}

impl KafkaConfig {
    pub(crate) fn check(raw: &RawKafka) -> Result<Self, Wrong> {
        if !cfg!(feature = "kafka") {
            let problem = "needs an egret that is built with `--features kafka`";
            return Err(Wrong::new("kind", problem.to_owned()));
        }
        if raw.brokers.is_empty() {
            return Err(Wrong::new("brokers", "names nobody: write host:port".to_owned()));
        }
        let is_wrong = |broker: &&String| host_of(broker).is_none();
        if let Some(broker) = raw.brokers.iter().find(is_wrong) {
            let problem = format!("{broker:?} is not host:port, such as kafka-1.example:9093");
            return Err(Wrong::new("brokers", problem));
        }
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let topic = raw.topic.as_str();
        if !(1..=MAX_TOPIC_BYTES).contains(&topic.len()) || !topic.bytes().all(is_part) {
            let problem = format!("{topic:?} is not 1 to 249 letters, digits, ., _ or -");
            return Err(Wrong::new("topic", problem));
        }
        let mut way = Vec::new();
        let with_tls = tls(raw, &mut way)?;
        let password = sasl(raw, with_tls, &mut way)?;
        Ok(Self {
            brokers: raw.brokers.join(","),
            topic: raw.topic.clone(),
            format: Format::check(raw.format, raw.ocsf_version.as_deref())?,
            timeout: check_timeout(raw.timeout, USUAL_TIMEOUT)?,
            way,
            password,
        })
    }
}

/// Whether the way is inside TLS; what is to be told of that.
fn tls(raw: &RawKafka, way: &mut Vec<(&'static str, String)>) -> Result<bool, Wrong> {
    let files = [
        ("ca", &raw.ca, "ssl.ca.location"),
        ("client_cert", &raw.client_cert, "ssl.certificate.location"),
        ("client_key", &raw.client_key, "ssl.key.location"),
    ];
    let with_tls = raw.tls.unwrap_or(true);
    for (key, path, property) in files {
        let Some(path) = path else { continue };
        if !with_tls {
            let problem = "has no effect without TLS: remove tls = false, or this";
            return Err(Wrong::new(key, problem.to_owned()));
        }
        std::fs::File::open(path)
            .map_err(|error| Wrong::new(key, format!("cannot read {}: {error}", path.display())))?;
        way.push((property, path.display().to_string()));
    }
    // librdkafka reads them by itself.
    Identity::of(raw.client_cert.as_deref(), raw.client_key.as_deref())?;
    Ok(with_tls)
}

/// The password of who logs in; what is to be told of them.
fn sasl(
    raw: &RawKafka,
    with_tls: bool,
    way: &mut Vec<(&'static str, String)>,
) -> Result<Option<Token>, Wrong> {
    let protocol = match (with_tls, raw.user.is_some()) {
        (false, false) => "plaintext",
        (true, false) => "ssl",
        (false, true) => "sasl_plaintext",
        (true, true) => "sasl_ssl",
    };
    way.push(("security.protocol", protocol.to_owned()));
    let source = SecretSource {
        file: ("password_file", raw.password_file.as_deref()),
        env: ("password_env", raw.password_env.as_deref()),
        what: "the password of user",
    };
    let Some(user) = &raw.user else {
        if source.is_given() || raw.mechanism.is_some() {
            let problem = "is missing: a password or mechanism is of no use without it";
            return Err(Wrong::new("user", problem.to_owned()));
        }
        return Ok(None);
    };
    let mechanism = raw.mechanism.unwrap_or_default();
    if mechanism == SaslMechanism::Plain && !with_tls {
        let problem = "\"plain\" would show the password to the network: use TLS, or SCRAM";
        return Err(Wrong::new("mechanism", problem.to_owned()));
    }
    way.push(("sasl.mechanisms", mechanism.word().to_owned()));
    way.push(("sasl.username", user.clone()));
    source.read_as(Token::parse).map(Some)
}
