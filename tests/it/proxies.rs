//! Real proxies that send their logs over the network, as they are told to in `deploy/`: each
//! request that was sent through them is one event, with who sent it, where to, whether it was
//! refused, and how much went each way.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use egret_event::{Event, Fact};
use egret_tests::capability::{Need, have};
use egret_tests::parts::{
    configure_squid, free_port, free_udp_ports, open_to_all, python, script, start_squid,
};
use egret_tests::process::Process;
use egret_tests::repository;
use egret_tests::running::Running;
use egret_tests::stored::Stored;
use egret_tests::wait::until;
use socket2::{Domain, Socket, Type};

const HOST: &str = "api.shop.example";
const REFUSED: &str = "refused.example";

/// Executors, and the addresses of loopback that they have.
const EXECUTORS: [(&str, &str); 2] = [("sandbox-7", "127.0.0.7"), ("sandbox-8", "127.0.0.8")];

/// Bytes of an upload's body.
const BODY_BYTES: usize = 50_000;

/// How long a proxy may take for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// How far a count may be off where a proxy counts headers in a form of its own.
const HEADERS_APART: u64 = 32;

/// What is known of a request, by its executor, method, host and path.
type Requests = BTreeMap<(String, String, String, String), Outcome>;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outcome {
    is_refused: bool,
    up: u64,
    down: u64,
}

/// How a proxy is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// As a forward proxy: with the whole URL, or CONNECT.
    Forward,
    /// As a gateway, which goes by the Host header.
    Gateway,
}

/// A running egret that listens for logs, and a web server.
struct Site {
    folder: tempfile::TempDir,
    web: u16,
    egret: Running,
    _server: Process,
}

/// A source that listens: its name, protocol and port.
type Listener<'a> = (&'a str, &'a str, u16);

impl Site {
    fn start(listeners: &[Listener<'_>]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = folder.path();
        open_to_all(path);
        let web = free_port();
        let mut server = Command::new(python());
        server.arg(script("web_server.py")).args(["127.0.0.1", &web.to_string()]);
        let mut server = Process::start(server, &path.join("web.log"));
        server.wait_for_output("listening");
        let egret = Running::start(path, &configuration(path, listeners));
        Self { web, egret, _server: server, folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Sends requests of each executor through the proxy at this port; what was asked for.
    fn send(&self, asked: Asked, proxy: u16) -> Requests {
        let (base, host) = match asked {
            Asked::Forward => {
                (format!("http://{HOST}:{}", self.web), format!("{HOST}:{}", self.web))
            }
            Asked::Gateway => (String::new(), HOST.to_owned()),
        };
        let url = |path: &str| format!("{base}{path}");
        let page = request("GET", &url("/page"), &host, 0);
        let refused = request("GET", &url("/refused"), &host, 0);
        let upload = request("PUT", &url("/up"), &host, BODY_BYTES);
        let inside = request("PUT", "/in/tunnel", &host, BODY_BYTES);
        let mut requests = Requests::new();
        for (executor, address) in EXECUTORS {
            let mut send = |method: &str, host: &str, path: &str, parts: &[&[u8]]| {
                let outcome = exchange(address, proxy, parts);
                let key = [executor, method, host, path].map(str::to_owned);
                requests.insert(key.into(), outcome);
            };
            send("GET", HOST, "/page", &[&page]);
            send("GET", HOST, "/refused", &[&refused]);
            send("PUT", HOST, "/up", &[&upload]);
            if asked == Asked::Forward {
                let closed = format!("{REFUSED}:443");
                send("CONNECT", HOST, "", &[&request("CONNECT", &host, &host, 0), &inside]);
                send("CONNECT", REFUSED, "", &[&request("CONNECT", &closed, &closed, 0)]);
            }
        }
        requests
    }

    /// Checks that each source was told of all requests, and of nothing else.
    fn check(mut self, sources: &[&str], sent: &Requests, apart: u64) {
        for source in sources {
            until(&format!("{} requests of {source}", sent.len()), || {
                let events = Stored::open(self.path()).events();
                (of_source(&events, source).count() >= sent.len()).then_some(())
            });
        }
        self.egret.process.terminate();
        let events = Stored::open(self.path()).events();
        for source in sources {
            let told: Requests = of_source(&events, source).map(told).collect();
            assert_eq!(of_source(&events, source).count(), sent.len(), "{source}: {told:#?}");
            for (request, sent) in sent {
                let told = told.get(request).unwrap_or_else(|| panic!("{source}: no {request:?}"));
                let is_near = told.is_refused == sent.is_refused
                    && told.up.abs_diff(sent.up) <= apart
                    && told.down.abs_diff(sent.down) <= apart;
                assert!(is_near, "{source}: {request:?} was told as {told:?} and was {sent:?}");
            }
        }
    }
}

fn configuration(folder: &Path, listeners: &[Listener<'_>]) -> String {
    let mut text = format!(
        "[[collector.segments]]\nname = \"a\"\nranges = [\"127.0.0.0/8\"]\n\
         [store]\npath = \"{}/egret.db\"\n[api]\nlisten = \"127.0.0.1:{}\"\n",
        folder.display(),
        free_port()
    );
    for (id, address) in EXECUTORS {
        let executor = format!("[[collector.executors]]\nid = \"{id}\"\naddress = \"{address}\"\n");
        text.push_str(&executor);
    }
    for (name, protocol, port) in listeners {
        let source = format!(
            "[[collector.sources]]\nkind = \"syslog\"\nname = \"{name}\"\n\
             protocol = \"{protocol}\"\nlisten = \"127.0.0.1:{port}\"\n"
        );
        text.push_str(&source);
    }
    text
}

/// A request as it is sent.
fn request(method: &str, target: &str, host: &str, body_bytes: usize) -> Vec<u8> {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: test\r\n\
         Content-Length: {body_bytes}\r\nConnection: close\r\n\r\n"
    );
    [head.into_bytes(), vec![b'x'; body_bytes]].concat()
}

/// Sends the parts of a conversation from this address to the proxy, each but the first after an
/// answer; what went each way.
fn exchange(address: &str, proxy: u16, parts: &[&[u8]]) -> Outcome {
    let mut stream = connect(address, proxy).expect("the proxy listens");
    let mut answer = Vec::new();
    let mut up = 0;
    for part in parts {
        stream.write_all(part).expect("the proxy reads");
        up += part.len() as u64;
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).expect("the proxy answers");
        answer.extend_from_slice(&buffer[..length]);
    }
    stream.read_to_end(&mut answer).expect("the proxy ends the connection");
    let is_refused = answer.starts_with(b"HTTP/1.1 403");
    assert!(is_refused || answer.starts_with(b"HTTP/1.1 200"), "{}", answer.escape_ascii());
    Outcome { is_refused, up, down: answer.len() as u64 }
}

fn connect(from: &str, port: u16) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let from: IpAddr = from.parse().expect("an address");
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn of_source<'a>(events: &'a [Event], source: &str) -> impl Iterator<Item = &'a Event> {
    events.iter().filter(move |event| event.source == source)
}

