//! The `[collector]` section: what is refused, and what is left out.

use super::*;

fn read(text: &str) -> RawCollector {
    toml::from_str(text).unwrap()
}

fn problem(text: &str) -> String {
    read(text).check().unwrap_err().to_string()
}

const FULL: &str = r#"
    [[segments]]
    name = "sandboxes"
    ranges = ["10.20.0.0/16", "fd00:20::/32"]

    [[executors]]
    id = "builder"
    address = "10.20.0.9"
    template = "ci"
    tenant = "acme"

    [[sources]]
    kind = "capture"
    path = "a.pcap"

    [[sources]]
    kind = "live"
    interface = "eth0"

    [[sources]]
    kind = "log"
    name = "proxy"
    path = "/var/log/squid/access.log"
    dialect = "squid-egret"
"#;

#[test]
fn ports_are_checked_and_used_once() {
    let netflow = "[[sources]]\nkind = \"netflow\"\n";
    let syslog = "[[sources]]\nkind = \"syslog\"\n";
    let port = "listen = \"0.0.0.0:2055\"\n";
    let name = "name = \"b\"\n";
    let checked = read(&format!("{netflow}{port}{syslog}protocol = \"tcp\"\n{port}")).check();
    let names: Vec<_> = checked.unwrap().sources.into_iter().map(|source| source.name).collect();
    assert_eq!(names, ["udp 0.0.0.0:2055", "tcp 0.0.0.0:2055"]);
    let twice = problem(&format!("{netflow}{port}{syslog}{name}{port}"));
    assert!(twice.contains("already used by collector.sources[0].listen"), "{twice}");
    for neither in [String::new(), format!("{port}path = \"x\"\n")] {
        let problem = problem(&format!("{netflow}{neither}"));
        assert!(problem.contains("listen: needs either"), "{problem}");
    }
}

#[test]
fn what_is_left_out_gets_its_documented_default() {
    let checked = read(FULL).check().unwrap();
    assert_eq!(checked.segments[0].ranges.len(), 2);
    assert_eq!(checked.executors[0].tenant.as_deref(), Some("acme"));
    let names: Vec<_> = checked.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["a.pcap", "eth0", "proxy"]);
    assert_eq!(
        checked.sources[1].kind,
        SourceKind::Live(LiveOptions {
            interface: "eth0".into(),
            filter: String::new(),
            buffer_bytes: 67_108_864,
            promiscuous: true,
            threads: 1,
        })
    );
    assert_eq!(
        checked.sources[2].kind,
        SourceKind::Log {
            path: "/var/log/squid/access.log".into(),
            dialect: Some(Dialect::SquidEgret),
            follow: true,
        }
    );
}

#[test]
fn a_written_section_reads_back_the_same() {
    let raw = read(FULL);
    let written = toml::to_string(&raw).unwrap();
    assert_eq!(toml::to_string(&read(&written)).unwrap(), written);
    assert_eq!(read(&written).check().unwrap().sources, raw.check().unwrap().sources);
}

#[test]
fn unknown_keys_are_refused_and_the_place_is_shown() {
    for (text, word, line) in [
        ("segment = []", "segment", "line 1"),
        ("[[executors]]\nid = \"a\"\naddress = \"10.0.0.1\"\ncolour = 1", "colour", "line 4"),
        ("\n\n[[sources]]\nkind = \"live\"\ninterface = \"e\"\npath = \"x\"", "path", "line 3"),
        ("[[sources]]\nkind = \"telepathy\"", "telepathy", "line 2"),
        ("[[sources]]\nkind = \"log\"", "path", "line 1"),
    ] {
        let error = toml::from_str::<RawCollector>(text).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
        assert!(error.contains(line), "{error}");
    }
}

#[test]
fn a_compressed_log_is_read_once_and_not_followed() {
    let log = |more: &str| format!("[[sources]]\nkind = \"log\"\npath = \"a.log.gz\"\n{more}");
    for text in [log(""), log("follow = true")] {
        let problem = problem(&text);
        assert!(problem.starts_with("collector.sources[0].path: \"a.log.gz\" is"), "{problem}");
        assert!(problem.contains("follow = false"), "{problem}");
    }
    assert!(read(&log("follow = false")).check().is_ok());
}

