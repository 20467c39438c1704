//! Every attack in every manner, read back by the collector: what it did is there to be seen, at
//! the place and in the amount that the truth tells.

use std::collections::HashMap;

use egret_event::{Fact, SeenBy, TlsCarrier};

use super::*;
use crate::simulate::benign::{self, Template};

/// What the collector made of one flow.
#[derive(Debug, Default)]
struct Flow {
    port: u16,
    domain: String,
    up_bytes: u64,
}

/// What the collector makes of a scenario's files.
struct Told {
    capture: Vec<Event>,
    logged: Vec<Event>,
}

impl Told {
    fn of(story: &Story) -> Self {
        let [squid, envoy] = [
            (&story.written.squid_log, Dialect::SquidEgret),
            (&story.written.envoy_log, Dialect::EnvoyJson),
        ]
        .map(|(path, dialect)| events_of(log_source(path, dialect)));
        let capture = events_of(SourceKind::Capture { path: story.written.capture.clone() });
        Self { capture, logged: [squid, envoy].concat() }
    }

    /// The flows of an executor by their first packets.
    fn flows_of(&self, executor: IpAddr) -> HashMap<Timestamp, Flow> {
        let mut began = HashMap::new();
        let mut flows: HashMap<Timestamp, Flow> = HashMap::new();
        for event in self.capture.iter().filter(|event| event.client.0 == executor) {
            let Fact::Flow(interval) = &event.fact else { continue };
            let first = *began.entry(interval.flow).or_insert(interval.from);
            let flow = flows.entry(first).or_default();
            flow.port = event.client.1;
            flow.domain = event.destination.domain.to_string();
            flow.up_bytes += event.up_bytes().unwrap_or(0);
        }
        flows
    }

    /// What proxies logged of the connection from `client` while `contact` lasted.
    fn logged_of(&self, client: (IpAddr, u16), contact: &Contact) -> Vec<&Event> {
        let of_it = |event: &&Event| {
            event.client == client
                && (contact.began..=contact.ended + Duration::from_secs(1)).contains(&event.at)
        };
        self.logged.iter().filter(of_it).collect()
    }
}

fn is_place(attack: &Attack, domain: &str) -> bool {
    let addresses = attack.addresses.iter().map(ToString::to_string);
    attack.destination == domain
        || attack.seen_as.iter().any(|place| place == domain)
        || addresses.into_iter().any(|address| address == domain)
}

#[test]
fn what_a_plain_attack_sent_is_seen_where_it_says() {
    Scenario::attacks().for_each(|scenario| check_attacks(scenario, Manner::Plain));
}

#[test]
fn what_a_jittered_attack_sent_is_seen_where_it_says() {
    Scenario::attacks().for_each(|scenario| check_attacks(scenario, Manner::Jittered));
}

#[test]
fn what_a_low_and_slow_attack_sent_is_seen_where_it_says() {
    Scenario::attacks().for_each(|scenario| check_attacks(scenario, Manner::LowAndSlow));
}

fn check_attacks(scenario: Scenario, manner: Manner) {
    let story = Story::told(&Plan { manner, benign_sessions: 0, ..plan(scenario) });
    let (name, told) = (format!("{scenario}, {manner}"), Told::of(&story));
    let attacks = story.attacks();
    assert!(!attacks.is_empty(), "{name}");
    for (session, attack) in attacks {
        match scenario.channel() {
            "dns" => check_questions(&name, &told, (session, attack)),
            "blocked" => check_blocked(&name, &told, (session, attack)),
            _ => check_flows(&name, &told, (session, attack)),
        }
    }
}

/// Each contact is a flow to one of the attack's places; a proxy logged it with the same bytes, or
/// the requests inside.
fn check_flows(name: &str, told: &Told, (session, attack): (&SessionTruth, &Attack)) {
    let name = format!("{name} by {}", attack.route);
    let address = session.executor.address;
    let flows = told.flows_of(address);
    let mut up_bytes = 0;
    for contact in &attack.contacts {
        let Some(flow) = flows.get(&contact.began) else { panic!("{name}: {contact:?} unseen") };
        assert!(is_place(attack, &flow.domain), "{name}: went to {}", flow.domain);
        assert!(flow.up_bytes >= contact.stolen_bytes, "{name}: {flow:?}");
        up_bytes += flow.up_bytes;
        let logged = told.logged_of((address, flow.port), contact);
        let places = logged.iter().all(|event| is_place(attack, &event.destination.domain));
        assert!(places, "{name}: {logged:?}");
        let logged_bytes: u64 = logged.iter().filter_map(|event| event.up_bytes()).sum();
        match attack.route.as_str() {
            "squid" => assert_eq!(logged_bytes, flow.up_bytes, "{name}"),
            "squid-bump" => {
                assert!(logged_bytes > contact.stolen_bytes, "{name}: {logged:?}");
                assert!(logged.iter().any(|event| names_a_path(event)), "{name}: {logged:?}");
            }
            _ => assert_eq!(logged.len(), 0, "{name}: {logged:?}"),
        }
    }
    assert_eq!(up_bytes, attack.up_bytes, "{name}");
    // The metadata service is asked; nothing leaves by it.
    assert_eq!(attack.stolen_bytes > 0, !name.starts_with("metadata"), "{name}");
}

