use super::*;

fn mapped(fields: &[(&str, &str)], constants: &[(&str, Value)]) -> Result<Fields, String> {
    let own = |(name, path): &(&str, &str)| ((*name).to_owned(), (*path).to_owned());
    let fixed = |(name, value): &(&str, Value)| ((*name).to_owned(), value.clone());
    let fields = fields.iter().map(own).collect();
    let constants = constants.iter().map(fixed).collect();
    let checked = Fields::check(Some(&fields), Some(&constants));
    checked.map_err(|wrong| format!("{wrong:?}"))
}

#[test]
fn values_come_from_where_the_path_leads_and_what_is_unknown_has_no_field() {
    let fields = mapped(
        &[
            ("labels.destination", "incident.destination"),
            ("labels.tenant", "incident.origin.tenant"),
            ("rule_name", "rule.name"),
            ("first", "incident.explanation.findings.0.observed"),
            ("hosts", "incident.hosts.0"),
            ("steps", "incident.explanation.next_steps"),
        ],
        &[("labels.site", json!("berlin")), ("labels.tier", json!(2))],
    );
    let named = fields.unwrap().of(&specimen());
    let mut document = json!({ "labels": null, "rule_name": { "was": "there" }, "stays": 1 });
    named.put_into(&mut document);
    assert_eq!(
        document,
        json!({
            "labels": { "destination": "test.invalid", "site": "berlin", "tier": 2 },
            "rule_name": "policy",
            "first": { "unit": "bytes", "value": 0.0 },
            "steps": ["Nothing is to be done."],
            "stays": 1,
        })
    );
    let words: Vec<_> = named.words().filter(|(name, _)| !name.starts_with("labels")).collect();
    let words: Vec<_> = words.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(
        words,
        [
            ("first", r#"{"unit":"bytes","value":0.0}"#),
            ("rule_name", "policy"),
            ("steps", "Nothing is to be done."),
        ]
    );
    assert_eq!(super::words(&json!(["a", 1, true])), "a,1,true");
    assert_eq!(super::words(&json!([{ "a": 1 }])), r#"[{"a":1}]"#);
}

#[test]
fn what_leads_nowhere_or_is_no_name_is_refused_with_what_there_is() {
    for (name, path, says) in [
        ("a", "incident.orign.tenant", "there is no \\\"orign\\\", only addresses, destination,"),
        ("a", "incidents", "only alert, by, change, gathered, host, incident, message,"),
        ("a", "", "there is no"),
        ("a", "incident.hosts.first", "in a list \\\"first\\\" is no number"),
        ("a", "incident.title.words", "nothing is below"),
        ("a..b", "host", "\\\"a..b\\\" is no name"),
        ("", "host", "is no name"),
        ("a.b.c.d.e.f.g.h.i", "host", "is no name"),
    ] {
        let error = mapped(&[(name, path)], &[]).unwrap_err();
        assert!(error.contains("fields") && error.contains(says), "{path}: {error}");
    }
    let twice = mapped(&[("a", "host")], &[("a", json!(1))]).unwrap_err();
    assert!(twice.contains("constants") && twice.contains("stands in fields too"), "{twice}");
    let list = mapped(&[], &[("a", json!(["x"]))]).unwrap_err();
    assert!(list.contains("is not one text, number, true or false"), "{list}");
    let names: Vec<_> = (0..=MAX_FIELDS).map(|n| format!("f{n}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), "host")).collect();
    assert!(mapped(&many, &[]).unwrap_err().contains("more than 32 fields"));
    assert!(mapped(&many[..MAX_FIELDS], &[]).is_ok());
}

#[test]
fn paths_may_lead_below_what_is_not_known_of_every_alert() {
    for path in
        ["roll_up.incidents", "gathered.incidents", "incident.explanation.evidence.0.id", "page"]
    {
        mapped(&[("a", path)], &[]).unwrap();
    }
}

#[test]
fn a_name_has_a_place_unless_a_part_of_it_is_a_text_there() {
    let fields = |name: &str| mapped(&[(name, "host")], &[]).unwrap();
    let document = json!({ "message": "m", "tags": ["t"], "labels": { "a": 1 }, "user": null });
    for name in ["message", "labels.a", "labels.b.c", "user.name", "new.one"] {
        fields(name).check_places(document.clone()).unwrap();
    }
    for name in ["message.a", "tags.0", "labels.a.b"] {
        let error = fields(name).check_places(document.clone()).unwrap_err();
        assert!(format!("{error:?}").contains("has no place"), "{error:?}");
    }
    let both = mapped(&[("a", "host"), ("a.b", "host")], &[]).unwrap();
    both.check_places(document).unwrap_err();
}
