//! Envoy, which sends its log by its own protocol (gRPC).

use std::fmt::Write as _;
use std::process::Command;

use egret_tests::capability::{Need, have};
use egret_tests::parts::{free_port, python};
use egret_tests::process::Process;

use super::{Asked, Counted, HOST, Kind, Site, shipped, wait_for_port};

/// Envoy as an egress proxy that allows by list. `ACCESS_LOG` and `CLUSTERS` are what is shipped.
const CONFIGURATION: &str = r#"
static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: PORT}}
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
  clusters:
  - name: web
    load_assignment:
      cluster_name: web
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: WEB}}}
CLUSTERS
"#;

/// The parts of the shipped configuration, for an egret that listens at this port.
fn parts(als: u16) -> (String, String) {
    let shipped =
        shipped("envoy/als.yaml").replace("port_value: 9901", &format!("port_value: {als}"));
    let (access_log, clusters) = shipped.split_once("clusters:\n").expect("it has two parts");
    let (_, access_log) = access_log.split_once("access_log:\n").expect("it has two parts");
    (indented(access_log, 10), indented(clusters, 2))
}

fn indented(text: &str, by: usize) -> String {
    text.lines().fold(String::new(), |mut all, line| {
        writeln!(all, "{:by$}{line}", "").expect("text can grow");
        all
    })
}

fn start(site: &Site, port: u16, als: u16) -> Process {
    let (access_log, clusters) = parts(als);
    let configuration = CONFIGURATION
        .replace("ACCESS_LOG", access_log.trim_end())
        .replace("CLUSTERS", clusters.trim_end())
        .replace("HOST", HOST)
        .replace("PORT", &port.to_string())
        .replace("WEB", &site.web.to_string());
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
    let _envoy = start(&site, port, als);
    let sent = site.send(Asked::Forward, port);
    site.check(&["als"], &sent, Counted::WithoutHeads);
}
