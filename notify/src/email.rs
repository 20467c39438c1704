//! Alerts by mail, over SMTP with STARTTLS or inside TLS.
//!
//! Mails about one incident are one thread: each refers to a message id that is made of the incident's. The texts
//! are plain: what an executor did may be called anything, and no mail program is to make links or pictures of it.

use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use egret_event::{HumanDuration, Timestamp};
use lettre::message::header::{self, HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use serde::{Deserialize, Serialize};

use crate::alert::{Alert, rule, rule_name, who_and_where};
use crate::config::Wrong;
use crate::http::check_timeout;
use crate::link::Failure;
use crate::secret::{SecretSource, Token};
use crate::syslog::{host_of, own_hostname};
use crate::target::raw_target;
use crate::text::{bounded, visible};
use crate::tls;
use crate::transcript::note;

/// How long to wait for each answer of the server, where nothing else is configured.
const USUAL_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest subject and text, in bytes.
const MAX_SUBJECT_BYTES: usize = 200;
const MAX_TEXT_BYTES: usize = 4000;

raw_target! {
    /// A `[[notify.targets]]` entry with `kind = "email"`.
    pub struct RawEmail {
        /// The server, `host:port`. The registered ports are 587 (STARTTLS) and 465 (inside TLS).
        pub server: String,
        /// How the way to the server is protected. Default `starttls`.
        pub tls: Option<EmailTls>,
        /// Who sends, such as `Egret <egret@example.org>`.
        pub from: String,
        /// Who gets the mails.
        pub to: Vec<String>,
        /// The user to log in as. Default: no login.
        pub user: Option<String>,
        /// A file that holds the user's password. This or `password_env` is required with `user`.
        pub password_file: Option<PathBuf>,
        /// The environment variable that holds the password.
        pub password_env: Option<String>,
        /// How long to wait for each answer. Default `30s`, at most `5m`.
        pub timeout: Option<HumanDuration>,
        /// A PEM file with the certificates to trust. Default: the system's store.
        pub ca: Option<PathBuf>,
    }
}

/// How the way to a mail server is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EmailTls {
    /// By STARTTLS (RFC 3207), without which nothing is sent.
    #[default]
    Starttls,
    /// From the first byte on (RFC 8314).
    Tls,
    /// Not at all: for a server on this machine.
    None,
}

