//! What a session's DNS questions carry: for each domain the information in the distinct names that
//! were asked for below it.
//!
//! A question is no contact with the name asked for, but its labels travel to whoever serves the
//! domain. What is normal, and what is not, stands in `detect/dns_tunnel`.

use egret_event::{DnsExchange, Event, SmolStr, Timestamp, has_public_suffix};
use serde::{Deserialize, Serialize};

use crate::detect::upload_size::NextLook;
use crate::hash::quick;
use crate::information::Information;
use crate::label_model;
use crate::room::put;
use crate::tally::Seen;

/// Domains that a session remembers: about 1 KB with a few names each.
const MOST_DOMAINS: usize = 8;

/// A resolver's search list asks for every name of a session below the network's own domains too
/// (`pypi.org.example.net`). Names that look like that count a quarter: the measure of such a list
/// with its usual two or three entries. Who tunnels that way needs four times the questions.
const SEARCHED_COUNT: u32 = 4;

/// Names are kept up to 253 characters, and escapes of four are not cut in half: a shorter one is
/// whole.
const LONGEST_UNCUT: usize = 250;

/// Names that no host can have carry more than one that could: threefold. Egret's own choice.
const NO_HOST_NAME_COUNTS: u32 = 3;

/// What questions carry, by what is measured. Each is a look at the same domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Carried {
    /// Information in distinct names.
    Names,
    /// Of these, in free form: asked for with types whose answers hold any text (TXT, NULL …), or
    /// with characters that no host name has.
    FreeForm,
    /// Bytes of the answers to questions in free form.
    Answers,
}

/// Number of measures.
pub(crate) const CARRIED: usize = 3;

impl Carried {
    /// All measures.
    pub(crate) const ALL: [Self; CARRIED] = [Self::Names, Self::FreeForm, Self::Answers];

    /// Below it nothing is worth a look, so that ordinary names cost no tail.
    fn first_look(self) -> NextLook {
        NextLook::at(match self {
            Self::Names => 48,
            Self::FreeForm => 16,
            Self::Answers => 1 << 10,
        })
    }
}

/// What was asked for below one domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AskedDomain {
    /// The registrable domain; the address of the server asked where the names end in none.
    pub(crate) domain: SmolStr,
    /// Whether the names end in no domain that anybody could register.
    pub(crate) is_rootless: bool,
    pub(crate) seen: Seen,
    /// Questions, with repetitions, and how many of them are in free form.
    pub(crate) questions: u32,
    pub(crate) free_form_questions: u32,
    /// Bytes of the names asked for and of the answers.
    pub(crate) name_bytes: u32,
    pub(crate) answer_bytes: u32,
    /// Whether it was found notable: then it is not forgotten for another.
    pub(crate) is_notable: bool,
    /// The source whose questions are counted, by its place in [`crate::join::Joins`]: a second one
    /// tells of the same.
    source: u8,
    names: Information,
    free_form: Option<Box<Information>>,
    carried: [u32; CARRIED],
    next_look: [NextLook; CARRIED],
}

/// What a session asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Questions(Vec<AskedDomain>);

/// A question taken apart.
struct Question<'a> {
    domain: SmolStr,
    is_rootless: bool,
    /// What is left of the domain.
    labels: &'a str,
}

impl<'a> Question<'a> {
    /// `None` when it asks for a domain itself, which carries nothing to it.
    fn of(event: &Event, asked: &'a DnsExchange) -> Option<Self> {
        let name = asked.name.as_str();
        if is_rootless(name, &event.destination.domain) {
            let server = event.destination.address;
            let domain = server.map_or(SmolStr::new_static("."), |at| at.to_string().into());
            return Some(Self { domain, is_rootless: true, labels: name });
        }
        let domain = &event.destination.domain;
        let labels = name.strip_suffix(domain.as_str())?.strip_suffix('.')?;
        Some(Self { domain: domain.clone(), is_rootless: false, labels })
    }

    /// Information in the labels, in sixteenths of a bit.
    fn weight(&self) -> u32 {
        let weight = label_model::information(self.labels);
        if !self.is_rootless && self.labels.split('.').skip(1).any(has_public_suffix) {
            weight / SEARCHED_COUNT
        } else {
            weight
        }
    }
}

/// Whether a name could be a host's, apart from the underscore that service names begin with.
fn is_host_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// Whether a name is below no domain that anybody could register: then it is meant for the server
/// that is asked. Top-level domains are alphabetic or `xn--` (RFC 1123, section 2.1; ICANN's
/// guidebook, 2.2.1.3.2), domains are host names, and a name of one label is in no domain. Of a name
/// that fills all room the end may have been cut off.
fn is_rootless(name: &str, domain: &str) -> bool {
    let Some((_, last)) = name.rsplit_once('.') else { return true };
    let is_top = last.starts_with("xn--") || last.bytes().all(|byte| byte.is_ascii_alphabetic());
    let may_be_cut = name.len() >= LONGEST_UNCUT && !has_public_suffix(name);
    !is_top || !is_host_name(domain) || may_be_cut
}

/// Whether the answer to a type of question may hold any text, or the type is none that programs
/// ask for: all but the types of addresses, zones, services and their keys (IANA's registry of
/// resource record types).
fn is_free_form(query_type: u16) -> bool {
    const USUAL: [u16; 16] = [1, 2, 6, 12, 28, 29, 33, 35, 43, 46, 47, 48, 52, 64, 65, 255];
    !USUAL.contains(&query_type)
}

