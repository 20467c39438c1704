//! What real programs were recorded to do: the profiles are sound, and are said again as they are.

use std::io::BufWriter;

use egret_event::{Fact, SmolStr, registrable_domain};

use super::*;
use crate::simulate::benign::recorded::{program_of, say_again};
use crate::simulate::dice::Dice;
use crate::simulate::output::write_capture;
use crate::simulate::programs::Program;
use crate::simulate::recording::{Contact as Recorded, Over, Profile, Run, TEXTS, parse};
use crate::simulate::session::{Route, Session};
use crate::simulate::wire::track::Track;

/// All that profiles may name: registries, and what local stand-ins were called.
const HOSTS: [&str; 13] = [
    "api.anthropic.com",
    "api.github.com",
    "api.openai.com",
    "deb.debian.org",
    "files.pythonhosted.org",
    "github.com",
    "index.crates.io",
    "proxy.golang.org",
    "pypi.org",
    "raw.githubusercontent.com",
    "registry.npmjs.org",
    "repo.maven.apache.org",
    "static.crates.io",
];

/// All profiles together: they are part of the program.
const MOST_PROFILE_BYTES: usize = 300 << 10;

/// A hello has at least its random, its ciphers and a name; an answer to it a key.
const LEAST_HELLO_BYTES: usize = 200;

fn profiles() -> impl Iterator<Item = (&'static str, Profile)> {
    TEXTS.iter().map(|(name, text)| match parse(text) {
        Ok(profile) => (*name, profile),
        Err(error) => panic!("{name}.tsv, {error}"),
    })
}

#[test]
fn every_profile_is_sound_and_names_only_public_hosts() {
    let bytes: usize = TEXTS.iter().map(|(_, text)| text.len()).sum();
    assert!(bytes <= MOST_PROFILE_BYTES, "{bytes} bytes of profiles");
    for (name, profile) in profiles() {
        let names: BTreeSet<&str> = profile.runs.iter().map(|run| run.name).collect();
        assert_eq!(names.len(), profile.runs.len(), "{name}: a run's name is there twice");
        for run in &profile.runs {
            assert!(run.name.starts_with(name), "{} in {name}", run.name);
            assert!(!run.contacts.is_empty(), "{}", run.name);
            assert_eq!(run.contacts[0].offset, Duration::ZERO, "{}", run.name);
            run.contacts.iter().for_each(|contact| check_contact(run.name, contact));
        }
        for part in [Part::Tuning, Part::HeldOut] {
            assert!(profile.part(part).len() >= 3, "{name}: few runs of {part:?}");
        }
    }
}

fn check_contact(run: &str, contact: &Recorded) {
    assert!(HOSTS.contains(&contact.host), "{run}: {}", contact.host);
    let last = contact.bursts.last().expect("a contact says something");
    assert!(contact.lasted >= last.at, "{run}: {contact:?}");
    let first = contact.bursts[0];
    assert_eq!(first.way, Way::Up, "{run}: {contact:?}");
    match contact.over {
        Over::Tls => {
            assert!(first.bytes >= LEAST_HELLO_BYTES, "{run}: {contact:?}");
            assert!(contact.bursts.iter().all(|burst| burst.path.is_none()), "{run}: {contact:?}");
        }
        Over::Clear => assert!(first.path.is_some(), "{run}: {contact:?}"),
    }
}

#[test]
fn every_profile_tells_what_it_is_of() {
    for (name, text) in TEXTS {
        for key in ["program", "recorded", "real", "stand-in", "licence", "scale"] {
            let told = text.lines().find_map(|line| line.strip_prefix(&format!("# {key}: ")));
            assert!(told.is_some_and(|told| !told.is_empty()), "{name}.tsv does not tell {key}");
        }
    }
}

#[test]
fn what_real_programs_sent_goes_up_again_to_the_byte() {
    for (name, profile) in profiles() {
        for run in &profile.runs {
            let mut sent: Vec<(SmolStr, u64)> = run.contacts.iter().map(place_and_bytes).collect();
            let mut seen = flows_again(program_of(name).unwrap(), &profile, run);
            // Some begin at the same moment.
            sent.sort();
            seen.sort();
            assert_eq!(seen, sent, "{name}, {}", run.name);
        }
    }
}

fn place_and_bytes(contact: &Recorded) -> (SmolStr, u64) {
    (registrable_domain(contact.host), up_bytes_of(contact))
}

fn up_bytes_of(contact: &Recorded) -> u64 {
    let ups = contact.bursts.iter().filter(|burst| burst.way == Way::Up);
    ups.map(|burst| burst.bytes as u64).sum()
}

