//! What is kept of a destination (or of a session as a whole) once it is notable: names,
//! evidence, findings, and the state of its incident.

use std::mem;
use std::net::IpAddr;
use std::time::Duration;

use egret_event::{DnsExchange, Event, EventId, Fact, NameSource, SeenBy, Timestamp};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::baseline::Ladder;
use crate::calibration::Bar;
use crate::detect::policy::{Rule, RuleHits};
use crate::detect::sensitive_content;
use crate::earlier::Earlier;
use crate::incident::{Detector, Evidence, Finding, Severity};
use crate::tails::{combine, evidence};
use crate::words::bytes_words;

/// Names, addresses and ports kept of each kind.
const MOST_NAMES: usize = 8;

/// Events kept as evidence.
const MOST_EVIDENCE: usize = 5;

/// Shortest event time between two changes that are only about more bytes.
const GROWTH_PAUSE: Duration = Duration::from_secs(30);

/// Bytes below which doubling is not worth a change: a handshake doubles with the first request.
const LEAST_GROWTH: u64 = 4 << 10;

/// What is kept of something notable.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Dossier {
    pub(crate) hosts: Vec<SmolStr>,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) ports: Vec<u16>,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) rules: Vec<RuleHits>,
    pub(crate) judged_by: Option<JudgedBy>,
    /// Below which probability it becomes an incident, or became one.
    pub(crate) bar: Bar,
    pub(crate) opened: Option<Opened>,
    /// What the incident is from the executor's sessions before. `None`: it is of this one alone.
    pub(crate) earlier: Option<Box<Earlier>>,
}

/// The baseline that the findings come from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct JudgedBy {
    pub(crate) baseline: EventId,
    pub(crate) frozen_at: Option<Timestamp>,
    pub(crate) template_sessions: u64,
}

/// The state of an open incident.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Opened {
    pub(crate) at: Timestamp,
    pub(crate) changed_at: Timestamp,
    pub(crate) number: u32,
    /// When it was last told that it opened or grew.
    grew_at: Timestamp,
    /// What was known not to have been seen when it last changed.
    missed: u64,
    pub(crate) severity: Severity,
    /// One bit per detector that has evidence.
    detectors: u32,
    up_bytes: u64,
}

/// What the evidence amounts to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Assessment {
    /// Combined probability; 0 when a rule was broken.
    pub(crate) p: f64,
    /// How urgent it is.
    pub(crate) severity: Severity,
    detectors: u32,
}

impl Dossier {
    /// Keeps what an event says about names and, if it is among the strongest, the event.
    pub(crate) fn note(&mut self, event: &Event) {
        if let Some(host) = &event.destination.host {
            keep(&mut self.hosts, host);
        }
        if let Some(address) = address_contacted(event) {
            keep(&mut self.addresses, address);
        }
        if event.destination.port != 0 {
            keep(&mut self.ports, &event.destination.port);
        }
        self.note_evidence(event);
    }

    fn note_evidence(&mut self, event: &Event) {
        let (up_bytes, blocked) = (sent_bytes(event), event.verdict.is_blocked());
        let Some(place) = self.place_of_evidence(event.id, (up_bytes, blocked)) else { return };
        let evidence = Evidence {
            event: event.id,
            at: event.at,
            source: event.source.clone(),
            words: event_words(event),
            up_bytes,
            blocked,
        };
        self.insert_evidence(place, evidence);
    }

    /// Where an event stands among the evidence. Strongest: most bytes, then blocked, then earliest noted.
    /// `None`: it is there already, or others are stronger.
    fn place_of_evidence(
        &self,
        event: EventId,
        (up, blocked): (Option<u64>, bool),
    ) -> Option<usize> {
        let rank = |up: Option<u64>, blocked: bool| (up.unwrap_or(0), blocked);
        let new = rank(up, blocked);
        let at = self.evidence.partition_point(|e| rank(e.up_bytes, e.blocked) >= new);
        let is_known = || self.evidence.iter().any(|e| e.event == event);
        (at < MOST_EVIDENCE && !is_known()).then_some(at)
    }

    fn insert_evidence(&mut self, place: usize, evidence: Evidence) {
        self.evidence.truncate(MOST_EVIDENCE - 1);
        self.evidence.reserve_exact(1);
        self.evidence.insert(place, evidence);
    }

