use std::sync::atomic::AtomicBool;

use super::*;
use crate::logs::zeek::beforehand::names_beforehand;
use crate::logs::{LineProblem, Reader};
use crate::{Dialect, SourceConfig, SourceKind};

/// A line of `path` about connection `uid` at `second`, with more fields.
fn line(path: &str, (second, uid): (i64, &str), more: &str) -> String {
    format!(
        r#"{{"_path":"{path}","ts":{second}.0,"uid":"{uid}","id.orig_h":"10.20.0.17","id.orig_p":40000,"id.resp_h":"203.0.113.9","id.resp_p":443{more}}}"#
    )
}

/// A connection that lasts ten seconds.
fn conn(second: i64, uid: &str) -> String {
    line("conn", (second, uid), r#","proto":"tcp","conn_state":"SF","duration":10.0"#)
}

fn ssl(second: i64, uid: &str, name: &str) -> String {
    line(
        "ssl",
        (second, uid),
        &format!(r#","version":"TLSv13","established":true,"server_name":"{name}""#),
    )
}

fn http(uid: &str, method: &str, host: &str, uri: &str) -> String {
    let more = format!(r#","trans_depth":1,"method":"{method}","host":"{host}","uri":"{uri}""#);
    line("http", (1, uid), &more)
}

/// An answer that holds for a minute.
fn dns(second: i64, name: &str) -> String {
    let more = format!(
        r#","proto":"udp","trans_id":1,"query":"{name}","qtype":1,"rcode":0,"answers":["edge.example","203.0.113.9"],"TTLs":[5.0,60.0]"#
    );
    line("dns", (second, "D"), &more)
}

/// The host, where it was learned and the port of the flow that the last of `lines` tells of.
fn named(lines: &[String]) -> Option<(String, NameSource, u16)> {
    let mut reader = Reader::new(Some(Dialect::ZeekJson));
    let (last, before) = lines.split_last().unwrap();
    for line in before {
        reader.read(line.as_bytes()).unwrap();
    }
    of_flow(reader.read(last.as_bytes()))
}

fn of_flow(read: Result<Entry<'_>, LineProblem>) -> Option<(String, NameSource, u16)> {
    let Ok(Entry::Flow(flow)) = read else { panic!("no flow: {read:?}") };
    let (host, by) = flow.host?;
    Some((String::from_utf8(host.into_owned()).unwrap(), by, flow.ends.server.1))
}

fn some(host: &str, by: NameSource, port: u16) -> Option<(String, NameSource, u16)> {
    Some((host.to_owned(), by, port))
}

#[test]
fn a_connection_has_the_name_that_lines_with_its_uid_give() {
    let sni = some("a.example", NameSource::Sni, 443);
    assert_eq!(named(&[ssl(1, "C1", "A.example."), conn(1, "C1")]), sni);
    let quic = line("quic", (1, "C1"), r#","client_initial_dcid":"0","server_name":"a.example""#);
    assert_eq!(named(&[quic, conn(1, "C1")]), sni);
    let host = some("a.example", NameSource::HttpHost, 443);
    assert_eq!(named(&[http("C1", "GET", "a.example:443", "/x"), conn(1, "C1")]), host);
    assert_eq!(named(&[ssl(1, "C2", "a.example"), conn(1, "C1")]), None);
    assert_eq!(named(&[ssl(1, "C1", "203.0.113.9"), conn(1, "C1")]), None, "an address is no name");
}

#[test]
fn the_name_that_says_most_of_where_bytes_go_holds_in_any_order() {
    let lines = [
        http("C1", "GET", "host.example", "/x"),
        ssl(1, "C1", "sni.example"),
        http("C1", "CONNECT", "proxy.example", "behind.example:8443"),
    ];
    let behind = some("behind.example", NameSource::Connect, 8443);
    let [host, sni, connect] = lines;
    for lines in [[&host, &sni, &connect], [&connect, &sni, &host], [&sni, &connect, &host]] {
        let lines: Vec<String> = lines.into_iter().cloned().chain([conn(1, "C1")]).collect();
        assert_eq!(named(&lines), behind);
    }
    assert_eq!(named(&[host, sni, conn(1, "C1")]), some("sni.example", NameSource::Sni, 443));
}

#[test]
fn a_connection_to_a_proxy_that_was_asked_for_several_sites_is_to_none_of_them() {
    let one = http("C1", "GET", "a.example.org", "http://a.example.org/x");
    let same_site = http("C1", "GET", "b.example.org", "http://b.example.org:80/x");
    let other_site = http("C1", "GET", "example.com", "http://example.com/x");
    let first = some("a.example.org", NameSource::HttpHost, 80);
    assert_eq!(named(&[one.clone(), same_site.clone(), conn(1, "C1")]), first);
    assert_eq!(named(&[one.clone(), same_site, other_site.clone(), conn(1, "C1")]), None);
    let by_dns = some("proxy.example", NameSource::Dns, 443);
    assert_eq!(named(&[dns(1, "proxy.example"), one, other_site, conn(1, "C1")]), by_dns);
}

#[test]
fn else_it_has_the_name_that_its_client_was_last_told_is_at_the_address() {
    let told = |name| some(name, NameSource::Dns, 443);
    assert_eq!(named(&[dns(100, "a.example"), conn(100, "C1")]), told("a.example"));
    assert_eq!(named(&[dns(100, "a.example"), conn(460, "C1")]), told("a.example"));
    assert_eq!(named(&[dns(100, "a.example"), conn(461, "C1")]), None, "a minute and five more");
    let both = [dns(100, "a.example"), dns(200, "b.example")];
    let then = |second| [both[0].clone(), both[1].clone(), conn(second, "C1")];
    assert_eq!(named(&then(199)), told("a.example"));
    assert_eq!(named(&then(201)), told("b.example"));
    // Its client may have known before, if nobody listened then.
    assert_eq!(named(&then(80)), told("a.example"));
    let other = dns(1, "c.example").replace("203.0.113.9", "203.0.113.10");
    let heard = |second| named(&[other.clone(), both[0].clone(), conn(second, "C1")]);
    assert_eq!(heard(80), None);
    assert_eq!(heard(95), told("a.example"));
    let by_other = dns(100, "a.example").replace("10.20.0.17", "10.20.0.18");
    assert_eq!(named(&[by_other, conn(100, "C1")]), None, "another client was told");
    let unknown = dns(100, "a.example").replace("\"qtype\":1,", "");
    assert_eq!(named(&[unknown, conn(100, "C1")]), told("a.example"), "only the answer was seen");
    let text = dns(100, "a.example").replace("\"qtype\":1,", "\"qtype\":16,");
    assert_eq!(named(&[text, conn(100, "C1")]), None, "a text is no address");
    let refused = dns(100, "a.example").replace("\"rcode\":0", "\"rcode\":5");
    assert_eq!(named(&[refused, conn(100, "C1")]), None);
    let by_uid = [dns(1, "dns.example"), ssl(1, "C1", "sni.example"), conn(1, "C1")];
    assert_eq!(named(&by_uid), some("sni.example", NameSource::Sni, 443));
}

#[test]
fn logs_that_are_followed_side_by_side_tell_each_other_what_was_read_before() {
    let names = ConnectionNames::default();
    let reader = || Reader::new(Some(Dialect::ZeekJson)).sharing(names.clone());
    let (mut connections, mut handshakes) = (reader(), reader());
    let (one, two) = (conn(1, "C1"), conn(2, "C2"));
    assert_eq!(of_flow(connections.read(one.as_bytes())), None);
    for line in [ssl(1, "C1", "late.example"), ssl(2, "C2", "a.example")] {
        handshakes.read(line.as_bytes()).unwrap();
    }
    let name = some("a.example", NameSource::Sni, 443);
    assert_eq!(of_flow(connections.read(two.as_bytes())), name);
    connections.next_file(egret_event::Timestamp::from_secs(0));
    assert_eq!(of_flow(connections.read(two.as_bytes())), name, "a rotated log goes on");
}

#[test]
fn memory_is_bounded_and_what_was_said_last_stays() {
    let mut connections = Connections::new(100);
    let named = Named::of(b"a.example", NameSource::Sni).unwrap();
    for n in 0..1_000 {
        connections.learn(format!("C{n}").as_bytes(), named.clone());
        assert!(connections.young.len() <= 100 && connections.old.len() <= 100);
    }
    assert_eq!(connections.forgotten, 800);
    assert_eq!(connections.find(b"C999"), Some(&named));
    assert_eq!(connections.find(b"C799"), None);
    let long = "C".repeat(MAX_UID_BYTES + 1);
    assert_eq!(named_of_long(&long), None, "an id that is none of Zeek's is not kept");
}

fn named_of_long(uid: &str) -> Option<(String, NameSource, u16)> {
    named(&[ssl(1, uid, "a.example"), conn(1, uid)])
}

/// Each of `files` as a source that is read once.
fn written(folder: &std::path::Path, files: &[(&str, &[String])]) -> Vec<SourceConfig> {
    let source = |(name, lines): &(&str, &[String])| {
        let path = folder.join(name);
        std::fs::write(&path, lines.join("\n")).unwrap();
        let kind = SourceKind::Log { path, dialect: None, follow: false };
        SourceConfig { name: (*name).into(), kind }
    };
    files.iter().map(source).collect()
}

/// A line of a file of its own, which does not say what it is of.
fn alone(line: &str) -> String {
    let end = line.find("\"ts\"").unwrap();
    format!("{{{}", &line[end..])
}

#[test]
fn files_that_are_read_once_give_their_names_before_the_first_connection() {
    let folder = tempfile::tempdir().unwrap();
    let (flows, handshakes) = ([alone(&conn(1, "C1"))], [alone(&ssl(900, "C1", "a.example"))]);
    let own = [("conn.log", &flows[..]), ("ssl.log", &handshakes[..])];
    let mixed = [conn(1, "C1"), ssl(900, "C1", "a.example")];
    let columns = "#separator \\x09\n#path\tssl\n#fields\tts\tuid\tid.orig_h\tid.orig_p\t\
                   id.resp_h\tid.resp_p\tversion\tserver_name\n\
                   900.0\tC1\t10.20.0.17\t40000\t203.0.113.9\t443\tTLSv13\ta.example";
    let columns = [columns.to_owned()];
    let by_columns = [("conn.log", &flows[..]), ("ssl.log", &columns[..])];
    for files in [&own[..], &[("all.log", &mixed[..])], &by_columns] {
        let sources = written(folder.path(), files);
        let names = names_beforehand(&sources, &AtomicBool::new(false));
        let mut reader = Reader::new(Some(Dialect::ZeekJson)).sharing(names);
        let name = some("a.example", NameSource::Sni, 443);
        assert_eq!(of_flow(reader.read(conn(1, "C1").as_bytes())), name, "{files:?}");
        // Nothing is added, so that files read at the same time name the same each time.
        reader.read(ssl(2, "C2", "b.example").as_bytes()).unwrap();
        assert_eq!(of_flow(reader.read(conn(2, "C2").as_bytes())), None);
    }
    let missing = SourceKind::Log { path: "none".into(), dialect: None, follow: false };
    let missing = SourceConfig { name: "none".into(), kind: missing };
    let names = names_beforehand([&missing], &AtomicBool::new(false));
    assert!(matches!(names.0, Shared::Whole(_)));
}
