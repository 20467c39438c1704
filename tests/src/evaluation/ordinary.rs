//! Logs of hosts about which nothing bad is known: how many alerts each costs a day.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use egret_analyzer::Incident;

use super::trial::analyze;

/// Logs of a host in its ordinary life.
struct Ordinary {
    /// Files of the data.
    files: &'static [&'static str],
    /// Whose they are.
    whose: &'static str,
    /// Days on which it did something.
    days: u32,
}

const ORDINARY: [Ordinary; 4] = [
    Ordinary {
        files: &[
            "zeek-workstation/conn.log",
            "zeek-workstation/dns.log",
            "zeek-workstation/http.log",
            "zeek-workstation/ssl.log",
        ],
        whose: "a developer's workstation (Zeek)",
        days: 1,
    },
    Ordinary {
        files: &["argus-phone-24h/test2-malicious.binetflow"],
        whose: "a phone behind a VPN (Argus)",
        days: 1,
    },
    Ordinary {
        files: &["proxylog-squid/access.log"],
        whose: "a household's browsing (Squid)",
        days: 3,
    },
    Ordinary {
        files: &["proxylog-proxifier/Proxifier_2k.log"],
        whose: "a desktop's programs (Proxifier)",
        days: 2,
    },
];

/// The part of the page about them.
///
/// # Errors
/// A file that is not there, or that egret cannot read.
pub(super) fn ordinary(data: &Path) -> Result<String> {
    let mut part = String::from(
        "\n## Ordinary hosts\n\nNothing bad is known of these. They are read cold, with their own private \
         networks allowed (`analyzer.allow_private`).\nThey are people's machines and no executors: what \
         a chat, a file sync or an editor's telemetry sends in a day\nis more than shipped priors take for \
         normal of a sandbox.\n\n\
         | data | days | alerts | a day | about |\n|---|---:|---:|---:|---|\n",
    );
    let (mut days, mut alerts) = (0, 0);
    for Ordinary { files, whose, days: own } in &ORDINARY {
        let files: Vec<PathBuf> = files.iter().map(|file| data.join(file)).collect();
        let options = ["--set", "analyzer.allow_private=[\"10.0.0.0/8\", \"192.168.0.0/16\"]"];
        let options = options.map(Into::into);
        let incidents = analyze(&options, files.iter().map(PathBuf::as_path))
            .with_context(|| format!("{whose} in {}", data.display()))?;
        let (count, a_day) = (incidents.len(), incidents.len() as f64 / f64::from(*own));
        let _ =
            writeln!(part, "| {whose} | {own} | {count} | {a_day:.1} | {} |", about(&incidents));
        days += own;
        alerts += count;
    }
    let a_day = alerts as f64 / f64::from(days);
    let _ = writeln!(part, "\n{alerts} alerts in {days} days of a host, {a_day:.1} a day.");
    Ok(part)
}

/// How many alerts each detector had most part in.
fn about(incidents: &[Incident]) -> String {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for incident in incidents {
        if let Some(strongest) = incident.explanation.findings.first() {
            *counts.entry(strongest.detector.name()).or_default() += 1;
        }
    }
    let words: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    words.join(", ")
}
