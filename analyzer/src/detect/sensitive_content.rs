//! D12: secrets in what is sent.
//!
//! What stands in names, URLs, headers and bodies was looked at where they were read, and arrives as a
//! list without the secrets themselves. Here is how much each counts. A value that the configuration
//! names, or a credential that its own checksum proves, is a rule: nothing is estimated, and it
//! holds from the first event. The probabilities of the others are Egret's own choice: how often
//! ordinary programs send such a thing to a place that is not its own.

use egret_event::{ContentLayer, ContentPlace, Event, Sections, Sensitive, SensitiveKind, SmolStr};
use serde::{Deserialize, Serialize};

use super::policy::is_private;
use crate::incident::{Detector, Finding, Quantity, Tail};

/// What has the form of a provider's credential, or of an environment: it alerts alone.
const P_LIKELY: f64 = 1e-6;

/// What only a name says, and part of a known value that may be like the beginning of others. It
/// only adds to other evidence.
const P_WEAK: f64 = 1e-3;

/// What is of no account.
const P_NOTHING: f64 = 1.0;

/// How much of a known value must have been seen, to be sure that it was this one. Egret's own choice:
/// keys of a kind begin alike.
const ENOUGH_OF_A_VALUE: f64 = 0.5;

/// Known values of which a session remembers what was seen.
const MOST_VALUES: usize = 32;

/// Secrets that a sentence names.
const MOST_NAMED: usize = 3;

/// Which sections of which known values left in a session, in however many pieces.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pieces(Vec<(SmolStr, Sections)>);

impl Pieces {
    /// Takes in what was seen of a value; what there is of it by now.
    fn add(&mut self, name: &SmolStr, sections: Sections) -> Sections {
        if let Some((_, known)) = self.0.iter_mut().find(|(known, _)| known == name) {
            known.add(sections);
            return *known;
        }
        if self.0.len() < MOST_VALUES {
            self.0.push((name.clone(), sections));
        }
        sections
    }
}

/// Where something was sent, as far as it matters to how much it counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whereto {
    /// Sessions of this kind go there anyway.
    pub(crate) is_known: bool,
    /// It is one's own network.
    pub(crate) is_private: bool,
}

impl Whereto {
    pub(crate) fn of(event: &Event, is_known: bool) -> Self {
        Self { is_known, is_private: is_private(&event.destination) }
    }
}

