//! Proxies and a relay that send by syslog, or bare.

use std::path::{Path, PathBuf};
use std::process::Command;

use egret_tests::capability::{Need, have};
use egret_tests::parts::{configure_squid, free_port, free_udp_ports, start_squid};
use egret_tests::process::Process;
use egret_tests::wait::until;

use super::{Asked, Counted, HOST, Kind, REFUSED, Site, shipped, wait_for_port};

/// How far HAProxy's counts of headers, which it keeps in a form of its own, may be off.
const HEADERS_APART: u64 = 32;

#[test]
fn what_squid_sends_over_udp_and_tcp_is_what_was_asked_of_it() {
    let name = "what_squid_sends_over_udp_and_tcp_is_what_was_asked_of_it";
    if !have(name, &["squid"].map(Need::Program)) {
        return;
    }
    let (udp, tcp, port) = (free_udp_ports(1)[0], free_port(), free_port());
    let site = Site::start(&[("udp", Kind::SyslogUdp, udp), ("tcp", Kind::SyslogTcp, tcp)]);
    let folder = site.path();
    std::fs::write(folder.join("hosts"), format!("127.0.0.1 {HOST}\n")).expect("it is ours");
    let lines = format!(
        "http_port 127.0.0.1:{port}\nhosts_file {}/hosts\nacl path urlpath_regex ^/refused\n\
         acl host dstdomain {REFUSED}\nhttp_access deny path\nhttp_access deny host\n\
         http_access allow all\n",
        folder.display()
    );
    configure_squid(folder, &lines);
    let file = folder.join("squid.conf");
    let configuration = std::fs::read_to_string(&file).expect("it was just written");
    let logs = format!(
        "access_log udp://127.0.0.1:{udp} logformat=egret buffer-size=0KB\n\
         access_log tcp://127.0.0.1:{tcp} logformat=egret\n"
    );
    std::fs::write(&file, configuration + &logs).expect("it is ours");
    let _squid = start_squid(folder, Command::new("squid"));
    let sent = site.send(Asked::Forward, port);
    site.check(&["udp", "tcp"], &sent, Counted::Whole { apart: 0 });
}

/// Proxies of Debian's that log by syslog.
#[derive(Debug, Clone, Copy)]
enum Gateway {
    Nginx,
    Haproxy,
}

impl Gateway {
    /// Starts it at `port` before the web server, with the shipped format, logging to all of
    /// `logs` over UDP.
    fn start(self, site: &Site, port: u16, logs: &[u16]) -> Process {
        let folder = site.path();
        let (file, configuration) = match self {
            Self::Nginx => (folder.join("nginx.conf"), nginx(folder, port, site.web, logs)),
            Self::Haproxy => (folder.join("haproxy.cfg"), haproxy(port, site.web, logs)),
        };
        std::fs::write(&file, configuration).expect("the folder can be written");
        let mut command = match self {
            Self::Nginx => {
                let mut command = Command::new("nginx");
                command.arg("-p").arg(folder).arg("-c").arg(&file);
                command
            }
            Self::Haproxy => {
                let mut command = Command::new("haproxy");
                command.args(["-db", "-f"]).arg(&file);
                command
            }
        };
        command.env("LC_ALL", "C");
        let process = Process::start(command, &folder.join(format!("{self:?}.log")));
        wait_for_port(port);
        process
    }
}

fn nginx(folder: &Path, port: u16, web: u16, logs: &[u16]) -> String {
    // One process: a master that is killed leaves its workers behind.
    let mut configuration = format!(
        "daemon off; master_process off; pid {folder}/nginx.pid;\n\
         error_log {folder}/nginx.error.log; events {{}}\nhttp {{\n",
        folder = folder.display()
    );
    for line in shipped("nginx/egret.conf").lines() {
        match line.strip_prefix("access_log ") {
            Some(_) => logs.iter().for_each(|log| {
                let line = format!("access_log syslog:server=127.0.0.1:{log} egret;\n");
                configuration.push_str(&line);
            }),
            None => configuration.extend([line, "\n"]),
        }
    }
    configuration
        + &format!(
            "server {{ listen 127.0.0.1:{port}; location /refused {{ deny all; }}\n\
             location / {{ proxy_pass http://127.0.0.1:{web}; }} }} }}\n"
        )
}

