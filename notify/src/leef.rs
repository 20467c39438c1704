//! An alert in the Log Event Extended Format, version 2.0.
//!
//! Source: IBM QRadar, "LEEF event components" and "Predefined LEEF event attributes". The attributes are
//! separated by `^`, as the header says. The format has no escapes: a `^` inside a value is spelled out as
//! what cannot be seen is.

use crate::alert::{
    Alert, PRODUCT, VENDOR, VERSION, host, millis, of_ten, outcome, rule, rule_name, sentence,
    source_address,
};
use crate::fields::Named;
use crate::pairs::Pairs;
use crate::text::visible;

/// Longest sentence, in bytes.
const MAX_SENTENCE_BYTES: usize = 1023;

const SEPARATOR: char = '^';

/// The alert in one line of at most `room` bytes, of which there are a thousand or more.
pub(crate) fn leef(alert: &Alert, room: usize) -> String {
    let change = &alert.change;
    let incident = &change.incident;
    let (origin, observed) = (&incident.origin, &incident.observed);
    let rule = rule(incident);
    let mut out = format!("LEEF:2.0|{VENDOR}|{PRODUCT}|{VERSION}|{rule}|{SEPARATOR}|");
    let mut attributes = attributes(&mut out, room, &alert.fields);
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
    attributes.value("alert", alert.alert);
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
    if let Some(roll_up) = &alert.roll_up {
        attributes.value("rollUp", roll_up.id);
        attributes.value("rollUpIncidents", roll_up.incidents);
        attributes.value("repeats", roll_up.repeats);
    }
    attributes.end("msg", &sentence(alert), MAX_SENTENCE_BYTES);
    out
}

/// What comes behind the header, in a line of at most `room` bytes.
pub(crate) fn attributes<'a>(out: &'a mut String, room: usize, fields: &'a Named) -> Pairs<'a> {
    Pairs::behind(out, (SEPARATOR, escape), room, fields)
}

fn escape(character: char, out: &mut String) {
    match character {
        SEPARATOR => out.extend(character.escape_unicode()),
        other => visible(other, out),
    }
}