    /// What a detector found.
    pub(crate) fn finding(&self, detector: Detector) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.detector == detector)
    }

    /// Puts a detector's newest finding in. An open incident keeps its strongest: what a later
    /// baseline learned does not take back what was reported.
    pub(crate) fn set_finding(&mut self, finding: Finding, ladder: &Ladder<'_>) {
        let strongest_stays = self.opened.is_some();
        match self.findings.iter_mut().find(|f| f.detector == finding.detector) {
            Some(old) if strongest_stays && old.p < finding.p => return,
            // What was judged benign of one place does not take back what was found at another.
            Some(old) if old.place != finding.place && old.p < finding.p => return,
            Some(old) => *old = finding,
            None => self.findings.push(finding),
        }
        self.judged_by = Some(ladder.judged_by());
        if self.opened.is_none() {
            self.bar = ladder.bar();
        }
    }

    /// Forgets what was estimated. What was observed stays: no baseline has a part in it.
    pub(crate) fn forget_estimates(&mut self) {
        let is_observed =
            |detector| matches!(detector, Detector::Contradiction | Detector::SensitiveContent);
        self.findings.retain(|finding| is_observed(finding.detector));
    }

    /// Whether a rule says so, and no estimate.
    pub(crate) fn is_by_rule(&self) -> bool {
        !self.rules.is_empty() || self.findings.iter().any(sensitive_content::is_rule)
    }

    /// Adds what was observed and not estimated. The strongest stays and is told how often there was
    /// one.
    pub(crate) fn add_observed(&mut self, mut finding: Finding) {
        let known = self.findings.iter_mut().find(|f| f.detector == finding.detector);
        let Some(known) = known else {
            self.findings.push(finding);
            return;
        };
        finding.observed.value += known.observed.value;
        if known.p < finding.p {
            known.observed = finding.observed;
        } else {
            *known = finding;
        }
    }

    /// Counts a broken rule.
    pub(crate) fn hit(&mut self, rule: Rule, event: &Event) {
        let hits = self.hits_of(rule);
        let count = if event.verdict.is_blocked() { &mut hits.blocked } else { &mut hits.allowed };
        *count = count.saturating_add(1);
    }

    fn hits_of(&mut self, rule: Rule) -> &mut RuleHits {
        let at = self.rules.iter().position(|hits| hits.rule == rule).unwrap_or_else(|| {
            self.rules.push(RuleHits { rule, allowed: 0, blocked: 0 });
            self.rules.sort_unstable_by_key(|hits| hits.rule);
            self.rules.iter().position(|hits| hits.rule == rule).unwrap_or(0)
        });
        &mut self.rules[at]
    }

    /// What all evidence amounts to when `up_bytes` were sent.
    pub(crate) fn assess(&self, up_bytes: u64) -> Assessment {
        let combined = self.combined();
        let by_rule = self.rules.iter().map(|hits| hits.severity(up_bytes)).max();
        let p = if self.is_by_rule() { 0.0 } else { combined };
        let by_detectors =
            (combined < self.bar.threshold).then(|| self.estimated_severity(combined, up_bytes));
        let strong = self.findings.iter().filter(|f| f.p < crate::detect::NOTABLE);
        let detectors = strong
            .fold(u32::from(by_rule.is_some()) << Detector::Policy as u8, |bits, f| {
                bits | 1 << f.detector as u8
            });
        let severity = by_rule.max(by_detectors).unwrap_or(Severity::Low);
        Assessment { p, severity, detectors }
    }

    /// The combined probability of the detectors that estimate.
    pub(crate) fn combined(&self) -> f64 {
        self.combined_by(|finding| finding.p)
    }

    /// The same without what analysts judged.
    pub(crate) fn combined_unjudged(&self) -> f64 {
        self.combined_by(Finding::own_p)
    }

    /// By what each finding's probability is taken to be. What is found of a new destination only is part
    /// of how new it is, and makes that more: as a detector beside the others a weak finding would take
    /// from the weight of a strong one.
    fn combined_by(&self, p: impl Fn(&Finding) -> f64) -> f64 {
        let corroborating = self.findings.iter().filter(|f| corroborates(f.detector)).map(&p);
        let corroborated = CORROBORATING * corroborating.fold(1.0, f64::min);
        let alone = self.findings.iter().filter(|f| !corroborates(f.detector));
        combine(alone.map(|finding| {
            let p = match finding.detector {
                Detector::NewDestination => p(finding).min(corroborated),
                _ => p(finding),
            };
            (weight(finding.detector), p)
        }))
    }

    /// By how far the evidence is beyond the threshold and how much has gone. The amounts are
    /// Egret's own choice.
    fn estimated_severity(&self, p: f64, up_bytes: u64) -> Severity {
        let threshold = self.bar.threshold;
        let upload =
            self.finding(Detector::UploadSize).is_some_and(|finding| finding.p < threshold);
        match self.bar.margin(p) {
            _ if upload && up_bytes >= 100 << 20 => Severity::Critical,
            _ if upload && up_bytes >= 1 << 20 => Severity::High,
            margin if margin >= 3.0 => Severity::High,
            _ => Severity::Medium,
        }
    }

    /// The change that is due, if any, and notes that it was made: by what was sent, and with what
    /// could not be seen (a mark of the gaps, which by itself makes nothing grow).
    pub(crate) fn change(
        &mut self,
        at: Timestamp,
        (up_bytes, missed): (u64, u64),
    ) -> Option<crate::ChangeKind> {
        let assessment = self.assess(up_bytes);
        let kind = match &self.opened {
            None if self.is_beyond_its_bar(&assessment) => crate::ChangeKind::Opened,
            Some(open) if open.is_outgrown_by(&assessment, at, up_bytes) => crate::ChangeKind::Grew,
            _ => return None,
        };
        let (opened_at, changed_at, number) = match &self.opened {
            Some(open) => (open.at, open.changed_at.max(at), open.number + 1),
            None => (at, at, 0),
        };
        self.opened = Some(Opened {
            at: opened_at,
            changed_at,
            number,
            grew_at: changed_at,
            missed,
            severity: assessment.severity,
            detectors: assessment.detectors,
            up_bytes,
        });
        Some(kind)
    }

    /// Whether it is due to become an incident when `up_bytes` were sent.
    pub(crate) fn is_due_to_open(&self, up_bytes: u64) -> bool {
        self.opened.is_none() && self.is_beyond_its_bar(&self.assess(up_bytes))
    }

    fn is_beyond_its_bar(&self, assessment: &Assessment) -> bool {
        assessment.p < self.bar.threshold
    }

    /// Takes in the dossier of an incident that goes on, and is open as that is.
    pub(crate) fn go_on_with(&mut self, before: Self, earlier: Earlier) {
        put_before(&mut self.hosts, before.hosts);
        put_before(&mut self.addresses, before.addresses);
        put_before(&mut self.ports, before.ports);
        for evidence in mem::replace(&mut self.evidence, before.evidence) {
            let rank = (evidence.up_bytes, evidence.blocked);
            if let Some(place) = self.place_of_evidence(evidence.event, rank) {
                self.insert_evidence(place, evidence);
            }
        }
        for finding in before.findings {
            match self.findings.iter_mut().find(|own| own.detector == finding.detector) {
                Some(own) if own.p <= finding.p => {}
                Some(own) => *own = finding,
                None => self.findings.push(finding),
            }
        }
        for hits in before.rules {
            let own = self.hits_of(hits.rule);
            own.allowed = own.allowed.saturating_add(hits.allowed);
            own.blocked = own.blocked.saturating_add(hits.blocked);
        }
        self.opened = before.opened;
        self.earlier = Some(Box::new(earlier));
    }

    /// Notes at `at` that an open incident goes on, no worse than it was told.
    pub(crate) fn resume(&mut self, at: Timestamp, missed: u64) {
        if let Some(open) = &mut self.opened {
            open.missed = missed;
            open.number += 1;
            open.changed_at = open.changed_at.max(at);
        }
    }

    /// Notes what could not be seen in the time of an open incident; whether that is news. When the
    /// incident has grown by enough to be told does not depend on it.
    pub(crate) fn obscure(&mut self, at: Timestamp, missed: u64) -> bool {
        let is_news = self.opened.is_some_and(|open| open.missed != missed);
        if is_news {
            self.resume(at, missed);
        }
        is_news
    }
}