/// A mail target, checked.
#[derive(Debug, Clone)]
pub(crate) struct EmailConfig {
    from: Mailbox,
    to: Vec<Mailbox>,
    /// What message ids end in.
    domain: String,
    server: String,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl EmailConfig {
    pub(crate) fn check(raw: &RawEmail) -> Result<Self, Wrong> {
        let host = host_of(&raw.server).ok_or_else(|| {
            let problem = format!("{:?} is not host:port, such as mail.example:587", raw.server);
            Wrong::new("server", problem)
        })?;
        let port = raw.server.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let timeout = check_timeout(raw.timeout, USUAL_TIMEOUT)?;
        let from = mailbox("from", &raw.from)?;
        let to = raw.to.iter().map(|to| mailbox("to", to)).collect::<Result<Vec<_>, _>>()?;
        if to.is_empty() {
            return Err(Wrong::new("to", "names nobody".to_owned()));
        }
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(port.unwrap_or_default())
            .tls(protection(raw, host)?)
            .timeout(Some(timeout));
        let own = own_hostname();
        if own != "-" {
            builder = builder.hello_name(ClientId::Domain(own));
        }
        if let Some(credentials) = credentials(raw)? {
            builder = builder.credentials(credentials);
        }
        Ok(Self {
            domain: from.email.domain().to_owned(),
            from,
            to,
            server: raw.server.clone(),
            transport: builder.build(),
        })
    }

    /// Makes one attempt.
    pub(crate) async fn send(&self, alert: &Alert, now: Timestamp) -> Result<(), Failure> {
        let message = self.message(alert, now).map_err(|error| {
            Failure::Rejected(format!("no mail can be made of the alert: {error}"))
        })?;
        note(|| format!("> {} (SMTP): {}", self.server, subject(alert)));
        match self.transport.send(message).await {
            Ok(answer) => {
                let said = answer.message().collect::<Vec<_>>().join(" ");
                note(|| format!("< {} {}", answer.code(), bounded(&said, 200, visible)));
                Ok(())
            }
            Err(error) => {
                let text = bounded(&with_cause(&error), 500, visible);
                // What a server says may be put right, the login too.
                let is_answer = error.is_permanent() || error.is_transient() || error.is_timeout();
                Err(if is_answer {
                    Failure::Refused { error: text, retry_after: None }
                } else {
                    Failure::Unreachable(format!("{}: {text}", self.server))
                })
            }
        }
    }

    fn message(&self, alert: &Alert, now: Timestamp) -> Result<Message, lettre::error::Error> {
        let id = |of: String| format!("<{of}@{}>", self.domain);
        let thread = id(format!("egret-incident-{}", alert.change.incident.id));
        let since_epoch = now.since(Timestamp::default());
        let mut builder = Message::builder()
            .from(self.from.clone())
            .date(UNIX_EPOCH + since_epoch)
            .message_id(Some(id(format!("egret-alert-{}", alert.alert))))
            .in_reply_to(thread.clone())
            .references(thread)
            .subject(subject(alert))
            // RFC 3834: nobody's absence notice is wanted.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        let part = SinglePart::builder().header(header::ContentType::TEXT_PLAIN);
        builder.singlepart(part.body(text(alert)))
    }
}

fn mailbox(key: &'static str, text: &str) -> Result<Mailbox, Wrong> {
    text.parse().map_err(|error| Wrong::new(key, format!("{text:?} is no mail address: {error}")))
}

fn protection(raw: &RawEmail, host: &str) -> Result<Tls, Wrong> {
    let wanted = raw.tls.unwrap_or_default();
    if wanted == EmailTls::None {
        if raw.ca.is_some() {
            let problem = "has no effect without TLS: set tls, or remove it";
            return Err(Wrong::new("ca", problem.to_owned()));
        }
        return Ok(Tls::None);
    }
    let mut builder =
        TlsParameters::builder(host.to_owned()).certificate_store(CertificateStore::None);
    for certificate in tls::trusted(raw.ca.as_deref())? {
        // One that cannot be read vouches for nobody.
        if let Ok(certificate) = Certificate::from_der(certificate.to_vec()) {
            builder = builder.add_root_certificate(certificate);
        }
    }
    let parameters = builder.build_rustls();
    let parameters = parameters.map_err(|error| Wrong::new("ca", error.to_string()))?;
    Ok(match wanted {
        EmailTls::Tls => Tls::Wrapper(parameters),
        EmailTls::Starttls | EmailTls::None => Tls::Required(parameters),
    })
}

fn credentials(raw: &RawEmail) -> Result<Option<Credentials>, Wrong> {
    let source = SecretSource {
        file: ("password_file", raw.password_file.as_deref()),
        env: ("password_env", raw.password_env.as_deref()),
        what: "the password of `user`",
    };
    let Some(user) = &raw.user else {
        let problem =
            || Wrong::new("user", "is missing: a password is of no use without it".to_owned());
        return if source.is_given() { Err(problem()) } else { Ok(None) };
    };
    let password = source.read_as(Token::parse)?;
    Ok(Some(Credentials::new(user.clone(), password.reveal().to_owned())))
}

fn subject(alert: &Alert) -> String {
    let change = &alert.change;
    let severity = change.incident.severity.word();
    let others = match alert.others() {
        0 => String::new(),
        others => format!(" (and {others} more)"),
    };
    let (kind, title) = (change.kind.word(), &change.incident.title);
    let subject = format!("[egret] {severity} {kind}{others}: {title}");
    bounded(&subject, MAX_SUBJECT_BYTES, visible)
}

/// What the mail says.
fn text(alert: &Alert) -> String {
    let change = &alert.change;
    let incident = &change.incident;
    let line = |text: &str| bounded(text, MAX_TEXT_BYTES, visible);
    let explanation = &incident.explanation;
    let mut text = format!("{}\n\n{}\n", line(&incident.title), line(&explanation.summary));
    if !explanation.next_steps.is_empty() {
        text.push_str("\nWhat to do next:\n");
        for step in &explanation.next_steps {
            text.push_str(&format!("- {}\n", line(step)));
        }
    }
    text.push_str(&format!(
        "\nWhat happened: {}\nSeverity: {}\nRule: {} ({})\n",
        change.kind.word(),
        incident.severity.word(),
        rule(incident),
        rule_name(incident),
    ));
    for (name, value) in who_and_where(incident) {
        text.push_str(&format!("{name}: {}\n", line(value)));
    }
    if let Some(roll_up) = alert.roll_up.as_ref().filter(|roll_up| roll_up.incidents > 1) {
        text.push_str(&format!(
            "Of one story: {} incidents in {} sessions since {}\n",
            roll_up.incidents, roll_up.sessions, roll_up.first_opened_at
        ));
    }
    for (name, value) in alert.fields.words() {
        text.push_str(&format!("{}: {}\n", line(name), line(&value)));
    }
    if let Some(words) = alert.gathered_words() {
        text.push_str(&format!("Told with it: {}\n", line(&words)));
    }
    if let Some(page) = &alert.page {
        text.push_str(&format!("Page: {page}\n"));
    }
    text.push_str(&format!("Incident: {}\nAlert: {}\n", incident.id, alert.alert));
    text
}

fn with_cause(error: &lettre::transport::smtp::Error) -> String {
    let cause = std::error::Error::source(error);
    cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
