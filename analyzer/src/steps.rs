//! What an incident may mean (ATT&CK) and what to do about it.

use egret_event::SmolStr;

use crate::detect::foreign_tenant::purpose_of;
use crate::detect::policy::Rule;
use crate::detect::sensitive_content::is_about_encoded;
use crate::explain::Case;
use crate::incident::{Detector, Finding, Technique};
use crate::priors::THRESHOLD;
use crate::session::Target;
use crate::size::Kind;
use crate::tenancy::Purpose;

/// The techniques that the findings point to, strongest first. Source: MITRE ATT&CK v16.
pub(crate) fn techniques(case: &Case<'_>) -> Vec<Technique> {
    let mut techniques: Vec<Technique> = Vec::new();
    let mut add = |(id, name): (&'static str, &'static str)| {
        if !techniques.iter().any(|known| known.id == id) {
            techniques.push(technique((id, name)));
        }
    };
    for finding in case.findings.iter().filter(|finding| finding.share > 0.0) {
        match finding.detector {
            Detector::Policy => case.dossier.rules.iter().for_each(|hits| add(of_rule(hits.rule))),
            Detector::UploadSize => add(of_upload(case)),
            Detector::ForeignTenant => {
                purpose_of(finding).into_iter().for_each(|purpose| add(of_purpose(purpose)));
            }
            Detector::SensitiveContent => {
                add(("T1552", "Unsecured Credentials"));
                add(("T1041", "Exfiltration Over C2 Channel"));
                if is_about_encoded(finding) {
                    add(("T1132", "Data Encoding"));
                }
            }
            Detector::Beacon => add(("T1071.001", "Application Layer Protocol: Web Protocols")),
            Detector::DnsTunnel => {
                add(("T1071.004", "Application Layer Protocol: DNS"));
                add(("T1048.003", "Exfiltration Over Unencrypted Non-C2 Protocol"));
            }
            Detector::SlowDrip => {
                add(LITTLE_BY_LITTLE);
                add(("T1041", "Exfiltration Over C2 Channel"));
            }
            Detector::RateBurst if case.target == Target::Many => add(DISCOVERY_OF_SERVICES),
            Detector::RateBurst => add(("T1020", "Automated Exfiltration")),
            Detector::FanOut | Detector::NotFound => add(LITTLE_BY_LITTLE),
            Detector::BlockedProbes => add(DISCOVERY_OF_SERVICES),
            Detector::Contradiction if finding.p < THRESHOLD => add(FRONTING),
            Detector::Contradiction => add(OTHER_PROTOCOL),
            Detector::DirectAddress => add(OTHER_PROTOCOL),
            Detector::OddCertificate => {
                add(("T1587.003", "Develop Capabilities: Digital Certificates"));
            }
            // Being new is no technique, nor is being blind or unwell; many sessions together have their own.
            Detector::NewDestination
            | Detector::Blind
            | Detector::FleetDrip
            | Detector::TemplateDrift
            | Detector::Health => {}
        }
    }
    techniques
}

fn technique((id, name): (&'static str, &'static str)) -> Technique {
    Technique { id: SmolStr::new_static(id), name: SmolStr::new_static(name) }
}

/// What it may mean that many sessions leave a little at one place.
pub(crate) fn techniques_of_fleet_drip() -> Vec<Technique> {
    vec![technique(LITTLE_BY_LITTLE), technique(WEB_SERVICE)]
}

/// What to do about it, most useful first.
pub(crate) fn next_steps_of_fleet_drip(destination: &str, named: &[&str]) -> Vec<String> {
    vec![
        format!(
            "Find out what these sessions have in common that names {destination}: a package, a \
             repository, an image, a prompt."
        ),
        format!("Look at what one of them sent: session {}.", named.first().unwrap_or(&"*")),
        format!("Block {destination} at the proxy or firewall until that is answered."),
        format!(
            "If {destination} is a service that was introduced lately, close this incident: from two \
             weeks after its first session on it is part of what is normal."
        ),
    ]
}

/// What to do where a template's sessions have changed, most useful first.
pub(crate) fn next_steps_of_template_drift(template: &str) -> Vec<String> {
    vec![
        format!(
            "Find out what changed for template {template}: its image, a tool or a mirror, what agents are \
             asked to do."
        ),
        "Look at its other incidents since then: an attack on many sessions looks like a change."
            .to_owned(),
        "If the change is meant, nothing is to be done: what is normal is learned anew.".to_owned(),
    ]
}

const LITTLE_BY_LITTLE: (&str, &str) = ("T1030", "Data Transfer Size Limits");
const DISCOVERY_OF_SERVICES: (&str, &str) = ("T1046", "Network Service Discovery");
const FRONTING: (&str, &str) = ("T1090.004", "Proxy: Domain Fronting");
const WEB_SERVICE: (&str, &str) = ("T1567", "Exfiltration Over Web Service");
const OTHER_PROTOCOL: (&str, &str) = ("T1048", "Exfiltration Over Alternative Protocol");

fn of_rule(rule: Rule) -> (&'static str, &'static str) {
    match rule {
        Rule::Metadata => ("T1552.005", "Unsecured Credentials: Cloud Instance Metadata API"),
        Rule::PrivateScan | Rule::Private => ("T1018", "Remote System Discovery"),
        Rule::Outside => OTHER_PROTOCOL,
    }
}

