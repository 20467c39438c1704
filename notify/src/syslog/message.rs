//! An alert as an RFC 5424 message.

use std::fmt::{Display, Write};
use std::time::Duration;

use egret_analyzer::Severity;
use egret_store::AlertRollUp;

use crate::alert::{Alert, PRODUCT, VENDOR, VERSION, host, millis, rule, sentence, source_address};
use crate::cef::{cef, extension};
use crate::config::{SyslogFormat, Wrong};
use crate::fields::{Fields, Named};
use crate::heartbeat::{Beat, RULE, WORDS};
use crate::leef::{attributes, leef};
use crate::text::{bounded, visible};

/// Longest value of a structured-data parameter, in bytes after escaping. Six values come from
/// outside; with them all this long, header and structured data still fit a 2048-byte datagram
/// and leave room for the sentence.
const MAX_VALUE_BYTES: usize = 160;

/// What fields of somebody's own leave of a message, in bytes: what stands around them, and the first words of the
/// sentence.
const BEGIN_OF_SENTENCE: usize = 110;

/// Says that UTF-8 follows (RFC 5424, section 6.4).
const BOM: char = '\u{feff}';

/// The syslog severity of what is only good to know (RFC 5424, table 2).
const INFORMATIONAL: u8 = 6;

/// In place of structured data, where CEF or LEEF has the values. No BOM follows: receivers look for the format's
/// name at the begin of the text.
const NO_DATA: &str = "- ";

/// What all messages of a target begin with.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub(super) facility: u8,
    pub(super) hostname: String,
    pub(super) app_name: String,
    pub(super) enterprise_number: u32,
    pub(super) process_id: u32,
    pub(super) format: SyslogFormat,
}

impl Header {
    /// The message that tells of a change, at most `max_bytes` (2048 or more) long. Only its
    /// sentence is ever cut: header and structured data are always whole, or all other values of CEF and LEEF.
    pub(super) fn message(&self, alert: &Alert, max_bytes: usize) -> String {
        let change = &alert.change;
        let Self { hostname, app_name, process_id, .. } = self;
        let priority = self.facility * 8 + level(change.incident.severity);
        // At most six digits of a second are allowed; three are what collectors expect.
        let at = change.at.floor(Duration::from_millis(1));
        let mut message = format!("<{priority}>1 {at} {hostname} {app_name} {process_id} ALERT ");
        let room = max_bytes.saturating_sub(message.len());
        match self.format {
            SyslogFormat::Rfc5424 => self.structured_data(alert, max_bytes, &mut message),
            SyslogFormat::Cef => return message + NO_DATA + &cef(alert, room - NO_DATA.len()),
            SyslogFormat::Leef => return message + NO_DATA + &leef(alert, room - NO_DATA.len()),
        }
        message.push(' ');
        message.push(BOM);
        let sentence = sentence(alert);
        let room = max_bytes.saturating_sub(message.len());
        message.push_str(&bounded(&sentence, room, visible));
        message
    }

    /// # Errors
    /// The first field whose name the format does not have.
    pub(super) fn check_fields(&self, fields: &Fields) -> Result<(), Wrong> {
        let is_parameter = |name: &str| {
            let is_fit = |byte: u8| byte.is_ascii_graphic() && !b"=]\"".contains(&byte);
            name.len() <= 32 && name.bytes().all(is_fit)
        };
        let is_key =
            |name: &str| name.len() <= 63 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match self.format {
            SyslogFormat::Rfc5424 => fields.check_names(
                is_parameter,
                "a parameter is 1 to 32 printable ASCII characters without =, ] and \"",
            ),
            SyslogFormat::Cef | SyslogFormat::Leef => {
                fields.check_names(is_key, "a key is 1 to 63 letters and digits")
            }
        }
    }

