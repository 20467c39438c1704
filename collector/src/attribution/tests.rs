//! Who has which address, by which authority, and when.

use super::*;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

fn user(name: &str) -> Option<Claim<'_>> {
    Some(Claim { name, by: NamedBy::ProxyUser })
}

fn registration(id: &str, from: i64, until: Option<i64>) -> ExecutorRegistration {
    ExecutorRegistration {
        id: id.into(),
        address: address("10.20.0.17"),
        template: Some("python".into()),
        tenant: None,
        session: None,
        from: at(from),
        until: until.map(at),
    }
}

fn table() -> AttributionTable {
    let segments = vec![
        Segment { name: "wide".into(), ranges: vec!["10.0.0.0/8".parse().unwrap()] },
        Segment {
            name: "narrow".into(),
            ranges: vec!["10.20.0.0/16".parse().unwrap(), "fd00:20::/32".parse().unwrap()],
        },
    ];
    let fixed = |id: &str, at: &str| StaticExecutor {
        id: id.into(),
        address: address(at),
        template: None,
        tenant: Some("acme".into()),
    };
    AttributionTable::new(
        segments,
        vec![fixed("builder", "10.20.0.99"), fixed("outpost", "203.0.113.5")],
    )
}

fn named(table: &AttributionTable, ip: &str, seconds: i64) -> Option<(String, String)> {
    let who = table.attribute(address(ip), at(seconds))?;
    Some((who.executor.to_string(), who.segment.to_string()))
}

fn pair(executor: &str, segment: &str) -> Option<(String, String)> {
    Some((executor.to_owned(), segment.to_owned()))
}

#[test]
fn an_unnamed_address_is_its_own_executor_in_the_narrowest_segment() {
    let table = table();
    assert_eq!(named(&table, "10.20.0.17", 5), pair("10.20.0.17", "narrow"));
    assert_eq!(named(&table, "10.21.0.17", 5), pair("10.21.0.17", "wide"));
    assert_eq!(named(&table, "fd00:20::1", 5), pair("fd00:20::1", "narrow"));
    assert_eq!(named(&table, "::ffff:10.20.0.17", 5), pair("10.20.0.17", "narrow"));
    assert_eq!(named(&table, "192.0.2.1", 5), None);
    assert!(!table.is_watched(address("192.0.2.1")));
}

#[test]
fn the_strongest_source_that_covers_the_time_names_the_executor() {
    let table = table();
    table.register(&registration("job-1", 10, Some(20)));
    assert_eq!(named(&table, "10.20.0.17", 9), pair("10.20.0.17", "narrow"));
    assert_eq!(named(&table, "10.20.0.17", 10), pair("job-1", "narrow"));
    assert_eq!(named(&table, "10.20.0.17", 20), pair("10.20.0.17", "narrow"));
    let other = ExecutorRegistration {
        address: address("10.20.0.99"),
        ..registration("job-2", 10, Some(20))
    };
    table.register(&other);
    assert_eq!(named(&table, "10.20.0.99", 15), pair("job-2", "narrow"));
    assert_eq!(named(&table, "10.20.0.99", 25), pair("builder", "narrow"));
}

#[test]
fn a_named_address_outside_every_segment_is_watched_and_unassigned() {
    let table = table();
    assert_eq!(named(&table, "203.0.113.5", 5), pair("outpost", UNASSIGNED_SEGMENT));
    assert!(table.is_watched(address("203.0.113.5")));
    table.register(&ExecutorRegistration {
        address: address("203.0.113.6"),
        ..registration("guest", 10, None)
    });
    assert_eq!(named(&table, "203.0.113.6", 12), pair("guest", UNASSIGNED_SEGMENT));
    assert_eq!(named(&table, "203.0.113.6", 9), None);
    assert!(table.is_watched(address("203.0.113.6")));
}

#[test]
fn a_reused_address_passes_from_one_executor_to_the_next() {
    let table = table();
    // Told late and out of order, as it happens when a starter retries.
    table.register(&registration("second", 20, None));
    table.register(&registration("first", 10, None));
    assert_eq!(named(&table, "10.20.0.17", 19), pair("first", "narrow"));
    assert_eq!(named(&table, "10.20.0.17", 20), pair("second", "narrow"));
    table.register(&registration("second", 20, Some(30)));
    assert_eq!(named(&table, "10.20.0.17", 30), pair("10.20.0.17", "narrow"));
}

#[test]
fn the_newest_word_about_an_overlap_wins() {
    let table = table();
    table.register(&registration("old", 0, Some(100)));
    table.register(&registration("inner", 40, Some(60)));
    assert_eq!(named(&table, "10.20.0.17", 50), pair("inner", "narrow"));
    assert_eq!(named(&table, "10.20.0.17", 70), pair("old", "narrow"));
    table.register(&registration("whole", 0, Some(90)));
    assert_eq!(named(&table, "10.20.0.17", 50), pair("whole", "narrow"));
    assert_eq!(named(&table, "10.20.0.17", 95), pair("old", "narrow"));
}

#[test]
fn a_proxy_user_names_what_nothing_stronger_does() {
    let table = table();
    let who = table.attribute_client(address("10.20.0.1"), user("agent-7"), at(5)).unwrap();
    assert_eq!((who.executor.as_str(), who.named_by), ("agent-7", NamedBy::ProxyUser));
    let who = table.attribute_client(address("10.20.0.99"), user("agent-7"), at(5)).unwrap();
    assert_eq!((who.executor.as_str(), who.named_by), ("builder", NamedBy::Configuration));
    assert_eq!(table.attribute_client(address("192.0.2.1"), user("agent-7"), at(5)), None);
}