fn of_purpose(purpose: Purpose) -> (&'static str, &'static str) {
    match purpose {
        Purpose::Code | Purpose::Snippet => {
            ("T1567.001", "Exfiltration Over Web Service: Exfiltration to Code Repository")
        }
        Purpose::Bucket => ("T1537", "Transfer Data to Cloud Account"),
        Purpose::Drop => {
            ("T1567.002", "Exfiltration Over Web Service: Exfiltration to Cloud Storage")
        }
        Purpose::Paste => {
            ("T1567.003", "Exfiltration Over Web Service: Exfiltration to Text Storage Sites")
        }
        Purpose::Chat => ("T1567.004", "Exfiltration Over Web Service: Exfiltration Over Webhook"),
        Purpose::Tunnel => ("T1572", "Protocol Tunneling"),
        Purpose::Images | Purpose::Hub | Purpose::Files | Purpose::Registry => WEB_SERVICE,
    }
}

fn of_upload(case: &Case<'_>) -> (&'static str, &'static str) {
    match case.target {
        Target::Slot(at) if case.session.slots[at].kind != Kind::Web => OTHER_PROTOCOL,
        _ => WEB_SERVICE,
    }
}

/// What to do next, most useful first.
pub(crate) fn next_steps(case: &Case<'_>) -> Vec<String> {
    let mut steps = Vec::new();
    let executor = &case.session.origin.executor;
    let name = &case.name;
    let rules = &case.dossier.rules;
    if rules.iter().any(|hits| hits.rule == Rule::Metadata && hits.allowed > 0) {
        steps.push(format!(
            "Revoke the credentials that the cloud role of executor {executor} can get, and look \
             for their use elsewhere."
        ));
    }
    let secret = finding_of(case, Detector::SensitiveContent);
    if let Some(secret) = secret.filter(|finding| finding.p < THRESHOLD) {
        steps.push(format!(
            "Revoke this credential now, and look for its use elsewhere: {}.",
            secret.words
        ));
    }
    steps.push(ask_owner(case));
    steps.extend(steps_of_findings(case));
    match case.target {
        Target::Slot(_) if case.observed.contacts_allowed > 0 => {
            steps.push(format!("Block {name} at the proxy or firewall until that is answered."));
        }
        Target::Slot(_) if case.observed.contacts_blocked > 0 => {
            steps.push(format!("Confirm that {name} is still blocked."));
        }
        Target::Slot(_) => {}
        Target::Many => steps.push(format!(
            "Stop executor {executor} if nobody can explain it: it tries one destination after \
             another."
        )),
    }
    let whose = match case.session.earlier(case.target) {
        None => format!("session {}", case.session.name()),
        Some(_) => format!("executor {executor}"),
    };
    steps.push(format!("Look at the files and the commands of {whose} since {}.", case.seen.first));
    steps.extend(rules.first().map(|hits| exception(case, hits.rule)));
    if case.observed.contacts_of_unknown_volume > 0 {
        steps.push(
            "Let the proxy log bytes sent, so that the volume is known next time.".to_owned(),
        );
    }
    steps
}

/// What to do about what was found of one destination, detector by detector.
fn steps_of_findings(case: &Case<'_>) -> Vec<String> {
    let (mut steps, name, executor) = (Vec::new(), &case.name, &case.session.origin.executor);
    let is_found = |detector| finding_of(case, detector).is_some();
    if is_found(Detector::DnsTunnel) {
        steps.push(format!(
            "Block {name} at the resolver, and executors from asking other resolvers; the names \
             asked for hold what was taken."
        ));
    }
    if is_found(Detector::ForeignTenant) {
        steps.push(format!(
            "Find out whose account at {name} it is, and whose token was used: the owner's, one that the \
             task was given, or one that came with what it read. If it is a stranger's, ask the service to \
             take down what was left there."
        ));
    }
    if is_found(Detector::NotFound) {
        steps.push(format!(
            "Read the paths that {name} answered with 404 or 410, in the proxy's log: a program that looks for \
             something asks for words, and names that nobody would give hold what was taken. An index that \
             asks another one for what it does not have has passed them on."
        ));
    }
    if is_found(Detector::SlowDrip) {
        steps.push(format!(
            "Find the program that keeps sending to {name}, and look at what one of its requests \
             holds: telemetry says so."
        ));
    }
    if is_found(Detector::Beacon) {
        steps.push(format!(
            "Find what runs on executor {executor} by a timer: stop the contacts, and see whether \
             a process, a scheduled job or a package's own hook makes them."
        ));
    }
    if is_found(Detector::DirectAddress) {
        steps.push(format!(
            "Find out whose address {name} is (its reverse name, its network's owner), and where in \
             the task's files or commands it is written down."
        ));
    }
    steps
}

fn finding_of<'a>(case: &'a Case<'_>, detector: Detector) -> Option<&'a Finding> {
    case.findings.iter().find(|finding| finding.detector == detector)
}

fn ask_owner(case: &Case<'_>) -> String {
    let whom = match &case.session.origin.tenant {
        Some(tenant) => format!("the owner of tenant {tenant:?}"),
        None => format!("the owner of executor {}", case.session.origin.executor),
    };
    match case.target {
        Target::Slot(_) => format!("Ask {whom} whether the task needs {}.", case.name),
        Target::Many => {
            format!("Ask {whom} whether the task is meant to contact many destinations.")
        }
    }
}

fn exception(case: &Case<'_>, rule: Rule) -> String {
    let name = &case.name;
    match rule {
        Rule::Metadata => "Block the metadata service for executors in the network.".to_owned(),
        Rule::Outside if case.target == Target::Many => {
            "If executors should reach these destinations, add them to analyzer.allow.".to_owned()
        }
        Rule::Outside => format!("If executors should reach {name}, add it to analyzer.allow."),
        Rule::Private | Rule::PrivateScan => {
            "If executors should reach these addresses, add them to analyzer.allow_private."
                .to_owned()
        }
    }
}