    /// The message that says that Egret is well.
    pub(super) fn heartbeat(&self, beat: &Beat, max_bytes: usize) -> String {
        let Self { hostname, app_name, process_id, .. } = self;
        let priority = self.facility * 8 + INFORMATIONAL;
        let at = beat.at.floor(Duration::from_millis(1));
        let mut message =
            format!("<{priority}>1 {at} {hostname} {app_name} {process_id} HEARTBEAT ");
        let (every, time) = (beat.every.as_secs(), millis(beat.at));
        let product = format!("{VENDOR}|{PRODUCT}|{VERSION}|{RULE}");
        match self.format {
            SyslogFormat::Rfc5424 => {
                let mut element =
                    Element::open(self.enterprise_number, &mut message, &beat.constants);
                element.value("rule", RULE);
                element.value("version", VERSION);
                element.value("every", every);
                element.fields(max_bytes);
                element.close();
                _ = write!(message, " {BOM}{WORDS}");
            }
            SyslogFormat::Cef => {
                _ = write!(message, "{NO_DATA}CEF:0|{product}|heartbeat|0|");
                let mut pairs = extension(&mut message, max_bytes, &beat.constants);
                pairs.value("rt", time);
                pairs.end("msg", WORDS, WORDS.len());
            }
            SyslogFormat::Leef => {
                _ = write!(message, "{NO_DATA}LEEF:2.0|{product}|^|");
                let mut pairs = attributes(&mut message, max_bytes, &beat.constants);
                pairs.value("devTime", time);
                pairs.value("cat", "heartbeat");
                pairs.value("sev", 1);
                pairs.end("msg", WORDS, WORDS.len());
            }
        }
        message
    }

