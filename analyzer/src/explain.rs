//! An incident in full: everything an analyst needs to judge it, in words and numbers.

use egret_event::{SmolStr, Timestamp};

use crate::detect::dns_tunnel::is_about_answers;
use crate::detect::foreign_tenant::purpose_of;
use crate::detect::policy::{Rule, RuleHits};
use crate::dossier::{Dossier, pull};
use crate::gaps::covered;
use crate::incident::{
    ChangeBy, ChangeKind, Detector, Explanation, Finding, GapSeen, Incident, IncidentChange,
    Observed, Quantity, Severity, Stage,
};
use crate::priors::THRESHOLD;
use crate::session::{Session, Target};
use crate::steps::{next_steps, techniques};
use crate::tally::Seen;
use crate::tenancy::Purpose;
use crate::words::{
    bytes_words, count_words, duration_words, missed_words, percent_words, probability_words,
};
use crate::world::World;

/// What the parts of an explanation are made from.
pub(crate) struct Case<'a> {
    pub(crate) session: &'a Session,
    pub(crate) target: Target,
    pub(crate) dossier: &'a Dossier,
    /// What to call it: the host where only one was seen, else the destination's own name.
    pub(crate) name: SmolStr,
    pub(crate) observed: Observed,
    pub(crate) seen: Seen,
    /// Strongest first, with shares.
    pub(crate) findings: Vec<Finding>,
}

impl Session {
    /// The change of a target's incident. `None` when it has no open incident.
    pub(crate) fn change(
        &self,
        target: Target,
        kind: ChangeKind,
        world: &World,
    ) -> Option<IncidentChange> {
        let dossier = self.known_dossier(target)?;
        let opened = dossier.opened?;
        let case = Case {
            session: self,
            target,
            dossier,
            name: self.name_of(target),
            observed: self.incident_observed(target),
            seen: self.incident_seen(target),
            findings: shared_out(dossier),
        };
        Some(IncidentChange {
            kind,
            at: opened.changed_at,
            by: ChangeBy::Engine,
            number: opened.number,
            incident: case.incident(opened.at, opened.changed_at, world),
        })
    }

    /// The host where all events named the same, else the destination.
    fn name_of(&self, target: Target) -> SmolStr {
        let Target::Slot(at) = target else { return self.destination(target) };
        let dossier = self.slots[at].dossier.as_deref();
        match dossier.map(|dossier| dossier.hosts.as_slice()) {
            Some([host]) if self.slots[at].only_host.is_some() => host.clone(),
            _ => self.destination(target),
        }
    }
}

/// The findings with their shares, strongest first. A detector without evidence is left out, unless it has
/// none because of a verdict.
fn shared_out(dossier: &Dossier) -> Vec<Finding> {
    let mut findings: Vec<Finding> = dossier.findings.clone();
    findings.extend(policy_finding(&dossier.rules));
    findings.retain(|finding| pull(finding) > 0.0 || finding.judged_benign.is_some());
    let sum: f64 = findings.iter().map(pull).sum();
    for finding in &mut findings {
        finding.share = if sum > 0.0 { pull(finding) / sum } else { 0.0 };
    }
    findings.sort_by(|a, b| b.share.total_cmp(&a.share).then(a.detector.cmp(&b.detector)));
    findings
}

fn policy_finding(rules: &[RuleHits]) -> Option<Finding> {
    rules.first()?;
    let words: Vec<String> = rules.iter().map(rule_words).collect();
    let contacts: u32 = rules.iter().map(|r| r.allowed.saturating_add(r.blocked)).sum();
    let unit = SmolStr::new_static("contacts against policy");
    let observed = Quantity { value: f64::from(contacts), unit };
    Some(Finding::by_rule(Detector::Policy, observed, words.join("; ")))
}

fn rule_words(hits: &RuleHits) -> String {
    let what = match hits.rule {
        Rule::Metadata => "the cloud's metadata service hands out credentials",
        Rule::PrivateScan => "many private addresses and ports were contacted",
        Rule::Outside => "the destination is outside the allowlist",
        Rule::Private => "the address is private and not in analyzer.allow_private",
    };
    format!("{what} ({} let through, {} blocked)", hits.allowed, hits.blocked)
}

