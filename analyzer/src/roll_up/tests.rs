use proptest::prelude::*;

use super::*;

const HOUR: i64 = 3600;

fn at(hours: i64) -> Timestamp {
    Timestamp::from_secs(hours * HOUR)
}

fn destination(name: &str) -> Story {
    Story::Destination { destination: name.into(), place: None }
}

/// The `n`-th incident, open for an hour, of a session, executor, tenant of its own, of one template.
fn member(n: u32, story: Story, opened_at: i64) -> Member {
    Member {
        story,
        incident: EventId::from_bits(n.into()),
        opened_at: at(opened_at),
        last_seen: at(opened_at + 1),
        severity: Severity::Medium,
        score: 0.5,
        detector: Some(Detector::UploadSize),
        status: IncidentStatus::Open,
        session: format!("session-{n}").into(),
        executor: format!("executor-{n}").into(),
        template: Some("python".into()),
        tenant: Some(format!("tenant-{}", n % 3).into()),
    }
}

fn counts(roll_ups: &[RollUp]) -> Vec<u64> {
    roll_ups.iter().map(|roll_up| roll_up.incidents).collect()
}

#[test]
fn forty_sessions_at_one_place_are_one_roll_up_with_true_counts_and_short_lists() {
    let members = (0..40).map(|n| member(n, destination("bad.example"), i64::from(n))).collect();
    let [all] = &roll_up(members)[..] else { panic!("one roll-up is expected") };
    assert_eq!((all.incidents, all.sessions, all.open), (40, 40, 40));
    assert_eq!(all.destination, "bad.example");
    assert_eq!((all.first_opened_at, all.last_opened_at, all.last_seen), (at(0), at(39), at(40)));
    assert_eq!((all.executors.count, all.executors.names.len()), (40, 8));
    assert_eq!(all.templates, Names { count: 1, names: vec!["python".into()] });
    assert_eq!((all.tenants.count, &all.tenants.names[0]), (3, &SmolStr::from("tenant-0")));
    let most = StrongestDetector { detector: Detector::UploadSize, incidents: 40 };
    assert_eq!(all.detectors, [most]);
}

#[test]
fn what_follows_after_a_day_without_anything_is_another_roll_up() {
    let within = [member(1, destination("a.example"), 0), member(2, destination("a.example"), 25)];
    assert_eq!(counts(&roll_up(within.to_vec())), [2], "the day begins when the last one ended");
    let after = [member(1, destination("a.example"), 0), member(2, destination("a.example"), 26)];
    assert_eq!(counts(&roll_up(after.to_vec())), [1, 1]);
}

#[test]
fn a_long_incident_spans_those_that_open_and_end_within_it() {
    let long = Member { last_seen: at(100), ..member(1, destination("a.example"), 0) };
    let members = vec![
        member(3, destination("a.example"), 120),
        member(2, destination("a.example"), 1),
        long,
    ];
    assert_eq!(counts(&roll_up(members)), [3]);
}

#[test]
fn the_worst_of_it_and_where_its_incidents_stand_are_told() {
    let one = member(1, destination("a.example"), 0);
    let worst =
        Member { severity: Severity::High, score: 0.1, ..member(2, destination("a.example"), 1) };
    let done = Member {
        status: IncidentStatus::Closed,
        detector: Some(Detector::DnsTunnel),
        ..member(3, destination("a.example"), 2)
    };
    let taken =
        Member { status: IncidentStatus::Acknowledged, ..member(4, destination("a.example"), 3) };
    let [all] = &roll_up(vec![one, worst, done, taken])[..] else { panic!("one is expected") };
    assert_eq!((all.severity, all.score), (Severity::High, 0.1));
    assert_eq!((all.open, all.acknowledged, all.closed), (2, 1, 1));
    let detectors: Vec<_> = all.detectors.iter().map(|d| (d.detector, d.incidents)).collect();
    assert_eq!(detectors, [(Detector::UploadSize, 3), (Detector::DnsTunnel, 1)]);
}

#[test]
fn one_session_with_several_incidents_counts_once_and_many_together_are_no_session() {
    let one = member(1, destination("a.example"), 0);
    let same = Member { incident: EventId::from_bits(2), opened_at: at(1), ..one.clone() };
    let many = Member {
        session: "*".into(),
        executor: "".into(),
        template: None,
        tenant: None,
        ..member(3, destination("a.example"), 2)
    };
    let [all] = &roll_up(vec![one, same, many])[..] else { panic!("one is expected") };
    assert_eq!((all.incidents, all.sessions, all.executors.count), (3, 1, 1));
}

fn named(destination: &str) -> Incident {
    let mut made = crate::suppression::tests::about(Detector::UploadSize);
    made.destination = destination.into();
    made.origin.executor = "job-1".into();
    made.origin.segment = "sandboxes".into();
    made
}