/// What an event tells of a request.
fn told(event: &Event) -> ((String, String, String, String), Outcome) {
    let Fact::Http(request) = &event.fact else { panic!("no request: {event:?}") };
    let host = event.destination.host.clone().unwrap_or_default();
    let path = request.path.clone().unwrap_or_default();
    let key = [event.origin.executor.clone(), request.method.clone(), host, path];
    let outcome = Outcome {
        is_refused: event.verdict.is_blocked(),
        up: event.up.bytes.unwrap_or_else(|| panic!("no upload: {event:?}")),
        down: event.down.bytes.unwrap_or_else(|| panic!("no download: {event:?}")),
    };
    (key.map(String::from).into(), outcome)
}

/// A file of `deploy/`.
fn shipped(name: &str) -> String {
    let file = repository().join("deploy").join(name);
    std::fs::read_to_string(file).expect("the format is in the repository")
}

#[test]
fn what_squid_sends_over_udp_and_tcp_is_what_was_asked_of_it() {
    let name = "what_squid_sends_over_udp_and_tcp_is_what_was_asked_of_it";
    if !have(name, &["squid"].map(Need::Program)) {
        return;
    }
    let (udp, tcp, port) = (free_udp_ports(1)[0], free_port(), free_port());
    let site = Site::start(&[("udp", "udp", udp), ("tcp", "tcp", tcp)]);
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
    site.check(&["udp", "tcp"], &sent, 0);
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
        until(&format!("{self:?} to listen"), || TcpStream::connect(("127.0.0.1", port)).ok());
        process
    }
}

fn nginx(folder: &Path, port: u16, web: u16, logs: &[u16]) -> String {
    let mut configuration = format!(
        "daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.error.log; events {{}}\n\
         http {{\n",
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
        ("first", "udp", ports[0]),
        ("second", "udp", ports[1]),
        ("counted", "tcp", counted),
        ("plain", "tcp", plain),
    ]);
    let _rsyslog = start_rsyslog(site.path(), ports[2], counted, plain);
    let _gateway = gateway.start(&site, port, &ports);
    let sent = site.send(Asked::Gateway, port);
    let apart = match gateway {
        Gateway::Nginx => 0,
        Gateway::Haproxy => HEADERS_APART,
    };
    site.check(&["first", "second", "counted", "plain"], &sent, apart);
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
