//! An alert as an RFC 5424 message.

use std::fmt::{Display, Write};
use std::net::IpAddr;
use std::time::Duration;

use egret_analyzer::{AlertId, Incident, IncidentChange, Severity};

use crate::route::word;
use crate::text::{bounded, visible};

/// Longest value of a structured-data parameter, in bytes after escaping. Six values come from
/// outside; with them all this long, header and structured data still fit a 2048-byte datagram
/// and leave room for the sentence.
const MAX_VALUE_BYTES: usize = 192;

/// Says that UTF-8 follows (RFC 5424, section 6.4).
const BOM: char = '\u{feff}';

/// What all messages of a target begin with.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub(super) facility: u8,
    pub(super) hostname: String,
    pub(super) app_name: String,
    pub(super) enterprise_number: u32,
    pub(super) process_id: u32,
}

impl Header {
    /// The message that tells of `change`, at most `max_bytes` (2048 or more) long. Only its
    /// sentence is ever cut: header and structured data are always whole.
    pub(super) fn message(
        &self,
        alert: AlertId,
        change: &IncidentChange,
        max_bytes: usize,
    ) -> String {
        let Self { hostname, app_name, process_id, .. } = self;
        let priority = self.facility * 8 + level(change.incident.severity);
        // At most six digits of a second are allowed; three are what collectors expect.
        let at = change.at.floor(Duration::from_millis(1));
        let mut message = format!("<{priority}>1 {at} {hostname} {app_name} {process_id} ALERT ");
        self.structured_data(alert, change, &mut message);
        message.push(' ');
        message.push(BOM);
        let sentence = format!("Incident {}: {}", word(change.kind), change.incident.title);
        let room = max_bytes.saturating_sub(message.len());
        message.push_str(&bounded(&sentence, room, visible));
        message
    }

    fn structured_data(&self, alert: AlertId, change: &IncidentChange, out: &mut String) {
        let incident = &change.incident;
        let origin = &incident.origin;
        let mut element = Element::open(self.enterprise_number, out);
        element.value("id", alert);
        element.value("incident", incident.id);
        element.value("change", word(change.kind));
        if let Some(strongest) = incident.explanation.findings.first() {
            element.value("rule", format_args!("EGR-{}", strongest.detector.code()));
        }
        element.value("sev", incident.severity.word());
        element.value("score", format_args!("{:.2}", incident.score.clamp(0.0, 1.0)));
        element.text("executor", &origin.executor);
        element.text("session", &incident.session);
        element.maybe("template", origin.template.as_deref());
        element.maybe("tenant", origin.tenant.as_deref());
        if let Ok(address) = origin.executor.parse::<IpAddr>() {
            element.value("src", address);
        }
        if let Some(address) = incident.addresses.first() {
            element.value("dst", address);
        }
        if let Some(port) = incident.ports.first() {
            element.value("dpt", port);
        }
        element.text("destination", &incident.destination);
        element.maybe("host", host(incident));
        element.value("up_bytes", incident.observed.up_bytes);
        element.close();
    }
}

/// The first host name seen, or the destination where that is a name.
fn host(incident: &Incident) -> Option<&str> {
    let is_name = |name: &str| name != "*" && name.parse::<IpAddr>().is_err();
    match incident.hosts.first() {
        Some(host) => Some(host.as_str()),
        None => Some(incident.destination.as_str()).filter(|name| is_name(name)),
    }
}

/// The syslog severity (RFC 5424, table 2).
const fn level(severity: Severity) -> u8 {
    match severity {
        Severity::Critical => 2,
        Severity::High => 3,
        Severity::Medium => 4,
        Severity::Low => 5,
    }
}

/// One structured-data element, as it is written.
struct Element<'a>(&'a mut String);

impl<'a> Element<'a> {
    fn open(enterprise_number: u32, out: &'a mut String) -> Self {
        _ = write!(out, "[egret@{enterprise_number}");
        Self(out)
    }

    /// A value of our own making, which needs no escapes.
    fn value(&mut self, name: &str, value: impl Display) {
        _ = write!(self.0, " {name}=\"{value}\"");
    }

    /// A value from outside.
    fn text(&mut self, name: &str, text: &str) {
        self.value(name, bounded(text, MAX_VALUE_BYTES, escape));
    }

    fn maybe(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    fn close(self) {
        self.0.push(']');
    }
}

/// What cannot be seen is spelled out first; then the three characters of RFC 5424, section
/// 6.3.3, are escaped, also those that the spelling brought in.
fn escape(character: char, out: &mut String) {
    let start = out.len();
    visible(character, out);
    for at in (start..out.len()).rev() {
        if matches!(out.as_bytes()[at], b'"' | b'\\' | b']') {
            out.insert(at, '\\');
        }
    }
}