    fn structured_data(&self, alert: &Alert, max_bytes: usize, out: &mut String) {
        let change = &alert.change;
        let incident = &change.incident;
        let origin = &incident.origin;
        let mut element = Element::open(self.enterprise_number, out, &alert.fields);
        element.value("id", alert.alert);
        element.value("incident", incident.id);
        element.value("change", change.kind.word());
        element.value("rule", rule(incident));
        element.value("sev", incident.severity.word());
        element.value("score", format_args!("{:.2}", incident.score.clamp(0.0, 1.0)));
        element.text("executor", &origin.executor);
        element.text("session", &incident.session);
        element.maybe("template", origin.template.as_deref());
        element.maybe("tenant", origin.tenant.as_deref());
        if let Some(address) = source_address(incident) {
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
        if let Some(roll_up) = &alert.roll_up {
            element.roll_up(roll_up);
        }
        element.fields(max_bytes);
        element.close();
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
struct Element<'a> {
    out: &'a mut String,
    fields: &'a Named,
}

impl<'a> Element<'a> {
    /// Where one of the `fields` has the name of a parameter, that is left out.
    fn open(enterprise_number: u32, out: &'a mut String, fields: &'a Named) -> Self {
        _ = write!(out, "[egret@{enterprise_number}");
        Self { out, fields }
    }

    /// A value of our own making, which needs no escapes.
    fn value(&mut self, name: &str, value: impl Display) {
        if !self.fields.has(name) {
            _ = write!(self.out, " {name}=\"{value}\"");
        }
    }

    /// The fields, those for which there is room in `max_bytes` beside the begin of the sentence.
    fn fields(&mut self, max_bytes: usize) {
        for (name, value) in self.fields.words() {
            let value = bounded(&value, MAX_VALUE_BYTES, escape);
            if self.out.len() + name.len() + value.len() + BEGIN_OF_SENTENCE <= max_bytes {
                _ = write!(self.out, " {name}=\"{value}\"");
            }
        }
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

    fn roll_up(&mut self, roll_up: &AlertRollUp) {
        self.value("roll_up", roll_up.id);
        self.value("roll_up_incidents", roll_up.incidents);
        self.value("roll_up_sessions", roll_up.sessions);
        self.value("roll_up_since", roll_up.first_opened_at.floor(Duration::from_millis(1)));
        self.value("repeats", roll_up.repeats);
    }

    fn close(self) {
        self.out.push(']');
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Telling;
    use crate::sample::{self, AT, change, hostile, incident};
    use egret_analyzer::{ChangeKind, Incident, IncidentChange};
    use egret_event::EventId;
    use egret_store::Delivery;
    use proptest::prelude::*;

    fn header() -> Header {
        Header {
            facility: 16,
            hostname: "egret-1".to_owned(),
            app_name: "egret".to_owned(),
            enterprise_number: 32473,
            process_id: 4211,
            format: SyslogFormat::Rfc5424,
        }
    }

    fn message(change: &IncidentChange, max_bytes: usize) -> String {
        header().message(&delivery(change).into(), max_bytes)
    }

    /// The second incident of a roll-up.
    fn delivery(change: &IncidentChange) -> Delivery {
        Delivery {
            roll_up: Some(AlertRollUp {
                id: EventId::from_bits(7),
                incidents: 2,
                sessions: 2,
                tenants: 1,
                first_opened_at: AT,
                repeats: true,
            }),
            ..sample::delivery(change)
        }
    }

    /// The parameters of a message, read strictly by the grammar of RFC 5424, section 6.
    fn parse(message: &str) -> (Vec<(String, String)>, String) {
        let element = message.splitn(7, ' ').nth(6).and_then(|rest| rest.strip_prefix('['));
        let (_, mut rest) = element.unwrap().split_once(' ').unwrap();
        let mut params = Vec::new();
        loop {
            let (name, after) = rest.split_once("=\"").unwrap();
            let mut value = String::new();
            let mut characters = after.char_indices();
            let end = loop {
                match characters.next().unwrap() {
                    (at, '"') => break at,
                    (_, '\\') => value.push(characters.next().unwrap().1),
                    (_, ']') => panic!("an unescaped ] in {after}"),
                    (_, other) => value.push(other),
                }
            };
            params.push((name.to_owned(), value));
            rest = &after[end + 1..];
            match rest.strip_prefix(' ') {
                Some(more) => rest = more,
                None => break,
            }
        }
        (params, rest.strip_prefix("] \u{feff}").unwrap().to_owned())
    }

    #[test]
    fn an_alert_reads_as_documented() {
        let change = change(ChangeKind::Opened, 0, incident("a"));
        let (alert, id) = (change.alert_id(), change.incident.id);
        assert_eq!(
            message(&change, 8192),
            format!(
                "<131>1 2026-10-22T00:00:00.123Z egret-1 egret 4211 ALERT [egret@32473 \
                 id=\"{alert}\" incident=\"{id}\" change=\"opened\" rule=\"EGR-D2\" sev=\"high\" \
                 score=\"0.92\" executor=\"10.20.0.17\" \
                 session=\"10.20.0.17@2026-10-21T23:58:00Z\" template=\"python-3.12\" \
                 src=\"10.20.0.17\" dst=\"203.0.113.9\" dpt=\"443\" destination=\"example.net\" \
                 host=\"paste.example.net\" up_bytes=\"50331648\" \
                 roll_up=\"00000000000000000000000000000007\" roll_up_incidents=\"2\" \
                 roll_up_sessions=\"2\" roll_up_since=\"2026-10-22T00:00:00.123Z\" repeats=\"true\"] \
                 \u{feff}Incident opened: 10.20.0.17 sent 48 MiB to paste.example.net"
            )
        );
    }

    #[test]
    fn severities_become_notice_warning_error_and_critical() {
        for (severity, priority) in [
            (Severity::Low, "<133>"),
            (Severity::Medium, "<132>"),
            (Severity::High, "<131>"),
            (Severity::Critical, "<130>"),
        ] {
            let graded = Incident { severity, ..incident("a") };
            let written = message(&change(ChangeKind::Opened, 0, graded), 8192);
            assert!(written.starts_with(priority), "{written}");
        }
    }

    #[test]
    fn a_destination_that_is_no_name_is_not_given_as_a_host() {
        for (destination, host) in [("*", None), ("2001:db8::1", None), ("a.example", Some(()))] {
            let nameless =
                Incident { hosts: Vec::new(), destination: destination.into(), ..incident("a") };
            let (params, _) = parse(&message(&change(ChangeKind::Opened, 0, nameless), 8192));
            let found = params.iter().find(|(name, _)| name == "host").map(|_| ());
            assert_eq!(found, host, "{destination}");
        }
    }

    /// An incident whose every text is `text`.
    fn made_of(text: &str) -> Incident {
        let mut made = incident("a");
        made.title = text.to_owned();
        made.origin.executor = text.into();
        made.origin.template = Some(text.into());
        made.origin.tenant = Some(text.into());
        made.session = text.into();
        made.destination = text.into();
        made.hosts = vec![text.into()];
        made.addresses = vec!["2001:db8:1111:2222:3333:4444:5555:6666".parse().unwrap()];
        made.observed.up_bytes = u64::MAX;
        made
    }

    #[test]
    fn hostile_text_stays_inside_its_value() {
        let written = message(&change(ChangeKind::Opened, 0, made_of(&hostile())), 8192);
        let (params, sentence) = parse(&written);
        let executor = &params.iter().find(|(name, _)| name == "executor").unwrap().1;
        assert!(executor.starts_with(r#"a\nb\r\n<0>1 - forged\u{0} \u{1b}[2J "quoted" \back\ ]"#));
        assert!(executor.ends_with('…'));
        assert!(sentence.contains(r"\u{202e}gpj.exe\u{2066} \u{feff}end"), "{sentence}");
        assert!(written.len() > 8180 && written.len() <= 8192);
    }

    #[test]
    fn the_longest_header_and_values_still_leave_room_for_the_sentence_in_a_datagram() {
        let longest = Header {
            hostname: "h".repeat(255),
            app_name: "a".repeat(48),
            enterprise_number: u32::MAX,
            process_id: u32::MAX,
            ..header()
        };
        let change = change(ChangeKind::Acknowledged, 0, made_of(&"]".repeat(300)));
        let most = AlertRollUp {
            id: EventId::from_bits(u128::MAX),
            incidents: u64::MAX,
            sessions: u64::MAX,
            tenants: u64::MAX,
            first_opened_at: AT,
            repeats: false,
        };
        let longest_delivery = Delivery { roll_up: Some(most), ..delivery(&change) };
        let written = longest.message(&longest_delivery.into(), 2048);
        let (params, sentence) = parse(&written);
        assert_eq!(params.len(), 20);
        assert!(sentence.len() > 100 && written.len() <= 2048, "{}", written.len());
    }

    #[test]
    fn fields_without_room_are_left_out_and_the_sentence_begins() {
        let names: Vec<_> = (0..32).map(|n| format!("field{n:02}")).collect();
        let mapped = names.iter().map(|name| (name.clone(), "incident.title".to_owned()));
        let fields = Fields::check(Some(&mapped.collect()), None);
        let telling = Telling { fields: fields.unwrap(), ..Telling::default() };
        let change = change(ChangeKind::Acknowledged, 0, made_of(&"]=^".repeat(100)));
        let alert = telling.alert(delivery(&change));
        for format in [SyslogFormat::Rfc5424, SyslogFormat::Cef, SyslogFormat::Leef] {
            for (max_bytes, fits) in [(2048, 0..=10), (8192, 16..=32)] {
                let written = Header { format, ..header() }.message(&alert, max_bytes);
                assert!(written.len() <= max_bytes, "{format:?}: {}", written.len());
                let found = names.iter().filter(|name| written.contains(&format!("{name}=")));
                assert!(fits.contains(&found.count()), "{format:?} in {max_bytes}");
                assert!(written.contains("Incident acknowledged: ]"), "{format:?}: {written}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_gives_one_line_that_parses_and_fits(text in "(?s).{0,400}") {
            let change = change(ChangeKind::Grew, 3, made_of(&text));
            for max_bytes in [2048, 8192] {
                let written = message(&change, max_bytes);
                prop_assert!(written.len() <= max_bytes);
                prop_assert!(!written.chars().any(char::is_control));
                let (params, _) = parse(&written);
                prop_assert_eq!(&params[0].1, &change.alert_id().to_string());
                prop_assert_eq!(params[2].1.as_str(), "grew");
            }
        }
    }
}