/// The finding about what an event carries. `None`: it carries nothing of account.
pub(crate) fn finding(event: &Event, whereto: Whereto, pieces: &mut Pieces) -> Option<Finding> {
    let mut judged: Vec<(f64, String, &Sensitive)> = Vec::new();
    for one in event.sensitive() {
        let sections = one.sections.map(|sections| pieces.add(&one.name, sections));
        let p = judge(one, sections, whereto);
        let p = if event.verdict.is_blocked() { p.max(P_LIKELY) } else { p };
        if p < P_NOTHING {
            judged.push((p, words(one, sections), one));
        }
    }
    judged.sort_by(|a, b| a.0.total_cmp(&b.0));
    let p = judged.first()?.0;
    let is_encoded = judged.iter().any(|(_, _, one)| is_encoded(one));
    let count: u32 = judged.iter().map(|(_, _, one)| one.count).sum();
    let named: Vec<&str> = judged.iter().take(MOST_NAMED).map(|(_, words, _)| &**words).collect();
    let more = judged.len().saturating_sub(MOST_NAMED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    Some(Finding {
        detector: Detector::SensitiveContent,
        p,
        tail: Tail::Rule,
        share: 0.0,
        place: None,
        judged_benign: None,
        observed: Quantity { value: f64::from(count), unit: unit(is_encoded) },
        normal: None,
        words: format!("what was sent holds {}{more}", named.join("; ")),
    })
}

fn judge(one: &Sensitive, sections: Option<Sections>, whereto: Whereto) -> f64 {
    if one.kind.is_known_value() {
        let is_enough = sections.is_none_or(|seen| seen.share() >= ENOUGH_OF_A_VALUE);
        return if is_enough { 0.0 } else { P_WEAK };
    }
    // Who is meant to have a token gets it in a header: a gateway, a service of one's own.
    let is_usual = whereto.is_known && one.place == ContentPlace::Header;
    match one.kind {
        SensitiveKind::NamedValue if whereto.is_known || whereto.is_private => P_NOTHING,
        SensitiveKind::NamedValue => P_WEAK,
        _ if is_usual || whereto.is_private => P_WEAK,
        SensitiveKind::Credential => 0.0,
        _ => P_LIKELY,
    }
}

/// Whether it was written in a way that a URL does not ask for.
fn is_encoded(one: &Sensitive) -> bool {
    one.layers.iter().any(|layer| *layer != ContentLayer::Percent)
}

fn unit(is_encoded: bool) -> SmolStr {
    SmolStr::new_static(if is_encoded { "secrets, encoded" } else { "secrets" })
}

/// Whether a finding is about something that was encoded.
pub(crate) fn is_about_encoded(finding: &Finding) -> bool {
    finding.observed.unit == unit(true)
}

/// Whether a finding is a rule and no estimate.
pub(crate) fn is_rule(finding: &Finding) -> bool {
    finding.detector == Detector::SensitiveContent && finding.p <= 0.0
}

fn words(one: &Sensitive, sections: Option<Sections>) -> String {
    let name = &one.name;
    let part = match sections.map(Sections::share) {
        Some(share) if share < 1.0 => format!(", {:.0} % of it", share * 100.0),
        _ => String::new(),
    };
    let which = one.fingerprint.as_ref();
    let which = which.map_or_else(String::new, |hash| format!(", SHA-256 {hash}…"));
    let what = match one.kind {
        SensitiveKind::Canary => format!("the canary {name:?}"),
        SensitiveKind::Registered => format!("the registered secret {name:?}"),
        SensitiveKind::Credential => format!("a credential ({name})"),
        SensitiveKind::LikelyCredential => format!("what looks like a credential ({name})"),
        SensitiveKind::Environment => "a program's environment".to_owned(),
        SensitiveKind::NamedValue => format!("a value that is called a secret ({name})"),
    };
    let layers: Vec<&str> = one.layers.iter().map(|layer| layer.word()).collect();
    let how = if layers.is_empty() { String::new() } else { format!(", {}", layers.join(", ")) };
    format!("{what}{part}{which} {}{how}", one.place.words())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(seen: u64) -> Sensitive {
        Sensitive {
            kind: SensitiveKind::Canary,
            name: "build key".into(),
            place: ContentPlace::Query,
            layers: vec![ContentLayer::Base64],
            count: 1,
            fingerprint: None,
            sections: Some(Sections { seen, of: 8 }),
        }
    }

    const OUT: Whereto = Whereto { is_known: false, is_private: false };

    #[test]
    fn pieces_of_a_known_value_become_enough_of_it() {
        let mut pieces = Pieces::default();
        let first = pieces.add(&"build key".into(), known(0b11).sections.unwrap());
        assert_eq!(judge(&known(0b11), Some(first), OUT), P_WEAK);
        let both = pieces.add(&"build key".into(), known(0b1100_0000).sections.unwrap());
        assert_eq!(judge(&known(0b1100_0000), Some(both), OUT), 0.0);
        assert_eq!(
            words(&known(0), Some(both)),
            "the canary \"build key\", 50 % of it in the query of a URL, base64"
        );
    }

    #[test]
    fn a_token_in_a_header_to_a_place_that_is_used_anyway_is_hardly_worth_telling() {
        let mut token = Sensitive {
            kind: SensitiveKind::Credential,
            place: ContentPlace::Header,
            sections: None,
            ..known(0)
        };
        let known = Whereto { is_known: true, ..OUT };
        assert_eq!(judge(&token, None, OUT), 0.0);
        assert_eq!(judge(&token, None, known), P_WEAK);
        token.place = ContentPlace::Query;
        assert_eq!(judge(&token, None, known), 0.0);
    }
}
