//! Envoy, which sends its log by its own protocol (gRPC).

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::thread;

use egret_tests::capability::{Need, have};
use egret_tests::parts::{free_port, python};
use egret_tests::process::Process;

use super::{
    Asked, BODY_BYTES, Counted, EXECUTORS, Exchange, HOST, Kind, REFUSED, Requests, Site, connect,
    shipped, wait_for_port,
};

/// Bytes that the far end of a connection answers.
const ANSWER_BYTES: usize = 3_000;

/// An egress proxy that allows by list.
const HTTP: &str = r#"
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: egress
          upgrade_configs: [{upgrade_type: CONNECT}]
          access_log:
ACCESS_LOG
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
          route_config:
            virtual_hosts:
            - name: allowed
              domains: ["HOST:WEB"]
              routes:
              - match: {connect_matcher: {}}
                route: {cluster: web, upgrade_configs: [{upgrade_type: CONNECT, connect_config: {}}]}
              - match: {path: /refused}
                direct_response: {status: 403}
              - match: {prefix: /}
                route: {cluster: web}
"#;

/// One that passes connections on by the TLS server name, if it is on the list.
const TLS: &str = r#"
    listener_filters:
    - name: envoy.filters.listener.tls_inspector
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector
    access_log:
ACCESS_LOG
    filter_chains:
    - filter_chain_match: {server_names: [HOST]}
      filters:
      - name: envoy.filters.network.tcp_proxy
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: egress
          cluster: web
"#;

/// Envoy before a web server, with one of these as `LISTENER`. `ACCESS_LOG` and `CLUSTERS` are what
/// is shipped.
const CONFIGURATION: &str = r#"
static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: PORT}}
LISTENER
  clusters:
  - name: web
    load_assignment:
      cluster_name: web
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: WEB}}}
CLUSTERS
"#;

/// What stands in the shipped file under this key, for an egret that listens at this port.
fn part(key: &str, als: u16) -> String {
    let shipped = shipped("envoy/als.yaml");
    let lines = shipped.lines().skip_while(|line| *line != key).skip(1);
    let lines = lines.take_while(|line| line.starts_with([' ', '-']));
    let text: Vec<&str> = lines.collect();
    text.join("\n").replace("port_value: 9901", &format!("port_value: {als}"))
}

/// The shipped access log for HTTP, and made of it as it says, the one for connections.
fn access_log(listener: &str, als: u16) -> String {
    let for_http = part("access_log:", als);
    if listener == HTTP {
        return indented(&for_http, 10);
    }
    let shipped = shipped("envoy/als.yaml");
    let tags = shipped.lines().find_map(|line| line.strip_prefix("#   custom_tags:"));
    let tags = tags.expect("it says how to log the server name");
    let log = for_http.replace("http_grpc", "tcp_grpc").replace("HttpGrpc", "TcpGrpc");
    indented(&format!("{log}\n      custom_tags:{tags}"), 4)
}

fn indented(text: &str, by: usize) -> String {
    text.lines().fold(String::new(), |mut all, line| {
        writeln!(all, "{:by$}{line}", "").expect("text can grow");
        all
    })
}

fn start(site: &Site, listener: &str, web: u16, (port, als): (u16, u16)) -> Process {
    let configuration = CONFIGURATION
        .replace("LISTENER", listener.trim_matches('\n'))
        .replace("ACCESS_LOG", access_log(listener, als).trim_end())
        .replace("CLUSTERS", indented(&part("clusters:", als), 2).trim_end())
        .replace("HOST", HOST)
        .replace("PORT", &port.to_string())
        .replace("WEB", &web.to_string());
    let file = site.path().join("envoy.yaml");
    std::fs::write(&file, configuration).expect("the folder can be written");
    let mut command = Command::new(python().with_file_name("envoy"));
    command.args(["--use-dynamic-base-id", "--concurrency", "1", "-l", "warning", "-c"]).arg(&file);
    let process = Process::start(command, &site.path().join("envoy.log"));
    wait_for_port(port);
    process
}

