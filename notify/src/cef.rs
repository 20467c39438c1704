//! An alert in the Common Event Format, version 0.
//!
//! Source: "Implementing ArcSight Common Event Format (CEF)", revision 25, whose dictionary gives the keys
//! and the longest values. What that has no key for stands in the device's custom fields, each with its
//! label.

use std::fmt::Write;

use crate::alert::{
    Alert, PRODUCT, VENDOR, VERSION, category, host, millis, of_ten, outcome, rule, rule_name,
    sentence, source_address,
};
use crate::fields::Named;
use crate::pairs::{Pairs, longest_value};
use crate::text::{bounded, visible};

/// Longest sentence, in bytes.
const MAX_SENTENCE_BYTES: usize = 1023;

/// The alert in one line of at most `room` bytes, of which there are a thousand or more.
pub(crate) fn cef(alert: &Alert, room: usize) -> String {
    let change = &alert.change;
    let incident = &change.incident;
    let (origin, observed) = (&incident.origin, &incident.observed);
    let mut out = String::from("CEF:0");
    for field in [VENDOR, PRODUCT, VERSION, &rule(incident), rule_name(incident)] {
        out.push('|');
        out.push_str(&bounded(field, longest_value(room), escape_header));
    }
    _ = write!(out, "|{}|", of_ten(incident.severity));
    let mut extension = extension(&mut out, room, &alert.fields);
    extension.value("externalId", alert.alert);
    extension.value("rt", millis(change.at));
    extension.value("start", millis(incident.first_seen));
    extension.value("end", millis(incident.last_seen));
    extension.value("cat", category(incident));
    extension.value("act", outcome(incident));
    extension.value("deviceDirection", 1);
    extension.maybe("src", source_address(incident));
    extension.maybe("dst", incident.addresses.first());
    extension.maybe("dpt", incident.ports.first());
    extension.text("shost", &origin.executor);
    extension.maybe_text("dhost", host(incident));
    extension.count("out", observed.up_bytes);
    extension.count("in", observed.down_bytes);
    extension.count("cnt", observed.contacts_allowed.saturating_add(observed.contacts_blocked));
    extension.value("flexString1Label", "change");
    extension.value("flexString1", change.kind.word());
    extension.value("cfp1Label", "score");
    extension.value("cfp1", format_args!("{:.2}", incident.score.clamp(0.0, 1.0)));
    custom(&mut extension, 1, "incident", &incident.id.to_string());
    custom(&mut extension, 2, "session", &incident.session);
    custom(&mut extension, 3, "destination", &incident.destination);
    custom(&mut extension, 4, "template", origin.template.as_deref().unwrap_or_default());
    custom(&mut extension, 5, "tenant", origin.tenant.as_deref().unwrap_or_default());
    let techniques: Vec<&str> =
        incident.explanation.techniques.iter().map(|technique| technique.id.as_str()).collect();
    custom(&mut extension, 6, "techniques", &techniques.join(","));
    if let Some(roll_up) = &alert.roll_up {
        extension.value("cn1Label", "incidents of the roll-up");
        extension.value("cn1", roll_up.incidents);
        if roll_up.repeats {
            extension.value("cn2Label", "repeats");
            extension.value("cn2", 1);
        }
        extension.value("flexString2Label", "roll-up");
        extension.value("flexString2", roll_up.id);
    }
    extension.end("msg", &sentence(alert), MAX_SENTENCE_BYTES);
    out
}

/// What comes behind the header, in a line of at most `room` bytes.
pub(crate) fn extension<'a>(out: &'a mut String, room: usize, fields: &'a Named) -> Pairs<'a> {
    Pairs::behind(out, (' ', escape_value), room, fields)
}

/// One of the six custom strings, unless there is nothing to say.
fn custom(extension: &mut Pairs<'_>, number: u8, label: &str, text: &str) {
    if !text.is_empty() {
        extension.value(&format!("cs{number}Label"), label);
        extension.text(&format!("cs{number}"), text);
    }
}

/// In the header `\` and `|` are escaped.
fn escape_header(character: char, out: &mut String) {
    escape(character, out, b"\\|");
}

/// In values `\` and `=` are escaped. Line ends are spelled out as everything that cannot be seen is, so that
/// a receiver which does not undo escapes still gets one line.
fn escape_value(character: char, out: &mut String) {
    escape(character, out, b"\\=");
}

fn escape(character: char, out: &mut String, special: &[u8]) {
    let start = out.len();
    visible(character, out);
    for at in (start..out.len()).rev() {
        if special.contains(&out.as_bytes()[at]) {
            out.insert(at, '\\');
        }
    }
}
