//! The tools that are measured beside ours, each as its manual says for reading a file.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::measure::Runs;

/// Where `deploy/setup.sh bench` puts the Python of the peers that are Python packages.
const PYTHON: &str = "target/bench-python/bin/python";

/// Quick ones are run as often as ours, slow ones once.
const QUICK: Runs = Runs::of(7);
const SLOW: Runs = Runs::of(1);

/// A tool that people know.
pub(crate) struct Peer {
    /// Its name, and what it does here.
    pub(crate) name: &'static str,
    /// How often it is run.
    pub(crate) runs: Runs,
    command: Vec<String>,
}

impl Peer {
    fn new(name: &'static str, runs: Runs, command: &[&str]) -> Self {
        Self { name, runs, command: command.iter().map(|word| (*word).to_owned()).collect() }
    }

    /// How it is called.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]);
        command
    }

    /// Whether it is on this machine.
    pub(crate) fn is_here(&self) -> bool {
        let program = &self.command[0];
        Path::new(program).is_file()
            || Command::new("sh")
                .args(["-c", "command -v \"$1\"", "sh", program])
                .stdout(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
    }
}

/// The tool that ours is compared with by name: from packets to its own flow files. It decodes no
/// DNS, TLS or HTTP.
pub(crate) fn nfpcapd(capture: &str, folder: &str) -> Peer {
    Peer::new("nfpcapd", QUICK, &["nfpcapd", "-r", capture, "-l", folder])
}

/// Tools that read captures. softflowd, argus and pmacctd decode no DNS, TLS or HTTP either.
pub(crate) fn of_captures(capture: &str, folder: &str) -> Vec<Peer> {
    let netflow = "127.0.0.1:9995";
    let pmacct_out = format!("{folder}/pmacctd.csv");
    let argus_out = format!("{folder}/argus.out");
    let names = ["-e", "tls.handshake.extensions_server_name", "-e", "dns.qry.name"];
    let tshark = ["tshark", "-r", capture, "-T", "fields", "-e", "ip.src", "-e", "http.host"];
    // It waits for more when it has read all, so it is told to end.
    let until_told = Runs { count: 1, stop_after_s: Some(40) };
    vec![
        Peer::new("tcpdump -w /dev/null", QUICK, &["tcpdump", "-r", capture, "-w", "/dev/null"]),
        Peer::new(
            "softflowd (NetFlow v9)",
            QUICK,
            &["softflowd", "-d", "-v", "9", "-m", "500000", "-n", netflow, "-r", capture],
        ),
        Peer::new(
            "argus",
            QUICK,
            &["argus", "-X", "-F", "/dev/null", "-r", capture, "-w", &argus_out],
        ),
        Peer::new(
            "pmacctd (to a file)",
            until_told,
            &[
                "pmacctd",
                "-I",
                capture,
                "-P",
                "print",
                "-O",
                "csv",
                "-o",
                &pmacct_out,
                "-r",
                "3600",
                "-c",
                "src_host,dst_host,src_port,dst_port,proto",
            ],
        ),
        Peer::new("nfstream, with nDPI", SLOW, &[PYTHON, "tests/bench/nfstream_flows.py", capture]),
        Peer::new("tshark: SNI, DNS, HTTP", SLOW, &[&tshark[..], &names[..]].concat()),
    ]
}

/// Tools that read Squid's log in our format.
pub(crate) fn of_squid(log: &str, folder: &str) -> Vec<Peer> {
    let format = "%x.%^ %~%L %h:%^ %^/%s up=%^ down=%b %m %U %^";
    vec![
        Peer::new(
            "DuckDB: CSV, per pair",
            QUICK,
            &[PYTHON, "tests/bench/duckdb_pairs.py", "squid", log],
        ),
        goaccess(
            log,
            folder,
            &[
                "--log-format",
                format,
                "--date-format=%s",
                "--time-format=%s",
                "--datetime-format=%s",
            ],
        ),
    ]
}

/// Tools that read Envoy's log.
pub(crate) fn of_envoy(log: &str, folder: &str) -> Vec<Peer> {
    let format = "{\"start_time\":\"%dT%t.%^\",\"method\":\"%m\",\"path\":\"%U\",\
         \"protocol\":\"%H\",\"response_code\":\"%s\",\"bytes_sent\":\"%b\",\
         \"user_agent\":\"%u\",\"downstream_direct_remote_address\":\"%h:%^\",\
         \"authority\":\"%v\"}";
    let fields = "[.downstream_direct_remote_address,.authority,.bytes_received]|@tsv";
    vec![
        Peer::new(
            "DuckDB: JSON, per pair",
            QUICK,
            &[PYTHON, "tests/bench/duckdb_pairs.py", "envoy", log],
        ),
        Peer::new("jq, three fields", SLOW, &["jq", "-r", fields, log]),
        goaccess(
            log,
            folder,
            &["--log-format", format, "--date-format=%Y-%m-%d", "--time-format=%T"],
        ),
    ]
}

fn goaccess(log: &str, folder: &str, format: &[&str]) -> Peer {
    let out = format!("{folder}/goaccess.json");
    let fixed = ["goaccess", log, "--no-global-config", "--no-progress", "-o", &out];
    Peer::new("goaccess", SLOW, &[&fixed[..], format].concat())
}