fn haproxy(port: u16, web: u16, logs: &[u16]) -> String {
    let formats = ["rfc3164", "rfc5424"].iter().cycle();
    let logs = logs.iter().zip(formats);
    let logs: String = logs
        .map(|(log, format)| format!("    log 127.0.0.1:{log} format {format} local0\n"))
        .collect();
    let shipped = shipped("haproxy/egret.cfg");
    let lines: String =
        shipped.lines().filter(|line| line.starts_with("    ")).flat_map(|l| [l, "\n"]).collect();
    format!(
        "global\n{logs}defaults\n    mode http\n    timeout connect 5s\n    timeout client 5s\n    \
         timeout server 5s\nfrontend in\n    bind 127.0.0.1:{port}\n    log global\n{lines}    \
         http-request deny if {{ path /refused }}\n    default_backend out\nbackend out\n    \
         server origin 127.0.0.1:{web}\n"
    )
}

/// rsyslog, which takes messages at a UDP port and hands them on over TCP, in both framings.
fn start_rsyslog(folder: &Path, listen: u16, counted: u16, plain: u16) -> Process {
    let file: PathBuf = folder.join("rsyslog.conf");
    let to = |port: u16, framing: &str, template: &str| {
        format!(
            "action(type=\"omfwd\" target=\"127.0.0.1\" port=\"{port}\" protocol=\"tcp\" \
             TCP_Framing=\"{framing}\" template=\"{template}\")\n"
        )
    };
    let configuration = format!(
        "global(workDirectory=\"{}\" maxMessageSize=\"64k\")\nmodule(load=\"imudp\")\n\
         input(type=\"imudp\" address=\"127.0.0.1\" port=\"{listen}\")\n{}{}",
        folder.display(),
        to(counted, "octet-counted", "RSYSLOG_SyslogProtocol23Format"),
        to(plain, "traditional", "RSYSLOG_TraditionalForwardFormat"),
    );
    std::fs::write(&file, configuration).expect("the folder can be written");
    let mut command = Command::new("rsyslogd");
    command.args(["-n", "-f"]).arg(&file).arg("-i").arg(folder.join("rsyslog.pid"));
    let process = Process::start(command, &folder.join("rsyslog.log"));
    until("rsyslog to listen", || {
        let state = Command::new("ss").args(["-Hlun"]).output().ok()?;
        let text = String::from_utf8_lossy(&state.stdout).into_owned();
        text.contains(&format!("127.0.0.1:{listen}")).then_some(())
    });
    process
}

fn what_a_gateway_sends_arrives(gateway: Gateway) {
    let ports = free_udp_ports(3);
    let (counted, plain, port) = (free_port(), free_port(), free_port());
    let site = Site::start(&[
        ("first", Kind::SyslogUdp, ports[0]),
        ("second", Kind::SyslogUdp, ports[1]),
        ("counted", Kind::SyslogTcp, counted),
        ("plain", Kind::SyslogTcp, plain),
    ]);
    let _rsyslog = start_rsyslog(site.path(), ports[2], counted, plain);
    let _gateway = gateway.start(&site, port, &ports);
    let sent = site.send(Asked::Gateway, port);
    let apart = match gateway {
        Gateway::Nginx => 0,
        Gateway::Haproxy => HEADERS_APART,
    };
    site.check(&["first", "second", "counted", "plain"], &sent, Counted::Whole { apart });
}

#[test]
fn what_nginx_sends_by_syslog_is_what_was_asked_of_it() {
    let name = "what_nginx_sends_by_syslog_is_what_was_asked_of_it";
    if have(name, &["nginx", "rsyslogd", "ss"].map(Need::Program)) {
        what_a_gateway_sends_arrives(Gateway::Nginx);
    }
}

#[test]
fn what_haproxy_sends_by_syslog_is_what_was_asked_of_it() {
    let name = "what_haproxy_sends_by_syslog_is_what_was_asked_of_it";
    if have(name, &["haproxy", "rsyslogd", "ss"].map(Need::Program)) {
        what_a_gateway_sends_arrives(Gateway::Haproxy);
    }
}