/// The names and uploads of the flows that the collector sees of a run, as they begin.
fn flows_again(program: &'static Program, profile: &Profile, run: &Run) -> Vec<(SmolStr, u64)> {
    let place = (world::executor_address(0, 1, false), Route::Direct);
    let start = Timestamp::from_secs(1_769_850_000);
    let mut session = Session::begin(place, start, run.part, Dice::new(SEED, 1));
    say_again(&mut session, (profile, run), (program, |_, _, _| ("GET", "/".to_owned(), 200)));
    let mut tracks = session.end().tracks;
    tracks.sort_by_key(Track::begins);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.pcap");
    let mut file = BufWriter::new(std::fs::File::create(&path).unwrap());
    write_capture(tracks.into_iter(), &mut file).unwrap();
    drop(file);
    flows_in(&events_of(SourceKind::Capture { path }))
}

/// Flows to public places, not to the resolver or a proxy: where to, and bytes up.
fn flows_in(events: &[Event]) -> Vec<(SmolStr, u64)> {
    let mut flows: BTreeMap<(Timestamp, u16), (SmolStr, u64)> = BTreeMap::new();
    let mut began = BTreeMap::new();
    let net: (IpAddr, IpAddr) = ([198, 18, 0, 0].into(), "2001:2::".parse().unwrap());
    let is_public = |address| within(address, net.0, 15) || within(address, net.1, 48);
    for event in events.iter().filter(|event| event.destination.address.is_some_and(is_public)) {
        let Fact::Flow(interval) = &event.fact else { continue };
        let first = *began.entry(interval.flow).or_insert(interval.from);
        let flow = flows.entry((first, event.client.1)).or_default();
        flow.0 = event.destination.domain.clone();
        flow.1 += event.up_bytes().unwrap_or(0);
    }
    flows.into_values().collect()
}

/// Registries: nothing but recordings has to do with them.
const REGISTRIES: [&str; 6] =
    ["apache.org", "crates.io", "golang.org", "npmjs.org", "pypi.org", "pythonhosted.org"];

/// Where connections to registries went, and bytes up, with this seed.
fn sent_to_registries(seed: u64) -> BTreeSet<(SmolStr, u64)> {
    let story = Story::told(&Plan { seed, benign_sessions: 40, ..plan(Scenario::BENIGN) });
    let events = events_of(SourceKind::Capture { path: story.written.capture.clone() });
    let flows = flows_in(&events).into_iter();
    flows.filter(|(domain, _)| REGISTRIES.contains(&domain.as_str())).collect()
}

#[test]
fn held_out_seeds_replay_recordings_that_no_smaller_seed_does() {
    let of_part = |part| -> BTreeSet<(SmolStr, u64)> {
        let runs = profiles().flat_map(|(_, profile)| profile.runs);
        let contacts = runs.filter(|run| run.part == part).flat_map(|run| run.contacts);
        contacts.map(|contact| place_and_bytes(&contact)).collect()
    };
    let (tuning, held_out) = (of_part(Part::Tuning), of_part(Part::HeldOut));
    for (seed, own, others) in [
        (FIRST_HELD_OUT_SEED - 1, &tuning, &held_out),
        (FIRST_HELD_OUT_SEED, &held_out, &tuning),
        (u64::MAX, &held_out, &tuning),
    ] {
        let sent = sent_to_registries(seed);
        assert!(sent.is_subset(own), "seed {seed}: {sent:?}");
        assert!(!sent.is_subset(others), "seed {seed}: {sent:?}");
    }
}

#[test]
fn what_is_no_profile_is_refused_with_its_line() {
    let refused = |text: &'static str| parse(text).unwrap_err().to_string();
    assert_eq!(refused("downloads\t0x"), "line 1: not a divisor");
    assert_eq!(refused("run\ta-1\ttuning\tx"), "line 1: a run before the divisor of downloads");
    assert_eq!(
        refused("# a\ndownloads\t9\nrun\ta\tboth\tx"),
        "line 3: neither tuning nor held-out"
    );
    let broken = [
        ("0\tpypi.org\t443\ttls\t9\tclient-closes", "a contact has seven fields"),
        ("0\tpypi.org\t443\tssh\t9\tclient-closes\t0+1", "neither tls nor clear"),
        ("0\tpypi.org\t443\ttls\t9\tnever\t0+1", "not an ending"),
        (
            "0\tpypi.org\t443\ttls\t9\tclient-closes\t0+0",
            "a burst that is empty, too large or too late",
        ),
        ("0\tpypi.org\t443\ttls\t9\tclient-closes\t01", "a burst goes up or down"),
        (
            "0\tpypi.org\t443\ttls\t999999\tclient-closes\t0+1",
            "a contact out of order, or too late",
        ),
    ];
    for (fields, why) in broken {
        let text = format!("downloads\t9\nrun\ta\ttuning\tx\nat\t{fields}");
        assert_eq!(refused(text.leak()), format!("line 3: {why}"));
    }
}