fn names_a_path(event: &Event) -> bool {
    matches!(&event.fact, Fact::Http(request) if request.path.is_some()
        && request.seen_by == SeenBy::Proxy)
}

/// Each contact is a question, and all of them are long enough for what was stolen.
fn check_questions(name: &str, told: &Told, (session, attack): (&SessionTruth, &Attack)) {
    let asked: Vec<&str> = told
        .capture
        .iter()
        .filter(|event| event.client.0 == session.executor.address)
        .filter(|event| event.destination.domain == attack.destination)
        .filter_map(|event| match &event.fact {
            Fact::Dns(exchange) => Some(exchange.name.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(asked.len(), attack.contacts.len(), "{name}");
    let letters: usize = asked.iter().map(|name| name.len() - attack.destination.len()).sum();
    assert!(letters as u64 > attack.stolen_bytes * 8 / 5, "{name}: {letters} letters");
}

/// As many distinct hosts were refused as the truth tells, and none let through.
fn check_blocked(name: &str, told: &Told, (session, attack): (&SessionTruth, &Attack)) {
    let events = told.capture.iter().chain(&told.logged);
    let blocked: BTreeSet<&str> = events
        .filter(|event| event.client.0 == session.executor.address && event.verdict.is_blocked())
        .filter_map(|event| event.destination.host.as_deref())
        .filter(|host| host.ends_with(".example") || host.ends_with(".test"))
        .collect();
    assert_eq!(blocked.len() as u64, attack.blocked_destinations, "{name}: {blocked:?}");
    assert!(blocked.len() >= 20 && attack.stolen_bytes == 0, "{name}");
}

#[test]
fn low_and_slow_stays_below_naive_limits_and_lasts_longer_than_plain() {
    const MOST_IN_A_MINUTE: usize = 100;
    const MOST_BYTES: u64 = 10_000_000;
    for scenario in Scenario::attacks() {
        let [plain, _, slow] = Manner::ALL.map(|manner| {
            let played = cast::play(&Plan { manner, benign_sessions: 0, ..plan(scenario) });
            played.into_iter().filter_map(|p| p.truth.attack).collect::<Vec<_>>()
        });
        let ends = |attacks: &[Attack]| attacks.iter().map(|attack| attack.end).max().unwrap();
        let starts = |attacks: &[Attack]| attacks.iter().map(|attack| attack.start).min().unwrap();
        let lasts = |attacks: &[Attack]| ends(attacks).since(starts(attacks));
        assert!(lasts(&slow) > lasts(&plain), "{scenario}");
        assert!(lasts(&slow) > Duration::from_secs(3600), "{scenario}: {:?}", lasts(&slow));
        for attack in &slow {
            assert!(attack.up_bytes < MOST_BYTES, "{scenario}: {} bytes", attack.up_bytes);
            let began: Vec<Timestamp> = attack.contacts.iter().map(|c| c.began).collect();
            let minute = began.windows(MOST_IN_A_MINUTE);
            let fast = minute.filter(|w| w[w.len() - 1].since(w[0]) < Duration::from_secs(60));
            assert_eq!(fast.count(), 0, "{scenario}: more than 100 contacts in a minute");
        }
    }
}

#[test]
fn a_session_goes_on_working_while_an_attack_takes_hours() {
    let plan = Plan { manner: Manner::LowAndSlow, ..plan(named("slow-drip")) };
    for played in cast::play(&plan) {
        let Some(attack) = &played.truth.attack else { continue };
        let hours = attack.end.since(attack.start).as_secs() / 3600;
        assert!(hours >= 4, "{hours} hours");
        let done = played.truth.activities.len() as u64;
        assert!((hours..hours * 4).contains(&done), "{done} activities in {hours} hours");
    }
}

#[test]
fn the_table_of_attacks_has_no_name_twice_and_techniques_of_the_right_form() {
    let names: BTreeSet<&str> = Scenario::ALL.into_iter().map(Scenario::word).collect();
    assert_eq!(names.len(), Scenario::ALL.len());
    for scenario in Scenario::attacks() {
        let technique = scenario.technique();
        let digits = technique.strip_prefix('T').map(|digits| digits.replace('.', ""));
        let is_number = digits.is_some_and(|d| d.len() >= 4 && d.parse::<u32>().is_ok());
        assert!(is_number, "{scenario}: {technique:?}");
        assert!(!scenario.about().is_empty() && !scenario.channel().is_empty(), "{scenario}");
    }
}

#[test]
fn an_attack_ends_when_it_has_stolen_what_it_may() {
    for (scenario, most_bytes, contacts) in [("bulk-upload", 16_384, 1), ("dns-tunnel", 1_000, 14)]
    {
        let plan = Plan { most_bytes: Some(most_bytes), ..plan(named(scenario)) };
        let story = Story::told(&Plan { benign_sessions: 0, ..plan });
        for (_, attack) in story.attacks() {
            let stolen: u64 = attack.contacts.iter().map(|contact| contact.stolen_bytes).sum();
            assert_eq!(
                (stolen, attack.contacts.len()),
                (most_bytes as u64, contacts),
                "{scenario}"
            );
        }
    }
}

/// A plain attack, and what the collector makes of it.
fn plain(scenario: &str) -> (Story, Told) {
    let story = Story::told(&Plan { benign_sessions: 0, ..plan(named(scenario)) });
    let told = Told::of(&story);
    (story, told)
}

/// The attack that goes by `route`, with its session.
fn by_route<'a>(story: &'a Story, route: &str) -> (&'a SessionTruth, &'a Attack) {
    story.attacks().into_iter().find(|(_, attack)| attack.route == route).unwrap()
}

/// Events of an executor during its attack.
fn during<'a>(
    events: &'a [Event],
    (session, attack): (&SessionTruth, &Attack),
) -> impl Iterator<Item = &'a Event> {
    let (executor, start, end) = (session.executor.address, attack.start, attack.end);
    let end = end + Duration::from_secs(1);
    events
        .iter()
        .filter(move |event| event.client.0 == executor && (start..=end).contains(&event.at))
}