#[test]
fn a_public_place_is_one_story_whoever_goes_there() {
    let one = named("bad.example");
    let mut other = named("bad.example");
    (other.origin.executor, other.origin.template) = ("job-2".into(), None);
    assert_eq!(Story::of(&one), Story::of(&other));
    assert_ne!(Story::of(&one), Story::of(&named("worse.example")));
}

#[test]
fn two_strangers_places_on_one_service_are_two_stories() {
    let at_place = |place: &str| {
        let mut made = named("github.com");
        made.explanation.findings[0].place = Some(place.into());
        Story::of(&made)
    };
    assert_ne!(at_place("github.com/mallory"), at_place("github.com/eve"));
    assert_ne!(at_place("github.com/mallory"), Story::of(&named("github.com")));
}

#[test]
fn internal_places_are_one_story_for_executors_of_one_kind_in_one_segment() {
    for place in ["10.0.0.5", "169.254.169.254", "fd00:ec2::254", "metadata.google.internal"] {
        let one = named(place);
        let mut same_kind = named(place);
        same_kind.origin.executor = "job-2".into();
        assert_eq!(Story::of(&one), Story::of(&same_kind), "{place}");
        let mut elsewhere = same_kind.clone();
        elsewhere.origin.segment = "notebooks".into();
        assert_ne!(Story::of(&one), Story::of(&elsewhere), "{place}");
        let mut of_no_kind = [one, same_kind];
        of_no_kind.iter_mut().for_each(|incident| incident.origin.template = None);
        assert_ne!(Story::of(&of_no_kind[0]), Story::of(&of_no_kind[1]), "{place}");
    }
}

#[test]
fn many_destinations_are_the_story_of_one_executor_and_templates_and_blind_sources_their_own() {
    let one = named("*");
    let mut other = named("*");
    other.origin.executor = "job-2".into();
    assert_ne!(Story::of(&one), Story::of(&other));
    let mut together = one.clone();
    together.session = "*".into();
    assert_eq!(Story::of(&together), Story::Template { template: Some("python".into()) });
    let blind = |source: &str| {
        let mut made = named("*");
        made.session = source.into();
        made.explanation.findings[0].detector = Detector::Blind;
        Story::of(&made)
    };
    assert_eq!(blind("eth0"), Story::Source { source: "eth0".into() });
    assert_ne!(blind("eth0"), blind("eth1"));
}

#[test]
fn ids_tell_stories_and_beginnings_apart() {
    let mut ids = BTreeSet::new();
    for (n, name) in [(1, "a.example"), (2, "a.example"), (1, "b.example")] {
        ids.insert(roll_up(vec![member(n, destination(name), 0)])[0].id);
    }
    let source = Story::Source { source: "a.example".into() };
    ids.insert(roll_up(vec![member(1, source, 0)])[0].id);
    assert_eq!(ids.len(), 4);
}

/// Incidents of few stories over a few days: many meet, and some do not.
fn members() -> impl Strategy<Value = Vec<Member>> {
    let severity = prop::sample::select(vec![Severity::Low, Severity::High]);
    let one = (0u8..3, 0i64..200, 0i64..40, severity, 0u8..5, 0.0f64..1.0);
    prop::collection::vec(one, 1..40).prop_map(|all| {
        let made =
            (0u32..).zip(all).map(|(n, (story, opened, lasts, severity, executor, score))| {
                Member {
                    last_seen: at(opened + lasts),
                    severity,
                    score,
                    executor: format!("executor-{executor}").into(),
                    ..member(n, destination(&format!("{story}.example")), opened)
                }
            });
        made.collect()
    })
}

proptest! {
    #[test]
    fn the_order_in_which_incidents_come_changes_nothing(
        (members, shuffled) in members().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
    ) {
        prop_assert_eq!(roll_up(members), roll_up(shuffled));
    }

    #[test]
    fn every_incident_is_in_one_roll_up_and_those_of_one_story_lie_a_day_apart(members in members()) {
        let all = roll_up(members.clone());
        prop_assert_eq!(all.iter().map(|r| r.incidents).sum::<u64>(), members.len() as u64);
        for pair in all.windows(2).filter(|pair| pair[0].story == pair[1].story) {
            prop_assert!(pair[1].first_opened_at.since(pair[0].last_seen) > FOLLOWS_WITHIN);
        }
        for roll_up in &all {
            let is_in = |m: &&Member| m.story == roll_up.story
                && (roll_up.first_opened_at..=roll_up.last_opened_at).contains(&m.opened_at);
            let own: Vec<&Member> = members.iter().filter(is_in).collect();
            prop_assert_eq!(own.len() as u64, roll_up.incidents);
            let executors: BTreeSet<&SmolStr> = own.iter().map(|m| &m.executor).collect();
            prop_assert_eq!(executors.len() as u64, roll_up.executors.count);
            prop_assert_eq!(own.iter().map(|m| m.severity).max(), Some(roll_up.severity));
            prop_assert_eq!(roll_up.open + roll_up.acknowledged + roll_up.closed, roll_up.incidents);
        }
    }
}