impl Case<'_> {
    fn incident(&self, opened_at: Timestamp, updated_at: Timestamp, world: &World) -> Incident {
        let assessment = self.dossier.assess(self.observed.up_bytes);
        let by_rule = self.dossier.is_by_rule();
        Incident {
            id: self.session.incident_id(self.target),
            title: self.title(),
            severity: assessment.severity,
            score: if by_rule {
                rule_score(assessment.severity)
            } else {
                score(self.dossier.bar.margin(assessment.p))
            },
            stage: if by_rule { Stage::Rules } else { self.dossier.bar.stage },
            origin: (*self.session.origin).clone(),
            session: self.session.session_of_incident(self.target).0,
            destination: self.session.destination(self.target),
            hosts: self.dossier.hosts.clone(),
            addresses: self.dossier.addresses.clone(),
            ports: self.dossier.ports.clone(),
            opened_at,
            updated_at,
            first_seen: self.seen.first,
            last_seen: self.seen.last,
            observed: self.observed.clone(),
            explanation: self.explanation(assessment.p, world),
        }
    }

    fn explanation(&self, p_combined: f64, world: &World) -> Explanation {
        let judged = self.dossier.judged_by;
        let frozen_at = judged.map_or(world.baseline.frozen_at(), |by| by.frozen_at);
        Explanation {
            summary: self.summary(p_combined, frozen_at, world),
            p_combined,
            threshold: self.dossier.bar.threshold,
            baseline: judged.map_or(world.baseline.id(), |by| by.baseline),
            baseline_frozen_at: frozen_at,
            baseline_sessions: judged.map_or(0, |by| by.template_sessions),
            evidence: self.dossier.evidence.clone(),
            gaps: self.gaps(world),
            techniques: techniques(self),
            next_steps: next_steps(self),
            findings: self.findings.clone(),
        }
    }

    fn title(&self) -> String {
        let name = &self.name;
        let up = bytes_words(self.observed.up_bytes);
        let strongest = self.findings.first().map(|finding| (finding.detector, finding));
        match (strongest, self.target) {
            (Some((Detector::Policy, _)), _) => self.rule_title(),
            (Some((Detector::UploadSize, _)), Target::Many) => {
                format!("{up} sent to many small destinations")
            }
            (Some((Detector::UploadSize, _)), _) => format!("{up} sent to {name}"),
            (Some((Detector::RateBurst, f)), Target::Many) => {
                format!("{} {} with many destinations", f.observed.value, f.observed.unit)
            }
            (Some((Detector::RateBurst, f)), _) => {
                format!("{} {} with {name}", f.observed.value, f.observed.unit)
            }
            (Some((Detector::SlowDrip, _)), _) => format!("{up} sent to {name} little by little"),
            (Some((Detector::Beacon, f)), _) => {
                format!("{} {} with {name}", f.observed.value, f.observed.unit)
            }
            (Some((Detector::DnsTunnel, f)), _) => self.tunnel_title(f),
            (Some((Detector::ForeignTenant, f)), _) => self.foreign_title(f),
            (Some((Detector::SensitiveContent, _)), Target::Many) => {
                "secrets sent to many small destinations".to_owned()
            }
            (Some((Detector::SensitiveContent, f)), _) => secret_title(name, f),
            (Some((Detector::BlockedProbes, f)), _) => {
                format!("{} distinct destinations were blocked", f.observed.value)
            }
            (
                Some((
                    Detector::Blind
                    | Detector::FleetDrip
                    | Detector::TemplateDrift
                    | Detector::Health,
                    f,
                )),
                _,
            ) => f.words.clone(),
            (Some((Detector::Contradiction, f)), _) => contradiction_title(name, f),
            (Some((Detector::FanOut, f)), _) => {
                format!("{} {} contacted", f.observed.value, f.observed.unit)
            }
            (Some((Detector::NotFound, f)), _) => {
                format!(
                    "about {} in paths that {name} does not have",
                    bytes_words(f.observed.value as u64)
                )
            }
            (Some((Detector::DirectAddress, _)), _) => {
                format!("{name} contacted, and no name led there")
            }
            (Some((Detector::OddCertificate, _)), _) => format!("odd certificate of {name}"),
            (Some((Detector::NewDestination, _)) | None, _) => format!("unusual: {name}"),
        }
    }

    fn tunnel_title(&self, finding: &Finding) -> String {
        let asked = self.session.asked(self.target);
        let [held, _, answers] = asked.map_or([0; 3], |asked| asked.carried());
        let where_to = match asked {
            Some(asked) if asked.is_rootless => "without a domain, asked of",
            _ => "below",
        };
        let name = &self.name;
        if is_about_answers(finding) {
            format!("{} brought by DNS answers to names {where_to} {name}", bytes_words(answers))
        } else {
            format!("about {} hidden in DNS names {where_to} {name}", bytes_words(held))
        }
    }

    fn foreign_title(&self, finding: &Finding) -> String {
        let whereto = purpose_of(finding).map_or("a service", Purpose::words);
        let what = match (self.observed.contacts_allowed, finding.observed.value as u64) {
            (0, _) => "tried to leave something".to_owned(),
            (_, 0) => "something left".to_owned(),
            (_, bytes) => format!("{} left", bytes_words(bytes)),
        };
        format!("{what} with a stranger at {whereto}: {}", self.name)
    }

    fn rule_title(&self) -> String {
        let name = &self.name;
        let Some(hits) = self.dossier.rules.first() else { return name.to_string() };
        let blocked = if hits.allowed == 0 { " (blocked)" } else { "" };
        match hits.rule {
            Rule::Metadata => format!("cloud metadata service contacted{blocked}"),
            Rule::PrivateScan => format!("many private addresses and ports contacted{blocked}"),
            Rule::Outside if self.target == Target::Many => {
                format!("many destinations outside the allowlist contacted{blocked}")
            }
            Rule::Outside => format!("{name} is outside the allowlist{blocked}"),
            Rule::Private => format!("private address {name} contacted{blocked}"),
        }
    }

    /// What was seen; what is normal; how unlikely, and how much is known.
    fn summary(&self, p: f64, frozen_at: Option<Timestamp>, world: &World) -> String {
        let mut sentences = vec![self.seen_words()];
        let words: Vec<&str> = self.findings.iter().map(|f| f.words.as_str()).collect();
        if !words.is_empty() {
            sentences.push(format!("Why: {}.", words.join("; ")));
        }
        let basis = match frozen_at {
            None => "based on shipped priors, nothing was learned yet".to_owned(),
            Some(at) => format!(
                "based on {} of this template learned until {at}, joined with shipped priors",
                count_words(self.dossier.judged_by.map_or(0, |by| by.template_sessions), "session"),
            ),
        };
        sentences.push(if !self.dossier.is_by_rule() {
            format!(
                "A benign session gets this far with probability {} ({basis}).",
                probability_words(p),
            )
        } else {
            "A rule says so; nothing was estimated for it.".to_owned()
        });
        sentences.extend(self.calibration_words());
        sentences.extend(self.blind_words(world));
        sentences.join(" ")
    }

    /// How the threshold came about, where that is not by the shipped priors.
    fn calibration_words(&self) -> Option<String> {
        let bar = self.dossier.bar;
        let is_calibrated = !self.dossier.is_by_rule() && bar.stage == Stage::Calibrated;
        is_calibrated.then(|| {
            format!(
                "It is reported below {}: by {} of this template, no more than one in 1000 gets \
                 there.",
                probability_words(bar.threshold),
                count_words(bar.sessions, "session"),
            )
        })
    }

    /// What could not be seen meanwhile, and what that means for the numbers.
    fn blind_words(&self, world: &World) -> Option<String> {
        let gaps = self.gaps(world);
        (!gaps.is_empty()).then(|| {
            format!(
                "Egret could not see everything in {} of this time ({}): more may have been sent, \
                 so counts and bytes are lower bounds.",
                percent_words(covered(&gaps, self.seen)),
                missed_words(&gaps),
            )
        })
    }

    fn seen_words(&self) -> String {
        let (seen, observed) = (&self.seen, &self.observed);
        let whereto = match self.target {
            Target::Slot(_) => self.name.to_string(),
            Target::Many => "all its destinations together".to_owned(),
        };
        let mut words = format!(
            "{} sent {} to {whereto} in {} and received {}: {} let through, {} blocked",
            self.sessions_words(),
            bytes_words(observed.up_bytes),
            duration_words(seen.last.since(seen.first)),
            bytes_words(observed.down_bytes),
            count_words(observed.contacts_allowed, "contact"),
            observed.contacts_blocked,
        );
        if let Some(asked) = self.session.asked(self.target) {
            words.push_str(&format!(
                "; {} of what was sent stood in the names of {}",
                bytes_words(asked.name_bytes.into()),
                count_words(u64::from(asked.questions), "DNS question"),
            ));
        }
        if observed.contacts_of_unknown_volume > 0 {
            words.push_str(&format!(
                "; the volume of {} is not known, so more may have been sent",
                count_words(observed.contacts_of_unknown_volume, "contact"),
            ));
        }
        words.push('.');
        words
    }

    fn sessions_words(&self) -> String {
        let (name, _) = self.session.session_of_incident(self.target);
        match self.session.earlier(self.target) {
            None => format!("Session {name}"),
            Some(earlier) => format!(
                "{} of executor {}, from {name} on,",
                count_words(u64::from(earlier.sessions) + 1, "session"),
                self.session.origin.executor,
            ),
        }
    }

    fn gaps(&self, world: &World) -> Vec<GapSeen> {
        world.gaps.of(&self.session.origin.segment, self.seen).cloned().collect()
    }
}