impl Opened {
    fn is_outgrown_by(&self, now: &Assessment, at: Timestamp, up_bytes: u64) -> bool {
        now.severity > self.severity
            || now.detectors & !self.detectors != 0
            || self.has_doubled(at, up_bytes)
    }

    /// Whether the bytes have doubled and enough time has passed.
    fn has_doubled(&self, at: Timestamp, up_bytes: u64) -> bool {
        self.growth_due(up_bytes).is_some_and(|due| due <= at)
    }

    /// When it may be told that the bytes have doubled, if they have.
    pub(crate) fn growth_due(&self, up_bytes: u64) -> Option<Timestamp> {
        let has_doubled = up_bytes / 2 >= self.up_bytes.max(LEAST_GROWTH);
        has_doubled.then(|| self.grew_at + GROWTH_PAUSE)
    }
}

/// Whether a detector says something of destinations that are new, and of no others.
const fn corroborates(detector: Detector) -> bool {
    matches!(detector, Detector::DirectAddress | Detector::OddCertificate)
}

/// How many do: so many looks there are.
const CORROBORATING: f64 = 2.0;

/// How much a detector's evidence counts. Novelty counts least because it is common; what was
/// sent, and to whom, most because it is what exfiltration is made of. Egret's own choice.
pub(crate) fn weight(detector: Detector) -> f64 {
    match detector {
        Detector::NewDestination | Detector::DirectAddress | Detector::OddCertificate => 1.0,
        Detector::UploadSize
        | Detector::SlowDrip
        | Detector::DnsTunnel
        | Detector::SensitiveContent
        | Detector::ForeignTenant => 4.0,
        Detector::RateBurst
        | Detector::Beacon
        | Detector::BlockedProbes
        | Detector::FanOut
        | Detector::NotFound => 2.0,
        Detector::Policy
        | Detector::Blind
        | Detector::FleetDrip
        | Detector::TemplateDrift
        | Detector::Health => 1.0,
        Detector::Contradiction => 2.0,
    }
}

