//! The tools that are measured beside ours, each as its manual says for reading a file.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::measure::{Row, Runs};

/// Where `deploy/setup.sh bench` puts the Python of the peers that are Python packages.
const PYTHON: &str = "target/bench-python/bin/python";

/// Quick ones are run as often as ours, slow ones once.
const QUICK: Runs = crate::RUNS;
const SLOW: Runs = Runs::of(1);

/// A tool that people know: its name, and what it does here.
fn peer(name: &str, runs: Runs, command: &[&str]) -> Row {
    if !is_here(command[0]) {
        return Row::missing(name, "not installed");
    }
    let mut process = Command::new(command[0]);
    process.args(&command[1..]);
    Row::of_peer(name, runs, process)
}

fn is_here(program: &str) -> bool {
    Path::new(program).is_file()
        || Command::new("sh")
            .args(["-c", "command -v \"$1\"", "sh", program])
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
}

/// The tool that ours is compared with by name: from packets to its own flow files. It decodes no
/// DNS, TLS or HTTP.
pub(crate) fn nfpcapd(capture: &str, folder: &str) -> Row {
    peer("nfpcapd", QUICK, &["nfpcapd", "-r", capture, "-l", folder])
}

/// Tools that read captures. softflowd, argus and pmacctd decode no DNS, TLS or HTTP either.
pub(crate) fn of_captures(capture: &str, folder: &str) -> Vec<Row> {
    let netflow = "127.0.0.1:9995";
    let pmacct_out = format!("{folder}/pmacctd.csv");
    let argus_out = format!("{folder}/argus.out");
    let names = ["-e", "tls.handshake.extensions_server_name", "-e", "dns.qry.name"];
    let tshark = ["tshark", "-r", capture, "-T", "fields", "-e", "ip.src", "-e", "http.host"];
    // It waits for more when it has read all, so it is told to end.
    let until_told = Runs { count: 1, stop_after_s: Some(40) };
    vec![
        peer("tcpdump -w /dev/null", QUICK, &["tcpdump", "-r", capture, "-w", "/dev/null"]),
        peer(
            "softflowd (NetFlow v9)",
            QUICK,
            &["softflowd", "-d", "-v", "9", "-m", "500000", "-n", netflow, "-r", capture],
        ),
        peer("argus", QUICK, &["argus", "-X", "-F", "/dev/null", "-r", capture, "-w", &argus_out]),
        peer(
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
        peer("nfstream, with nDPI", SLOW, &[PYTHON, "tests/bench/nfstream_flows.py", capture]),
        peer("tshark: SNI, DNS, HTTP", SLOW, &[&tshark[..], &names[..]].concat()),
    ]
}

/// Tools that read Squid's log in our format.
pub(crate) fn of_squid(log: &str, folder: &str) -> Vec<Row> {
    let format = "%x.%^ %~%L %h:%^ %^/%s up=%^ down=%b %m %U %^";
    vec![
        peer(
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
pub(crate) fn of_envoy(log: &str, folder: &str) -> Vec<Row> {
    let format = "{\"start_time\":\"%dT%t.%^\",\"method\":\"%m\",\"path\":\"%U\",\
         \"protocol\":\"%H\",\"response_code\":\"%s\",\"bytes_sent\":\"%b\",\
         \"user_agent\":\"%u\",\"downstream_direct_remote_address\":\"%h:%^\",\
         \"authority\":\"%v\"}";
    let fields = "[.downstream_direct_remote_address,.authority,.bytes_received]|@tsv";
    vec![
        peer(
            "DuckDB: JSON, per pair",
            QUICK,
            &[PYTHON, "tests/bench/duckdb_pairs.py", "envoy", log],
        ),
        peer("jq, three fields", SLOW, &["jq", "-r", fields, log]),
        goaccess(
            log,
            folder,
            &["--log-format", format, "--date-format=%Y-%m-%d", "--time-format=%T"],
        ),
    ]
}

fn goaccess(log: &str, folder: &str, format: &[&str]) -> Row {
    let out = format!("{folder}/goaccess.json");
    let fixed = ["goaccess", log, "--no-global-config", "--no-progress", "-o", &out];
    peer("goaccess", SLOW, &[&fixed[..], format].concat())
}
