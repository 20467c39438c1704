//! Real proxies that send their logs over the network, as they are told to in `deploy/`: each
//! request that was sent through them is one event, with who sent it, where to, whether it was
//! refused, and how much went each way.

mod envoy;
mod syslog;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use egret_event::{Event, Fact};
use egret_tests::parts::{free_port, open_to_all, python, script};
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

/// What is known of a request, by its executor, method, host and path.
type Requests<T> = BTreeMap<(String, String, String, String), T>;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outcome {
    is_refused: bool,
    up: u64,
    down: u64,
}

/// What was exchanged with a proxy for one request.
#[derive(Debug, Clone, Copy)]
struct Exchange {
    is_refused: bool,
    /// Bytes sent, and how many of them are the head of the request (or CONNECT).
    up: u64,
    up_head: u64,
    /// The same of what came back.
    down: u64,
    down_head: u64,
}

/// What a proxy counts as a request.
#[derive(Debug, Clone, Copy)]
enum Counted {
    /// All of it; heads in a form of its own, so that it may be as many bytes off.
    Whole { apart: u64 },
    /// All but heads: bodies, and what goes through a tunnel.
    WithoutHeads,
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

/// A source that listens: its name, kind and port.
type Listener<'a> = (&'a str, Kind, u16);

#[derive(Debug, Clone, Copy)]
enum Kind {
    SyslogUdp,
    SyslogTcp,
    EnvoyAls,
}

impl Kind {
    fn keys(self) -> &'static str {
        match self {
            Self::SyslogUdp => "kind = \"syslog\"\nprotocol = \"udp\"",
            Self::SyslogTcp => "kind = \"syslog\"\nprotocol = \"tcp\"",
            Self::EnvoyAls => "kind = \"envoy-als\"",
        }
    }
}

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
    fn send(&self, asked: Asked, proxy: u16) -> Requests<Exchange> {
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
    fn check(mut self, sources: &[&str], sent: &Requests<Exchange>, counted: Counted) {
        for source in sources {
            until(&format!("{} requests of {source}", sent.len()), || {
                let events = Stored::open(self.path()).events();
                (of_source(&events, source).count() >= sent.len()).then_some(())
            });
        }
        self.egret.process.terminate();
        let events = Stored::open(self.path()).events();
        for source in sources {
            let told: Requests<Outcome> = of_source(&events, source).map(told).collect();
            assert_eq!(of_source(&events, source).count(), sent.len(), "{source}: {told:#?}");
            for (request, sent) in sent {
                let told = told.get(request).unwrap_or_else(|| panic!("{source}: no {request:?}"));
                let is_so = sent.is_told_by(*told, counted);
                assert!(is_so, "{source}: {request:?} was told as {told:?} and was {sent:?}");
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
    for (name, kind, port) in listeners {
        let source = format!(
            "[[collector.sources]]\nname = \"{name}\"\n{}\nlisten = \"127.0.0.1:{port}\"\n",
            kind.keys()
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
fn exchange(address: &str, proxy: u16, parts: &[&[u8]]) -> Exchange {
    // Squid says that it accepts connections before it does.
    let mut stream = until("a proxy that listens", || connect(address, proxy).ok());
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
    // A proxy that allows by list answers that it knows no such host (404).
    let is_refused = ["403", "404"].iter().any(|status| answer[9..].starts_with(status.as_bytes()));
    assert!(is_refused || answer[9..].starts_with(b"200"), "{}", answer.escape_ascii());
    let (up_head, down_head) = (head_of(parts[0]), head_of(&answer));
    Exchange { is_refused, up, up_head, down: answer.len() as u64, down_head }
}

/// Bytes of the head that a message begins with.
fn head_of(message: &[u8]) -> u64 {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n").expect("a head has an end");
    end as u64 + 4
}

impl Exchange {
    /// Whether this is what was told.
    fn is_told_by(&self, told: Outcome, counted: Counted) -> bool {
        let (up, down, apart) = match counted {
            Counted::Whole { apart } => (self.up, self.down, apart),
            Counted::WithoutHeads => (self.up - self.up_head, self.down - self.down_head, 0),
        };
        told.is_refused == self.is_refused
            && told.up.abs_diff(up) <= apart
            && told.down.abs_diff(down) <= apart
    }
}

/// Waits until somebody listens at this port of loopback.
fn wait_for_port(port: u16) {
    until(&format!("a proxy at port {port}"), || TcpStream::connect(("127.0.0.1", port)).ok());
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
