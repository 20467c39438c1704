//! Logs of hosts about which nothing bad is known: how many alerts each costs a day, and how many stories
//! these are.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use egret_analyzer::{Incident, roll_up_new};

use super::trial::analyze;

/// Logs of a host in its ordinary life.
struct Ordinary {
    /// Files of the data.
    files: &'static [&'static str],
    /// Whose they are.
    whose: &'static str,
    /// Its address, where the logs tell of others that are not ordinary.
    host: Option<&'static str>,
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
        // 10.0.0.2 asks it over HTTP for what an implant of Sliver asks for by default: scripts by
        // names of libraries (answered 204), and PHP pages that it posts to under oauth2callback/,
        // namespaces/ and the like, every 80 to 90 s.
        host: Some("10.0.0.1"),
        days: 1,
    },
    Ordinary {
        files: &["argus-phone-24h/test2-malicious.binetflow"],
        whose: "a phone behind a VPN (Argus)",
        host: None,
        days: 1,
    },
    Ordinary {
        files: &["proxylog-squid/access.log"],
        whose: "a household's browsing (Squid)",
        host: None,
        days: 3,
    },
    Ordinary {
        files: &["proxylog-proxifier/Proxifier_2k.log"],
        whose: "a desktop's programs (Proxifier)",
        host: None,
        days: 2,
    },
];

/// What the part of the page begins with.
const HEAD: &str = "\n## Ordinary hosts\n\nNothing bad is known of these. They are read cold, with their own \
    private networks allowed (`analyzer.allow_private`).\nThey are people's machines and no executors: what \
    a chat, a file sync or an editor's telemetry sends in a day\nis more than shipped priors take for \
    normal of a sandbox.\nAlerts about one story that follow one another within a day are one roll-up, \
    and call whoever is on call\nonce, or again where one is graver than those before it.\n\n\
    | data | days | alerts | a day | roll-ups | a day | about |\n|---|---:|---:|---:|---:|---:|---|\n";

/// The part of the page about them.
///
/// # Errors
/// A file that is not there, or that egret cannot read.
pub(super) fn ordinary(data: &Path) -> Result<String> {
    let (mut part, mut others) = (HEAD.to_owned(), String::new());
    let (mut days, mut alerts, mut stories) = (0, 0, 0);
    for log in &ORDINARY {
        let Ordinary { whose, days: own, .. } = log;
        let incidents =
            log.analyze(data).with_context(|| format!("{whose} in {}", data.display()))?;
        let (incidents, of_others): (Vec<_>, Vec<_>) =
            incidents.into_iter().partition(|incident| log.is_about(incident));
        let (count, rolled_up) = (incidents.len(), roll_up_new(&incidents).len());
        let [a_day, up_a_day] = [count, rolled_up].map(|n| n as f64 / f64::from(*own));
        let because = about(&incidents);
        let _ = writeln!(
            part,
            "| {whose} | {own} | {count} | {a_day:.1} | {rolled_up} | {up_a_day:.1} | {because} |"
        );
        if !of_others.is_empty() {
            let _ = writeln!(
                others,
                "\nThe logs of {whose} tell of a second machine, which polls it as an implant of \
                 Sliver does. That is not ordinary,\nand what is found of it is not counted: {}.",
                about(&of_others)
            );
        }
        days += own;
        alerts += count;
        stories += rolled_up;
    }
    let [a_day, up_a_day] = [alerts, stories].map(|n| n as f64 / f64::from(days));
    let _ = writeln!(
        part,
        "\n{alerts} alerts in {days} days of a host, {a_day:.1} a day; they are {stories} roll-ups, \
         {up_a_day:.1} a day."
    );
    Ok(part + &others)
}

impl Ordinary {
    fn analyze(&self, data: &Path) -> Result<Vec<Incident>> {
        let files: Vec<PathBuf> = self.files.iter().map(|file| data.join(file)).collect();
        let options = ["--set", "analyzer.allow_private=[\"10.0.0.0/8\", \"192.168.0.0/16\"]"];
        analyze(&options.map(Into::into), files.iter().map(PathBuf::as_path))
    }

    fn is_about(&self, incident: &Incident) -> bool {
        self.host.is_none_or(|host| incident.origin.executor == host)
    }
}

/// How many alerts each detector had most part in.
fn about(incidents: &[Incident]) -> String {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for incident in incidents {
        if let Some(strongest) = incident.strongest() {
            *counts.entry(strongest.name()).or_default() += 1;
        }
    }
    let words: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    words.join(", ")
}