#[test]
fn a_log_may_be_of_a_mapping_of_one_s_own_or_of_a_shipped_one() {
    let text = r#"
        [[mappings]]
        name = "ours"
        nginx = '$remote_addr $msec $host $status "$request"'
        blocked = [{ status = ["403", "451"] }]

        [[mappings]]
        name = "laptop"
        like = "proxifier"
        fixed = { client = "10.20.0.9" }

        [[sources]]
        kind = "log"
        path = "a"
        dialect = "ours"

        [[sources]]
        kind = "log"
        path = "b"
        dialect = "nginx-json"
    "#;
    let checked = read(text).check().unwrap();
    let names: Vec<_> = checked
        .sources
        .iter()
        .map(|source| match source.kind {
            SourceKind::Log { dialect: Some(Dialect::Mapped(mapping)), .. } => mapping.name(),
            ref other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names, ["ours", "nginx-json"]);
    assert_eq!(read(text).check().unwrap().sources, checked.sources);
}

#[test]
fn mappings_that_cannot_be_used_are_told_with_the_key() {
    let mapping = |more: &str| format!("[[mappings]]\nname = \"x\"\n{more}");
    for (text, expected) in [
        (mapping(""), "collector.mappings[0].pattern: is missing"),
        (mapping("like = \"y\""), "collector.mappings[0].like: \"y\" is no shipped mapping"),
        (mapping("pattern = \"{time}{client}\""), "collector.mappings[0].pattern: has two fields"),
        (mapping("pattern = \"{time} {host}\""), "nothing is mapped to client"),
        (
            mapping("nginx = \"$msec $remote_addr $host\"\napache = \"%h\""),
            "mappings[0].apache: is given beside",
        ),
        (mapping("json = { time = \"ts\" }"), "mappings[0].json.time: \"ts\" is no JSON pointer"),
        (
            mapping("pattern = \"{time} {client} {host}\"\nunits = { host = \"s\" }"),
            "mappings[0].units.host: has no unit",
        ),
        (
            mapping("pattern = \"{time} {client} {host}\"\nblocked = [{ status = [\"403\"] }]"),
            "mappings[0].blocked[0].status: nothing is mapped",
        ),
        (mapping("like = \"proxifier\"\nzone = \"CET\""), "\"CET\" is no offset"),
        (
            "[[mappings]]\nname = \"envoy-json\"\nlike = \"caddy\"".to_owned(),
            "\"envoy-json\" is a shipped dialect",
        ),
    ] {
        let problem = problem(&text);
        assert!(problem.contains(expected), "{problem}\nnot {expected}");
    }
}

#[test]
fn an_unknown_dialect_is_told_with_those_that_are_like_it() {
    let source = |dialect: &str| {
        problem(&format!("[[sources]]\nkind = \"log\"\npath = \"a\"\ndialect = \"{dialect}\""))
    };
    let near = source("squid-nativ");
    assert!(near.contains("collector.sources[0].dialect: \"squid-nativ\" is no dialect"), "{near}");
    assert!(near.contains("did you mean \"squid-native\"?"), "{near}");
    let far = source("zzzzzzzzzzzz");
    assert!(far.contains("choose one of") && far.contains("haproxy-http"), "{far}");
}

#[test]
fn problems_name_the_key_and_the_cure() {
    let source = |more: &str| format!("[[sources]]\nkind = {more}\n");
    let log = source("\"log\"\npath = \"a\"\nname = \"x\"");
    for (text, expected) in [
        (
            format!("{log}{}", source("\"log\"\npath = \"b\"\nname = \"x\"")),
            "collector.sources[1].name: \"x\" is already used by collector.sources[0].name; \
             each must be different",
        ),
        (
            format!("{log}{}", source("\"log\"\npath = \"a\"\nname = \"y\"")),
            "collector.sources[1].path: \"a\" is already used by collector.sources[0].path; \
             each must be different",
        ),
        (
            source("\"capture\"\npath = \"\""),
            "collector.sources[0].path: is empty; give the path of a file",
        ),
        (
            source("\"live\"\ninterface = \"e\"\nbuffer = \"0\""),
            "collector.sources[0].buffer: is 0B; choose between 64KiB and 2GiB \
             (the default is 64MiB)",
        ),
    ] {
        assert_eq!(problem(&text), expected);
    }
}

#[test]
fn segments_and_executors_must_be_told_apart() {
    let segment =
        |name: &str, range: &str| format!("[[segments]]\nname = {name:?}\nranges = [{range:?}]\n");
    let executor = |id: &str, at: &str| format!("[[executors]]\nid = {id:?}\naddress = {at:?}\n");
    for (text, key) in [
        (segment("", "10.0.0.0/8"), "collector.segments[0].name"),
        (segment("unassigned", "10.0.0.0/8"), "collector.segments[0].name"),
        (segment("a", "::ffff:10.0.0.0/104"), "collector.segments[0].ranges[0]"),
        (
            segment("a", "10.0.0.0/8") + &segment("b", "10.1.0.0/8"),
            "collector.segments[1].ranges[0]",
        ),
        (segment("a", "10.0.0.0/8") + &segment("a", "10.1.0.0/16"), "collector.segments[1].name"),
        (executor("\t", "10.0.0.1"), "collector.executors[0].id"),
        (executor("a", "10.0.0.1") + &executor("a", "10.0.0.2"), "collector.executors[1].id"),
        (
            executor("a", "10.0.0.1") + &executor("b", "::ffff:10.0.0.1"),
            "collector.executors[1].address",
        ),
    ] {
        assert_eq!(read(&text).check().unwrap_err().key, key, "{text}");
    }
    assert!(read(&(segment("a", "10.0.0.0/8") + &segment("b", "10.1.0.0/16"))).check().is_ok());
}