#[test]
fn what_envoy_sends_to_its_log_service_is_what_was_asked_of_it() {
    let name = "what_envoy_sends_to_its_log_service_is_what_was_asked_of_it";
    if !have(name, &[Need::PythonProgram("envoy")]) {
        return;
    }
    let (als, port) = (free_port(), free_port());
    let site = Site::start(&[("als", Kind::EnvoyAls, als)]);
    let _envoy = start(&site, HTTP, site.web, (port, als));
    let sent = site.send(Asked::Forward, port);
    site.check(&["als"], &sent, Counted::WithoutHeads);
}

/// A ClientHello that asks for `name`: TLS 1.2 (RFC 5246, section 7.4.1.2), one cipher suite, and
/// the server name (RFC 6066, section 3).
fn client_hello(name: &str) -> Vec<u8> {
    let with_length = |content: &[u8]| {
        let length = u16::try_from(content.len()).expect("it is short");
        [&length.to_be_bytes(), content].concat()
    };
    let names = with_length(&[&[0], &with_length(name.as_bytes())[..]].concat());
    let extensions = with_length(&[&[0, 0], &with_length(&names)[..]].concat());
    let (version, random, session) = ([3, 3], [7; 32], [0]);
    let (suites, compression) = (with_length(&[0xc0, 0x2f]), [1, 0]);
    let hello = [&version[..], &random, &session, &suites, &compression, &extensions].concat();
    let handshake = [&[1, 0], &with_length(&hello)[..]].concat();
    [&[22, 3, 1], &with_length(&handshake)[..]].concat()
}

/// The far end: of each connection takes what is announced, and answers.
fn serve(listener: &TcpListener, announced: usize) {
    for _ in EXECUTORS {
        let (mut stream, _) = listener.accept().expect("Envoy connects");
        stream.read_exact(&mut vec![0; announced]).expect("Envoy passes on all");
        stream.write_all(&[7; ANSWER_BYTES]).expect("Envoy takes the answer");
    }
}

/// Sends this from an address; how much came back before the connection ended.
fn pass(address: &str, port: u16, bytes: &[u8]) -> u64 {
    let mut stream = connect(address, port).expect("Envoy listens");
    stream.write_all(bytes).expect("Envoy reads");
    let mut answer = Vec::new();
    // What is refused may end in a reset.
    let _ = stream.read_to_end(&mut answer);
    answer.len() as u64
}

#[test]
fn what_envoy_sends_of_connections_passed_through_is_what_went_through() {
    let name = "what_envoy_sends_of_connections_passed_through_is_what_went_through";
    if !have(name, &[Need::PythonProgram("envoy")]) {
        return;
    }
    let (als, port) = (free_port(), free_port());
    let site = Site::start(&[("als", Kind::EnvoyAls, als)]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let web = listener.local_addr().expect("a listener has an address").port();
    let allowed = [client_hello(HOST), vec![7; BODY_BYTES]].concat();
    let up = allowed.len() as u64;
    let server = thread::spawn(move || serve(&listener, up as usize));
    let _envoy = start(&site, TLS, web, (port, als));
    let mut sent = Requests::new();
    for (executor, address) in EXECUTORS {
        let key = |host: &str| [executor, "CONNECT", host, ""].map(str::to_owned).into();
        let down = pass(address, port, &allowed);
        assert_eq!(down, ANSWER_BYTES as u64);
        let through = Exchange { is_refused: false, up, up_head: 0, down, down_head: 0 };
        sent.insert(key(HOST), through);
        let down = pass(address, port, &client_hello(REFUSED));
        // Nothing of it was passed on, and so Envoy counts nothing.
        let refused = Exchange { is_refused: true, up: 0, up_head: 0, down, down_head: 0 };
        sent.insert(key(REFUSED), refused);
    }
    server.join().expect("the far end got all");
    site.check(&["als"], &sent, Counted::Whole { apart: 0 });
}
