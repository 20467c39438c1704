//! Zeek writes where connections went to in one log and what their places are called in others.

use std::collections::HashSet;
use std::path::Path;

use egret_event::{Fact, NameSource};
use egret_tests::binary::succeed;
use egret_tests::parts::free_port;
use egret_tests::running::{Running, received};
use egret_tests::stored::Stored;
use egret_tests::wait::until;
use serde_json::Value;

/// What each connection sends, in bytes.
const UPLOAD_BYTES: u64 = 20 << 20;

/// Lines of connection `n`, of eight to eight addresses of one site.
struct Connection(u32);

impl Connection {
    fn address(&self) -> String {
        format!("198.51.100.{}", self.0)
    }

    fn name(&self) -> String {
        format!("s{}.drop.example", self.0)
    }

    /// A line that is written `second` seconds after the client began to think of it.
    fn line(&self, second: u32, server: &str, port: u16, more: &str) -> String {
        let n = self.0;
        let (ts, client_port) = (1_769_851_800 + 60 * n + second, 40_000 + n);
        format!(
            "{{\"ts\":{ts}.5,\"uid\":\"C{n}\",\"id.orig_h\":\"10.20.0.17\",\"id.orig_p\":{client_port},\
             \"id.resp_h\":\"{server}\",\"id.resp_p\":{port},{more}}}\n"
        )
    }

    fn conn(&self) -> String {
        let volume = format!(r#""duration":9.0,"orig_bytes":{UPLOAD_BYTES},"resp_bytes":900"#);
        let more = format!(r#""proto":"tcp","conn_state":"SF",{volume}"#);
        self.line(5, &self.address(), 443, &more)
    }

    fn ssl(&self) -> String {
        let more = format!(r#""version":"TLSv13","cipher":"C","server_name":"{}""#, self.name());
        self.line(5, &self.address(), 443, &more)
    }

    fn http(&self) -> String {
        let request = format!(r#""method":"POST","uri":"/","request_body_len":{UPLOAD_BYTES}"#);
        let more = format!(r#""trans_depth":1,"host":"{}",{request}"#, self.name());
        self.line(5, &self.address(), 443, &more)
    }

    fn dns(&self) -> String {
        let (name, address) = (self.name(), self.address());
        let answer = format!(r#""qtype":1,"rcode":0,"answers":["{address}"],"TTLs":[30.0]"#);
        let more = format!(r#""proto":"udp","trans_id":7,"query":"{name}",{answer}"#);
        self.line(0, "10.20.0.1", 53, &more)
    }
}

/// The log `conn.log`, and those that name its connections, each some of them.
fn logs() -> [(&'static str, String); 4] {
    let lines = |some: std::ops::RangeInclusive<u32>, line: fn(&Connection) -> String| {
        some.map(|n| line(&Connection(n))).collect()
    };
    [
        ("conn.log", lines(1..=8, Connection::conn)),
        ("dns.log", lines(1..=3, Connection::dns)),
        ("http.log", lines(4..=4, Connection::http)),
        ("ssl.log", lines(5..=8, Connection::ssl)),
    ]
}

fn write(folder: &Path, (name, lines): &(&str, String)) -> String {
    let path = folder.join(name);
    std::fs::write(&path, lines).expect("the log can be written");
    path.to_str().expect("the path is UTF-8").to_owned()
}

#[test]
fn a_site_with_many_addresses_is_one_destination_whichever_log_is_read_first() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let mut paths = logs().map(|log| write(folder.path(), &log));
    for _ in 0..2 {
        let mut args = vec!["analyze", "--format", "json"];
        args.extend(["--set", "analyzer.allow_private=[\"10.20.0.0/16\"]"]);
        args.extend(paths.iter().map(String::as_str));
        let report: Value = serde_json::from_str(&succeed(&args)).expect("egret prints JSON");
        let incidents = report["incidents"].as_array().expect("a list of incidents");
        assert_eq!(incidents.len(), 1, "{incidents:?}");
        assert_eq!(incidents[0]["destination"], "drop.example");
        // What one connection is in two logs counts once.
        let observed = &incidents[0]["observed"];
        assert_eq!(observed["up_bytes"], 8 * UPLOAD_BYTES, "{observed}");
        assert_eq!(observed["contacts_allowed"], 8, "{observed}");
        paths.reverse();
    }
}

#[test]
fn logs_that_are_followed_name_the_connections_that_are_told_after_them() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let [conn, others @ ..] = logs();
    for log in &others {
        write(folder.path(), log);
    }
    let egret = Running::start(folder.path(), &following(folder.path()));
    until("the names to be read", || {
        let read = others.each_ref().map(|(name, _)| received(&egret.source(name)));
        (read == [3, 1, 4]).then_some(())
    });
    write(folder.path(), &conn);
    let store = Stored::open(folder.path());
    let flows = until("the connections to be stored", || {
        let mut events = store.events();
        events.retain(|event| matches!(event.fact, Fact::Flow(_)));
        (events.len() == 8).then_some(events)
    });
    let named: HashSet<_> = flows
        .iter()
        .map(|flow| (flow.destination.domain.as_str(), flow.destination.named_by))
        .collect();
    let by = [NameSource::Dns, NameSource::Sni, NameSource::HttpHost];
    assert_eq!(named, by.map(|by| ("drop.example", Some(by))).into());
}

fn following(folder: &Path) -> String {
    let folder = folder.display();
    let sources = logs().map(|(name, _)| {
        format!(
            "[[collector.sources]]\nname = \"{name}\"\nkind = \"log\"\ndialect = \"zeek-json\"\n\
             path = \"{folder}/{name}\"\nfollow = true\n"
        )
    });
    format!(
        r#"
[[collector.segments]]
name = "executors"
ranges = ["10.20.0.0/16"]

{}
[store]
path = "{folder}/egret.db"

[api]
listen = "127.0.0.1:{port}"
"#,
        sources.concat(),
        port = free_port(),
    )
}