#[test]
fn the_path_of_a_gist_is_seen_only_by_a_proxy_that_looks_into_tls() {
    let (story, told) = plain("gist");
    let paths = |route: &str| -> Vec<String> {
        let of = by_route(&story, route);
        let seen = during(&told.capture, of).chain(during(&told.logged, of));
        seen.filter_map(|event| match &event.fact {
            Fact::Http(request) => request.path.as_ref().map(ToString::to_string),
            _ => None,
        })
        .collect()
    };
    assert_eq!(paths("direct"), Vec::<String>::new());
    assert_eq!(paths("squid"), Vec::<String>::new());
    assert_eq!(paths("squid-bump"), ["/gists"]);
}

#[test]
fn a_hidden_host_is_seen_only_by_a_proxy_that_looks_into_tls() {
    let (story, told) = plain("fronting");
    for (route, sees_it) in [("direct", false), ("squid", false), ("squid-bump", true)] {
        let of = by_route(&story, route);
        let mut seen = during(&told.capture, of).chain(during(&told.logged, of));
        let hidden = &of.1.destination;
        assert_eq!(seen.any(|event| event.destination.domain == *hidden), sees_it, "{route}");
    }
}

#[test]
fn an_encrypted_hello_shows_the_public_name_and_dns_that_there_is_a_key() {
    let (story, told) = plain("ech-quic");
    let mut carriers = Vec::new();
    for of in story.attacks() {
        let mut has_key = false;
        for event in during(&told.capture, of) {
            match &event.fact {
                Fact::Tls(hello) => {
                    let told = (hello.sni.as_deref(), hello.ech);
                    assert_eq!(told, (Some("cloudflare-ech.com"), true));
                    carriers.push(hello.carrier);
                }
                Fact::Dns(exchange) => {
                    let services = exchange.resolution.iter().flat_map(|found| &found.services);
                    has_key |= services.into_iter().any(|service| service.ech);
                }
                _ => {}
            }
        }
        assert!(has_key);
    }
    assert_eq!(carriers.len(), 2);
    assert!([TlsCarrier::Quic, TlsCarrier::Tcp].iter().all(|each| carriers.contains(each)));
}

#[test]
fn what_goes_straight_to_an_address_has_no_name() {
    for scenario in ["direct-ipv4", "direct-ipv6", "other-protocols"] {
        let (story, told) = plain(scenario);
        for of in story.attacks().into_iter().filter(|(_, attack)| attack.route == "direct") {
            for event in during(&told.capture, of) {
                assert!(event.destination.host.is_none(), "{scenario}: {event:?}");
            }
        }
    }
}

/// The page that says what there is.
const LIST: &str = include_str!("../SCENARIOS.md");

#[test]
fn the_page_of_scenarios_lists_what_there_is() {
    let rows: Vec<String> = Scenario::attacks()
        .map(|s| format!("| `{s}` | {} | {} | {} |", s.technique(), s.channel(), s.about()))
        .collect();
    let listed: Vec<&str> = LIST.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(listed, rows, "egret/src/simulate/SCENARIOS.md has other rows than the table");
    let profiles: BTreeSet<&str> = benign::TEMPLATES.iter().flat_map(Template::profiles).collect();
    let listed: BTreeSet<&str> =
        LIST.lines().filter_map(|line| line.strip_prefix("- `")?.split('`').next()).collect();
    assert_eq!(listed, profiles);
}