/// The part of a finding in the combined evidence, before scaling: never negative.
pub(crate) fn pull(finding: &Finding) -> f64 {
    (weight(finding.detector) * evidence(finding.p)).max(0.0)
}

fn keep<T: Clone + PartialEq>(kept: &mut Vec<T>, item: &T) {
    if kept.len() < MOST_NAMES && !kept.contains(item) {
        kept.reserve_exact(1);
        kept.push(item.clone());
    }
}

/// Keeps what was kept before, and then what there is room for.
fn put_before<T: Clone + PartialEq>(kept: &mut Vec<T>, before: Vec<T>) {
    let own = mem::replace(kept, before);
    own.iter().for_each(|item| keep(kept, item));
}

/// The address that was contacted. In a tunnel a captured flow leads to the proxy, which alone knows the
/// address of the host that it was asked for.
fn address_contacted(event: &Event) -> Option<&IpAddr> {
    let to = &event.destination;
    let is_tunneled = to.named_by == Some(NameSource::Connect) && to.host.is_some();
    let is_told_by_the_proxy =
        matches!(&event.fact, Fact::Http(request) if request.seen_by == SeenBy::Proxy);
    to.address.as_ref().filter(|_| !is_tunneled || is_told_by_the_proxy)
}

/// What an event sent, where it is known: a DNS question sends its name.
fn sent_bytes(event: &Event) -> Option<u64> {
    match &event.fact {
        Fact::Dns(asked) => Some(asked.name.len() as u64),
        _ => event.up.bytes,
    }
}

fn event_words(event: &Event) -> String {
    let what = match &event.fact {
        Fact::Flow(flow) if flow.number == 0 => "flow".to_owned(),
        Fact::Flow(flow) => format!("interval {} of a flow", flow.number),
        Fact::Http(request) => {
            let with = if request.sensitive.is_empty() { "" } else { " with a secret" };
            format!("{} request{with}", request.method.escape_debug())
        }
        Fact::Tls(_) => "TLS hello".to_owned(),
        Fact::Dns(asked) => return question_words(asked),
        Fact::Gap(_) => "gap".to_owned(),
        Fact::Certificate(_) => "certificate".to_owned(),
        Fact::Contradiction(_) => "contradiction".to_owned(),
    };
    let destination = &event.destination;
    let name = destination.host.as_ref().unwrap_or(&destination.domain);
    let port = destination.port;
    let volume = |bytes: Option<u64>| bytes.map_or_else(|| "unknown".to_owned(), bytes_words);
    let fate = match event.verdict {
        egret_event::Verdict::Allowed => String::new(),
        egret_event::Verdict::Blocked(reason) => format!(", blocked ({})", block_words(reason)),
    };
    let also = event.also_seen_by.as_ref();
    let also = also.map_or_else(String::new, |source| format!(", also seen by {source}"));
    format!(
        "{what} to {name} port {port}: {} sent, {} received{fate}{also}",
        volume(event.up.bytes),
        volume(event.down.bytes),
    )
}

fn question_words(asked: &DnsExchange) -> String {
    let DnsExchange { name, query_type, resolution, .. } = asked;
    let answer = resolution.as_ref().map_or_else(
        || "no answer was seen".to_owned(),
        |answer| format!("answered with {}", bytes_words(answer.answer_bytes.into())),
    );
    format!("DNS question for {name}, type {query_type}: {answer}")
}

fn block_words(reason: egret_event::BlockReason) -> &'static str {
    match reason {
        egret_event::BlockReason::ProxyDenied => "denied by the proxy",
        egret_event::BlockReason::Reset => "reset",
        egret_event::BlockReason::Unreachable => "unreachable",
        egret_event::BlockReason::NoAnswer => "no answer",
    }
}