fn secret_title(name: &str, finding: &Finding) -> String {
    if finding.p < THRESHOLD {
        format!("a secret sent to {name}")
    } else {
        format!("something called a secret sent to {name}")
    }
}

fn contradiction_title(name: &str, finding: &Finding) -> String {
    if finding.p < THRESHOLD {
        format!("another name inside the tunnel: {name}")
    } else {
        format!("observers contradict each other about {name}")
    }
}

/// From the powers of ten by which the combined probability is below the threshold: 0.5 at the
/// threshold, 0.82 after three and 0.96 after eight; 1 would be certainty, which no estimate reaches.
pub(crate) fn score(margin: f64) -> f64 {
    1.0 - 0.5 * (-margin / 3.0).exp()
}

/// Rules have no probability: their score follows the severity.
pub(crate) fn rule_score(severity: Severity) -> f64 {
    match severity {
        Severity::Low => 0.3,
        Severity::Medium => 0.5,
        Severity::High => 0.8,
        Severity::Critical => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::score;

    #[test]
    fn the_score_rises_with_the_evidence_and_starts_at_one_half() {
        assert!((score(0.0) - 0.5).abs() < 1e-12);
        let scores: Vec<f64> = [0.0, 1.0, 4.0, 11.0].map(score).to_vec();
        assert!(scores.is_sorted() && scores[3] < 1.0, "{scores:?}");
    }
}