impl Questions {
    /// Takes in a question; the index of its domain. `None` when it carries nothing.
    pub(crate) fn add(
        &mut self,
        (event, source): (&Event, u8),
        asked: &DnsExchange,
    ) -> Option<usize> {
        let question = Question::of(event, asked)?;
        let known = self.position(&question.domain);
        let at = known.unwrap_or_else(|| self.begin(&question, (event, source)));
        self.0[at].add(&question, (event, source), asked);
        Some(at)
    }

    /// Reads all domains; the value means nothing.
    pub(crate) fn look_ahead(&self) -> u64 {
        self.0.iter().fold(0, |mix, known| mix ^ u64::from(known.name_bytes))
    }

    fn position(&self, domain: &str) -> Option<usize> {
        self.0.iter().position(|known| known.domain == domain)
    }

    /// Makes room for a domain: in place of the one that carried least, if there is none.
    fn begin(&mut self, question: &Question<'_>, (event, source): (&Event, u8)) -> usize {
        let new = AskedDomain {
            domain: question.domain.clone(),
            is_rootless: question.is_rootless,
            seen: Seen::at(event.at),
            questions: 0,
            free_form_questions: 0,
            name_bytes: 0,
            answer_bytes: 0,
            is_notable: false,
            source,
            names: Information::default(),
            free_form: None,
            carried: [0; CARRIED],
            next_look: Carried::ALL.map(Carried::first_look),
        };
        put(&mut self.0, MOST_DOMAINS, new, |known| {
            (known.is_notable, known.carried[0], known.seen.last)
        })
    }

    /// What was asked for below a domain.
    pub(crate) fn of(&self, domain: &str) -> Option<&AskedDomain> {
        self.0.iter().find(|known| known.domain == domain)
    }

    /// By index, as [`Self::add`] gives it.
    pub(crate) fn at(&mut self, at: usize) -> &mut AskedDomain {
        &mut self.0[at]
    }

    /// All domains, in no order that matters.
    pub(crate) fn domains(&self) -> impl Iterator<Item = &AskedDomain> {
        self.0.iter()
    }

    /// Has every domain looked at again: what they are judged by has changed.
    pub(crate) fn look_again(&mut self) {
        for domain in &mut self.0 {
            domain.next_look = Carried::ALL.map(Carried::first_look);
        }
    }
}

impl AskedDomain {
    fn add(&mut self, question: &Question<'_>, (event, source): (&Event, u8), asked: &DnsExchange) {
        let weight = question.weight();
        let is_host_name = is_host_name(question.labels);
        let is_free = is_free_form(asked.query_type) || !is_host_name;
        let hash = quick(asked.name.as_str());
        self.seen.include(event.at);
        if self.names.add(hash, weight) {
            self.carried[Carried::Names as usize] = label_model::in_bytes(self.names.sum());
        }
        if is_free {
            let weight = if is_host_name { weight } else { weight * NO_HOST_NAME_COUNTS };
            let free_form = self.free_form.get_or_insert_default();
            if free_form.add(hash, weight) {
                self.carried[Carried::FreeForm as usize] = label_model::in_bytes(free_form.sum());
            }
        }
        if source == self.source {
            self.count(is_free, asked);
        }
    }

    fn count(&mut self, is_free: bool, asked: &DnsExchange) {
        let answer = asked.resolution.as_ref().map_or(0, |answer| u32::from(answer.answer_bytes));
        let name = u32::try_from(asked.name.len()).unwrap_or(u32::MAX);
        self.questions = self.questions.saturating_add(1);
        self.name_bytes = self.name_bytes.saturating_add(name);
        self.answer_bytes = self.answer_bytes.saturating_add(answer);
        if is_free {
            self.free_form_questions = self.free_form_questions.saturating_add(1);
            let answers = &mut self.carried[Carried::Answers as usize];
            *answers = answers.saturating_add(answer);
        }
    }

    /// What the questions carried so far, in bytes, by [`Carried`].
    pub(crate) fn carried(&self) -> [u64; CARRIED] {
        self.carried.map(u64::from)
    }

    /// Whether there were more names than a few.
    pub(crate) fn has_many_names(&self) -> bool {
        self.names.is_many()
    }

    /// Whether it carried enough to be looked at (again). The next look follows after further
    /// growth by the width of a histogram's bin.
    pub(crate) fn take_look(&mut self) -> bool {
        let mut is_due = false;
        for (carried, next) in self.carried().into_iter().zip(&mut self.next_look) {
            if next.is_due(carried) {
                *next = NextLook::after(carried);
                is_due = true;
            }
        }
        is_due
    }

    /// The first and the last question.
    pub(crate) fn from(&self) -> Timestamp {
        self.seen.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_can_register_are_below_no_domain() {
        let is_rootless = |name: &str| is_rootless(name, &egret_event::registrable_domain(name));
        for name in ["dnscat.9200821e527d", "wpad", "redis-0", "a.9f", "a.\\xffx.org"] {
            assert!(is_rootless(name), "{name}");
        }
        for name in ["www.example.org", "www.example.xn--p1ai", "printer.local"] {
            assert!(!is_rootless(name), "{name}");
        }
        assert!(is_rootless(&format!("{}.co.dcco", "a".repeat(245))), "it may have been cut");
        assert!(!is_rootless(&format!("{}.example.org", "a".repeat(241))));
    }

    #[test]
    fn what_a_session_asked_for_takes_no_more_than_3_kib() {
        // Two sketches of 128 bytes each.
        assert!(MOST_DOMAINS * (size_of::<AskedDomain>() + 256) <= 3072 + 128);
    }

    #[test]
    fn text_and_private_types_are_in_free_form_and_addresses_are_not() {
        assert!([16, 10, 5, 15, 65_399].into_iter().all(is_free_form));
        assert!(![1, 28, 65, 12, 33].into_iter().any(is_free_form));
    }
}
