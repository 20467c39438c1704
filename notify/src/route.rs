//! Who is told of what.

use egret_analyzer::{ChangeKind, Detector, Incident, IncidentChange, Signal};
use egret_event::Timestamp;
use egret_store::{Addressee, OutboxEntry};

use crate::Target;

/// What an incident of Egret's own is about where it is about a target, by itself or with a colon and more behind it: that
/// target is not told of it.
pub fn about_target(name: &str) -> String {
    format!("target {name}")
}

/// The targets that want an alert about such a change of `incident` at `now`. Whether it is a repeat, and whether
/// they need to know, the store finds when it writes the change.
pub fn targets_for(
    targets: &[Target],
    incident: &Incident,
    kind: ChangeKind,
    now: Timestamp,
) -> Vec<Addressee> {
    let Some(signal) = kind.signal() else { return Vec::new() };
    targets
        .iter()
        .filter(|target| incident.severity >= target.min_severity)
        .filter(|target| target.only.has(incident) && !is_about(incident, target))
        .map(|target| addressee(target, incident, signal, now))
        .collect()
}

fn addressee(target: &Target, incident: &Incident, signal: Signal, now: Timestamp) -> Addressee {
    let calls = &target.calls;
    let to = Addressee {
        repeats: target.repeats,
        is_selective: calls.is_selective(),
        ..Addressee::of_all(&target.name)
    };
    if signal != Signal::Raise {
        return to;
    }
    // Nobody can take on at night what they are told of in the morning.
    let after_quiet = |at| calls.quiet.until(incident, at);
    let not_before = after_quiet(now);
    let if_untaken_at = calls.unacknowledged_for.map(|patience| {
        let at = not_before.unwrap_or(now) + patience;
        after_quiet(at).unwrap_or(at)
    });
    Addressee { not_before, if_untaken_at, ..to }
}

/// Whether an incident says that the target takes no alerts.
fn is_about(incident: &Incident, target: &Target) -> bool {
    incident.strongest() == Some(Detector::Health)
        && incident
            .session
            .strip_prefix(about_target(&target.name).as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// The outbox entries that tell the targets of `changes`, in the order of the changes.
pub fn route(targets: &[Target], changes: &[IncidentChange], now: Timestamp) -> Vec<OutboxEntry> {
    changes.iter().flat_map(|change| entries(targets, change, now)).collect()
}

fn entries(targets: &[Target], change: &IncidentChange, now: Timestamp) -> Vec<OutboxEntry> {
    let Some(signal) = change.kind.signal() else { return Vec::new() };
    let addressees = targets_for(targets, &change.incident, change.kind, now);
    if addressees.is_empty() {
        return Vec::new();
    }
    let body = serde_json::to_string(change).expect("a change has string keys and no custom form");
    let entry = |to| OutboxEntry {
        alert: change.alert_id(),
        incident: change.incident.id,
        to,
        signal,
        severity: change.incident.severity,
        body: body.clone(),
    };
    addressees.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RawNotify;
    use crate::sample::{AT, change, incident};
    use egret_analyzer::{Severity, Technique};

    fn targets() -> Vec<Target> {
        let lines = "[[targets]]\nkind = 'syslog'\nname = 'all'\naddress = 'l.example:514'\n\
                     [[targets]]\nkind = 'syslog'\nname = 'pager'\naddress = 'l.example:515'\n\
                     min_severity = 'critical'\nrepeats = false\n";
        toml::from_str::<RawNotify>(lines).unwrap().check().unwrap()
    }

    #[test]
    fn each_target_is_told_of_what_is_grave_enough_for_it() {
        let grave = Incident { severity: Severity::Critical, ..incident("b") };
        let changes =
            [change(ChangeKind::Opened, 0, incident("a")), change(ChangeKind::Grew, 1, grave)];
        let entries = route(&targets(), &changes, AT);
        let told: Vec<_> = entries.iter().map(|e| (e.to.target.as_str(), e.incident)).collect();
        let [a, b] = [&changes[0], &changes[1]].map(|change| change.incident.id);
        assert_eq!(told, [("all", a), ("all", b), ("pager", b)]);
        let repeats: Vec<_> = entries.iter().map(|e| e.to.repeats).collect();
        assert_eq!(repeats, [true, true, false]);
        assert_eq!(entries[0].alert, changes[0].alert_id());
        assert_eq!(serde_json::from_str::<IncidentChange>(&entries[0].body).unwrap(), changes[0]);
    }

    #[test]
    fn a_target_is_told_only_of_what_it_is_for() {
        let told = |line: &str, incident: &Incident| {
            let lines = format!(
                "[[targets]]\nkind = 'syslog'\nname = 'a'\naddress = 'l.example:514'\n{line}\n"
            );
            let targets = toml::from_str::<RawNotify>(&lines).unwrap().check().unwrap();
            !targets_for(&targets, incident, ChangeKind::Opened, AT).is_empty()
        };
        let mut one = incident("a");
        one.origin.tenant = Some("acme".into());
        one.explanation.techniques =
            vec![Technique { id: "T1567.002".into(), name: "To Cloud Storage".into() }];
        for (line, is_told) in [
            ("", true),
            ("segments = ['vms', 'pods']", true),
            ("segments = ['vms']", false),
            ("templates = ['python-3.12']", true),
            ("templates = ['node']", false),
            ("tenants = ['acme']", true),
            ("tenants = ['acme corp']", false),
            ("techniques = ['T1041', 'T1567']", true),
            ("techniques = ['T1567.002']", true),
            ("techniques = ['T156']", false),
            ("techniques = ['T1567.001']", false),
            ("tenants = ['acme']\nsegments = ['vms']", false),
        ] {
            assert_eq!(told(line, &one), is_told, "{line}");
        }
        one.origin.tenant = None;
        assert!(!told("tenants = ['acme']", &one), "who it is for is not known");
    }

    #[test]
    fn ends_and_comments_are_not_sent() {
        for (kind, told) in [
            (ChangeKind::Opened, true),
            (ChangeKind::Grew, true),
            (ChangeKind::Acknowledged, true),
            (ChangeKind::Closed, true),
            (ChangeKind::Reopened, true),
            (ChangeKind::Resumed, true),
            (ChangeKind::Obscured, false),
            (ChangeKind::Ended, false),
            (ChangeKind::Commented, false),
        ] {
            let is_told = !targets_for(&targets(), &incident("a"), kind, AT).is_empty();
            assert_eq!(is_told, told, "{kind:?}");
        }
    }
}
