//! An alert in the Log Event Extended Format, version 2.0.
//!
//! Source: IBM QRadar, "LEEF event components" and "Predefined LEEF event attributes". The attributes are
//! separated by `^`, as the header says. The format has no escapes: a `^` inside a value is spelled out as
//! what cannot be seen is.

use std::fmt::{Display, Write};
use std::mem;

use egret_store::Delivery;

use crate::alert::{
    PRODUCT, VENDOR, VERSION, host, millis, of_ten, outcome, rule, rule_name, sentence,
    source_address,
};
use crate::cef::longest_value;
use crate::text::{bounded, visible};

/// Longest sentence, in bytes.
const MAX_SENTENCE_BYTES: usize = 1023;

const SEPARATOR: char = '^';

/// The alert in one line of at most `room` bytes, of which there are a thousand or more.
pub(crate) fn leef(delivery: &Delivery, room: usize) -> String {
    let change = &delivery.change;
    let incident = &change.incident;
    let (origin, observed) = (&incident.origin, &incident.observed);
    let rule = rule(incident);
    let mut out = format!("LEEF:2.0|{VENDOR}|{PRODUCT}|{VERSION}|{rule}|{SEPARATOR}|");
    let mut attributes = Attributes { out: &mut out, is_first: true, longest: longest_value(room) };
    attributes.value("devTime", millis(change.at));
    attributes.value("cat", rule_name(incident));
    attributes.value("sev", of_ten(incident.severity));
    attributes.maybe("src", source_address(incident));
    attributes.maybe("dst", incident.addresses.first());
    attributes.maybe("dstPort", incident.ports.first());
    attributes.value("srcBytes", observed.up_bytes);
    attributes.value("dstBytes", observed.down_bytes);
    attributes.text("identHostName", &origin.executor);
    attributes.maybe_text("dstHost", host(incident));
    attributes.value("alert", delivery.alert);
    attributes.value("incident", incident.id);
    attributes.value("change", change.kind.word());
    attributes.value("outcome", outcome(incident));
    attributes.value("score", format_args!("{:.2}", incident.score.clamp(0.0, 1.0)));
    attributes.text("session", &incident.session);
    attributes.text("destination", &incident.destination);
    attributes.maybe_text("template", origin.template.as_deref());
    attributes.maybe_text("tenant", origin.tenant.as_deref());
    let techniques: Vec<&str> =
        incident.explanation.techniques.iter().map(|technique| technique.id.as_str()).collect();
    attributes.maybe("techniques", Some(techniques.join(",")).filter(|ids| !ids.is_empty()));
    if let Some(roll_up) = &delivery.roll_up {
        attributes.value("rollUp", roll_up.id);
        attributes.value("rollUpIncidents", roll_up.incidents);
        attributes.value("repeats", roll_up.repeats);
    }
    let sentence = sentence(change);
    attributes.value("msg", "");
    let left = room.saturating_sub(out.len()).min(MAX_SENTENCE_BYTES);
    out.push_str(&bounded(&sentence, left, escape));
    out
}

/// `key=value` pairs.
struct Attributes<'a> {
    out: &'a mut String,
    is_first: bool,
    longest: usize,
}

impl Attributes<'_> {
    /// A value of our own making.
    fn value(&mut self, key: &str, value: impl Display) {
        if !mem::replace(&mut self.is_first, false) {
            self.out.push(SEPARATOR);
        }
        _ = write!(self.out, "{key}={value}");
    }

    fn maybe(&mut self, key: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.value(key, value);
        }
    }

    /// A value from outside.
    fn text(&mut self, key: &str, text: &str) {
        self.value(key, bounded(text, self.longest, escape));
    }

    fn maybe_text(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }
}

fn escape(character: char, out: &mut String) {
    match character {
        SEPARATOR => out.extend(character.escape_unicode()),
        other => visible(other, out),
    }
}