#[test]
fn a_certificate_and_a_user_of_one_name_are_not_mixed_up() {
    let table = table();
    let shown = Some(Claim { name: "agent-7", by: NamedBy::ClientCertificate });
    let by = |claim| table.attribute_client(address("10.20.0.1"), claim, at(5)).unwrap();
    assert_eq!(by(user("agent-7")).named_by, NamedBy::ProxyUser);
    assert_eq!(by(shown).named_by, NamedBy::ClientCertificate);
}

fn disputes(table: &AttributionTable) -> Vec<(String, &'static str, String, &'static str)> {
    let told = table.take_disputes().into_iter().map(|dispute| {
        let held = (dispute.held.executor.to_string(), dispute.held.named_by.word());
        (held.0, held.1, dispute.other_executor.to_string(), dispute.other.word())
    });
    told.collect()
}

#[test]
fn the_stronger_authority_holds_and_the_dispute_is_told_once() {
    let table = table();
    table.register_by(NamedBy::Kubernetes, &registration("default/pod-a", 10, None));
    assert_eq!(named(&table, "10.20.0.17", 15), pair("default/pod-a", "narrow"));
    for _ in 0..3 {
        table.register(&registration("job-1", 20, Some(30)));
    }
    assert_eq!(named(&table, "10.20.0.17", 25), pair("job-1", "narrow"));
    // The registration does not end what the cluster says.
    assert_eq!(named(&table, "10.20.0.17", 30), pair("default/pod-a", "narrow"));
    let told = ("job-1".into(), "registration", "default/pod-a".into(), "kubernetes");
    assert_eq!(disputes(&table), [told]);
    assert_eq!(disputes(&table), []);
}

#[test]
fn authorities_that_agree_or_speak_of_other_times_have_no_dispute() {
    let table = table();
    table.register_by(NamedBy::Kubernetes, &registration("job-1", 10, Some(20)));
    table.register(&registration("job-1", 10, Some(20)));
    table.register(&registration("job-2", 20, Some(30)));
    table.register(&registration("job-3", 30, None));
    assert_eq!(disputes(&table), []);
}

#[test]
fn what_the_configuration_says_may_be_disputed_too() {
    let table = table();
    let other =
        ExecutorRegistration { address: address("10.20.0.99"), ..registration("pod-b", 10, None) };
    table.register_by(NamedBy::Docker, &other);
    assert_eq!(named(&table, "10.20.0.99", 15), pair("pod-b", "narrow"));
    let told = ("pod-b".into(), "docker", "builder".into(), "configuration");
    assert_eq!(disputes(&table), [told]);
}

#[test]
fn an_executor_that_shows_the_name_of_another_is_told_of() {
    let table = table();
    table.register(&registration("job-1", 10, None));
    let borrowed = table.attribute_client(address("10.20.0.17"), user("builder"), at(15));
    assert_eq!(borrowed.unwrap().executor, "job-1");
    let unknown = table.attribute_client(address("10.20.0.17"), user("alice"), at(15));
    assert_eq!(unknown.unwrap().executor, "job-1");
    let told = ("job-1".into(), "registration", "builder".into(), "proxy user");
    assert_eq!(disputes(&table), [told]);
}

#[test]
fn a_dispute_is_an_event_with_both_names() {
    let table = table();
    table.register(&registration("job-1", 10, None));
    table.register_by(NamedBy::Docker, &registration("box", 11, None));
    let event = table.take_disputes()[0].event(&"attribution".into());
    assert_eq!((event.origin.executor.as_str(), event.client.1), ("job-1", 0));
    let egret_event::Fact::Contradiction(said) = event.fact else { panic!("not said") };
    assert_eq!((said.one.as_str(), said.other.as_str()), ("registration", "docker"));
    assert_eq!((said.one_says.as_str(), said.other_says.as_str()), ("job-1", "box"));
}

#[test]
fn a_second_look_gives_the_same_attribution_without_making_it_again() {
    let table = table();
    let look = || table.attribute_client(address("10.20.0.1"), user("agent-7"), at(5)).unwrap();
    assert!(Arc::ptr_eq(&look(), &look()));
}

#[test]
fn without_configuration_private_addresses_are_watched() {
    let table = AttributionTable::any_initiator();
    for private in
        ["10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.1.1", "fd12::1", "fe80::1"]
    {
        assert!(table.is_watched(address(private)), "{private}");
        assert_eq!(named(&table, private, 0), pair(private, "private"));
    }
    for public in ["172.32.0.1", "100.128.0.1", "203.0.113.9", "2001:db8::1"] {
        assert!(!table.is_watched(address(public)), "{public}");
        assert_eq!(named(&table, public, 0), pair(public, "public"));
    }
}

#[test]
fn clients_without_a_name_cannot_grow_the_table_without_bound() {
    let table = table();
    for n in 0..70_000u32 {
        table.attribute(IpAddr::from((10 << 24 | n).to_be_bytes()), at(0)).unwrap();
    }
    assert!(table.read().derived.len() <= MAX_DERIVED);
}
