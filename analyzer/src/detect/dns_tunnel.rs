//! D6: DNS questions that carry data.
//!
//! Looked at is the information in the distinct names that a session asked for below one domain:
//! their bits under a model of ordinary labels ([`crate::label_model`]), summed up over distinct names
//! ([`crate::information`]), however slowly they came and however often each was repeated. Two signs
//! are looked at beside it: how much of that was asked in free form (TXT, NULL and other types whose
//! answers hold any text, or names that no host can have), and how much such answers brought.
//!
//! What is normal depends on what the names are for. Names below a service a platform or a domain
//! that this template is known to use may be many; those that the session then contacts are for use (CDNs,
//! telemetry); names that were asked for and never contacted should be few. Reverse look-ups, block
//! lists and antivirus look-ups carry addresses and hashes to whoever keeps the list, and nobody can
//! take anything away through them: they are on a shipped list and left out.
//!
//! Sources: ibHH (Ozery, Nadler and Shabtai, NDSS 2024), which finds 0.7 B/s by the information per
//! domain; Nadler, Aminov and Shabtai, "Detection of malicious and low throughput data exfiltration
//! over the DNS protocol", Computers & Security 80 (2019), for the signs. Both judge a resolver's whole
//! traffic over hours; here it is one session, against its own kind.

use egret_event::{Attribution, SmolStr};

use super::{normal_size, tail_kind};
use crate::baseline::{Ladder, SizeQuestion};
use crate::incident::{Detector, Finding, Quantity};
use crate::learned::Asked;
use crate::pitman_yor::MIN_DRAWS;
use crate::priors::{SizePrior, is_known_service, is_lookup_service, is_platform};
use crate::questions::{AskedDomain, CARRIED, Carried};
use crate::size::{Cell, Use};
use crate::words::{bytes_words, count_words};

/// Every measure is a look; the smallest probability is multiplied by their number.
const LOOKS: f64 = CARRIED as f64;

/// Questions for each contact that make names be for use: an address of each kind, and once more
/// with the network's own domain behind it. Egret's own choice.
const QUESTIONS_PER_CONTACT: u32 = 4;

/// The names below one domain that a session asked for, and what they are compared with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    usage: Use,
    /// What the template's sessions asked for below this very domain.
    own: Option<&'a Asked>,
}

impl<'a> Subject<'a> {
    /// `contacts`: how often the session contacted the domain. `None`: a look-up service, about which
    /// nothing can be said.
    pub(crate) fn of(ladder: &Ladder<'a>, asked: &AskedDomain, contacts: u32) -> Option<Self> {
        if is_lookup_service(&asked.domain) {
            return None;
        }
        let own = ladder.asked_by_template(key(asked));
        let own = own.filter(|own| own.sessions() >= MIN_DRAWS);
        let is_familiar = || {
            let destination = crate::hash::key(&[b"destination", asked.domain.as_bytes()]);
            own.is_some()
                || is_known_service(&asked.domain)
                || is_platform(&asked.domain)
                || ladder.seen_by_template(destination).is_some()
        };
        let usage = if asked.is_rootless {
            // The server's address: contacting it is asking.
            if own.is_some() { Use::Familiar } else { Use::Unused }
        } else if is_familiar() {
            Use::Familiar
        } else if contacts.saturating_mul(QUESTIONS_PER_CONTACT) >= asked.questions {
            Use::Used
        } else {
            Use::Unused
        };
        Some(Self { usage, own })
    }

    /// What the names are for.
    pub(crate) fn usage(&self) -> Use {
        self.usage
    }

    fn question(&self, carried: Carried) -> SizeQuestion<'a> {
        SizeQuestion {
            cell: Cell::of_questions(self.usage, carried),
            prior: SizePrior::of_questions(self.usage, carried),
            own: self.own.map(|own| &own.sizes[carried as usize]),
        }
    }

    /// The tail probability of what was carried, and the measure that gives it.
    pub(crate) fn tail(&self, ladder: &Ladder<'a>, sums: [u64; CARRIED]) -> (f64, Carried) {
        let p = |carried| ladder.sizes(self.question(carried)).survival(sums[carried as usize]);
        let least = Carried::ALL.map(|carried| (p(carried), carried)).into_iter();
        let (p, carried) =
            least.min_by(|one, other| one.0.total_cmp(&other.0)).unwrap_or((1.0, Carried::Names));
        ((LOOKS * p).min(1.0), carried)
    }

    /// The smallest size of a measure whose tail probability is below `p`, to the histogram bin.
    pub(crate) fn first_below(&self, ladder: &Ladder<'a>, carried: Carried, p: f64) -> u64 {
        ladder.sizes(self.question(carried)).first_below(p / LOOKS)
    }

    /// The finding, with its words.
    pub(crate) fn finding(
        &self,
        ladder: &Ladder<'a>,
        asked: &AskedDomain,
        origin: &Attribution,
    ) -> Finding {
        let sums = asked.carried();
        let (p, carried) = self.tail(ladder, sums);
        let normal = ladder.sizes(self.question(carried)).normal();
        let whose = crate::words::whose(normal.weight.level, origin);
        let whereto = if normal.of_destination { "below this domain" } else { self.usage.words() };
        Finding {
            detector: Detector::DnsTunnel,
            p,
            tail: tail_kind(p, &normal.weight),
            share: 0.0,
            place: None,
            judged_benign: None,
            observed: Quantity { value: sums[carried as usize] as f64, unit: unit(carried) },
            normal: Some(normal_size(&normal, origin)),
            words: format!(
                "{}; {whose} normally {} {whereto}",
                self.seen_words(asked, carried),
                normal_words(carried, normal.p98),
            ),
        }
    }

    fn seen_words(&self, asked: &AskedDomain, carried: Carried) -> String {
        let [names, _, answers] = asked.carried();
        let whose = match (asked.is_rootless, self.usage) {
            (true, _) => "that end in no domain",
            (_, Use::Unused) => "below it, which it hardly contacted,",
            _ => "below it",
        };
        let mut words = format!(
            "{} for names {whose} hold about {} of information",
            count_words(u64::from(asked.questions), "DNS question"),
            bytes_words(names),
        );
        if asked.free_form_questions > 0 {
            words.push_str(&format!(
                ", {} of them in free form (TXT, NULL and the like, or no host names)",
                asked.free_form_questions
            ));
        }
        if carried == Carried::Answers {
            words
                .push_str(&format!(", and {} came back in answers to these", bytes_words(answers)));
        }
        words
    }
}

/// What is normal of a measure, as the middle of a sentence.
fn normal_words(carried: Carried, p98: u64) -> String {
    let most = format!("at most {} (98 %)", bytes_words(p98));
    match carried {
        Carried::Names => format!("ask for {most}"),
        Carried::FreeForm => format!("ask for {most} in free form"),
        Carried::Answers => format!("receive {most} in free form"),
    }
}

/// What each measure counts.
fn unit(carried: Carried) -> SmolStr {
    SmolStr::new_static(match carried {
        Carried::Names => "bytes of information in names asked for",
        Carried::FreeForm => "bytes of information in names asked for in free form",
        Carried::Answers => "bytes of answers in free form",
    })
}

/// Whether a finding is about what came back.
pub(crate) fn is_about_answers(finding: &Finding) -> bool {
    finding.observed.unit == unit(Carried::Answers)
}

/// The domain's key in what was asked for. All names that end in no domain share one.
pub(crate) fn key(asked: &AskedDomain) -> u64 {
    let name = if asked.is_rootless { "" } else { asked.domain.as_str() };
    crate::hash::key(&[b"asked", name.as_bytes()])
}
