//! Public captures and logs of hosts, real and infected, held against what is known of them. The data
//! are not ours to pass on: this is run where they are.
//!
//! A folder has a `TRUTH.tsv` with one line per thing that is known: the path of a capture, or of a
//! folder of logs, within the folder; its class; the host; where it went; and a note. Read are those
//! about something bad that went somewhere. What is bad should score higher than every other alert
//! about the same host.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use egret_analyzer::Incident;

use super::exceptions::why;
use super::ordinary::ordinary;
use super::trial::analyze;

/// Classes of what should be found.
const BAD: [&str; 6] =
    ["c2", "c2_beacon", "synthetic_beacon", "dns_tunnel", "dns_exfil", "malware_c2"];

/// A line of `TRUTH.tsv` about something bad.
#[derive(Debug, PartialEq)]
struct Known {
    path: String,
    class: String,
    host: String,
    /// The address or name it went to, and the DNS domains that the note tells of.
    places: Vec<String>,
}

impl Known {
    /// `None`: it is about something else.
    fn of(line: &str) -> Option<Self> {
        let mut fields = line.split('\t');
        let mut next = || fields.next().unwrap_or_default();
        let (path, class, host, place) = (next(), next(), next(), next());
        if !BAD.contains(&class) || host.is_empty() {
            return None;
        }
        let note = line.rsplit('\t').next().unwrap_or_default();
        let domains = note.split_whitespace().filter_map(|word| word.strip_prefix("*."));
        let place = place.split_once(':').map_or(place, |(name, _)| name);
        let place = place.strip_prefix("www.").unwrap_or(place);
        let places = domains.map(str::to_owned).chain(first_and_last(place));
        let places = places.map(|place| place.to_lowercase()).collect();
        let (path, class, host) = (path.to_owned(), class.to_owned(), host.to_owned());
        Some(Self { path, class, host, places })
    }

    fn is_at(&self, incident: &Incident) -> bool {
        let destination = incident.destination.to_lowercase();
        self.places.iter().any(|place| {
            destination == *place || incident.addresses.iter().any(|a| a.to_string() == *place)
        })
    }
}

/// The ends of a range of addresses (`192.0.2.20-21`), or what is no range itself.
fn first_and_last(place: &str) -> Vec<String> {
    let range = place.rsplit_once('-').and_then(|(first, last)| {
        let last: u8 = last.parse().ok()?;
        let network = first.parse::<std::net::Ipv4Addr>().ok()?.octets();
        let last = std::net::Ipv4Addr::from([network[0], network[1], network[2], last]);
        Some(vec![first.to_owned(), last.to_string()])
    });
    range.unwrap_or_else(|| vec![place.to_owned()])
}

/// What to read for a path of `TRUTH.tsv`: a capture, the logs of a folder, or, for what another tool
/// was expected to say, the captures beside it.
fn files(data: &Path, path: &str) -> Result<Vec<PathBuf>> {
    let path = data.join(path);
    if path.is_file() && path.extension().is_some_and(|kind| kind == "pcap") {
        return Ok(vec![path]);
    }
    let (folder, kind) = if path.is_dir() {
        (path.as_path(), ".log")
    } else {
        (path.ancestors().nth(2).context("no folder above it")?, ".pcap")
    };
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in
            std::fs::read_dir(&folder).with_context(|| format!("cannot read {folder:?}"))?
        {
            let file = entry?.path();
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            if file.is_dir() {
                folders.push(file);
            } else if name.ends_with(kind) || name.contains(".log.") {
                files.push(file);
            }
        }
    }
    // A log that nobody wrote to has no kind that could be told.
    files.retain(|file| file.metadata().is_ok_and(|file| file.len() > 0));
    files.sort();
    if files.is_empty() {
        bail!("{path:?}: nothing to read");
    }
    Ok(files)
}

/// What became of something bad.
struct Row<'a> {
    known: &'a Known,
    /// The alert about it with the highest score.
    alert: Option<&'a Incident>,
    /// Alerts about the same host that score higher and are about nothing that is known to be bad.
    above: usize,
    /// All alerts about the host.
    alerts: usize,
}

impl<'a> Row<'a> {
    /// `all` is what is known of the same data; `incidents` come by score, the highest first.
    fn of(known: &'a Known, all: &[Known], incidents: &'a [Incident]) -> Self {
        let of_host: Vec<_> =
            incidents.iter().filter(|incident| incident.origin.executor == known.host).collect();
        let place = of_host.iter().position(|incident| known.is_at(incident));
        let is_bad = |incident: &&&Incident| all.iter().any(|known| known.is_at(incident));
        let above = of_host[..place.unwrap_or(0)].iter().filter(|incident| !is_bad(incident));
        Self {
            known,
            alert: place.map(|place| of_host[place]),
            above: above.count(),
            alerts: of_host.len(),
        }
    }

    /// A line about why it is not found, or not above all else; `None`: it is.
    fn exception(&self) -> Option<String> {
        if self.alert.is_some() && self.above == 0 {
            return None;
        }
        let Known { path, host, places, .. } = self.known;
        let why = why(path, places).unwrap_or("not looked into yet.");
        Some(format!("- {path}, {host} to {}: {why}\n", places.join(", ")))
    }

    fn write(&self, page: &mut String) {
        let Known { path, class, host, places } = self.known;
        let detectors = |alert: &Incident| {
            let notable = alert.explanation.findings.iter().filter(|finding| finding.p < 0.01);
            notable.map(|finding| finding.detector.name()).collect::<Vec<_>>().join(", ")
        };
        let (above, by) = match self.alert {
            Some(alert) => (self.above.to_string(), detectors(alert)),
            None => ("–".to_owned(), "not found".to_owned()),
        };
        let _ = writeln!(
            page,
            "| {path} | {class} | {host} | {} | {above} | {} | {by} |",
            places.join(", "),
            self.alerts,
        );
    }
}

/// Reads what `data` holds and gives the page about it.
///
/// # Errors
/// No `TRUTH.tsv`, or a file that egret cannot read.
pub fn real(data: &Path) -> Result<String> {
    let truth = data.join("TRUTH.tsv");
    let truth =
        std::fs::read_to_string(&truth).with_context(|| format!("cannot read {truth:?}"))?;
    let mut by_path: BTreeMap<String, Vec<Known>> = BTreeMap::new();
    for known in truth.lines().filter_map(Known::of) {
        by_path.entry(known.path.clone()).or_default().push(known);
    }
    let mut page = String::from(
        "# Real hosts\n\nWritten by `make evaluate DATA=FOLDER`; do not edit. Public captures and logs \
         that come with the truth\nabout them, read cold by `egret analyze` with its shipped priors. \
         \"Above\" counts the alerts about the same\nhost that score higher and are about nothing \
         that is known to be bad.\n\n\
         | data | what | host | where to | above | alerts of the host | found by |\n\
         |---|---|---|---|---:|---:|---|\n",
    );
    let (mut found, mut first, mut all) = (0, 0, 0);
    let mut exceptions = BTreeSet::new();
    for (path, known) in &by_path {
        let files = files(data, path)?;
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        let mut incidents = analyze(&[], files)?;
        incidents.sort_by(|one, other| other.score.total_cmp(&one.score));
        for row in known.iter().map(|one| Row::of(one, known, &incidents)) {
            all += 1;
            found += u32::from(row.alert.is_some());
            first += u32::from(row.alert.is_some() && row.above == 0);
            row.write(&mut page);
            exceptions.extend(row.exception());
        }
    }
    let _ = writeln!(page, "\n{found} of {all} were found, {first} of them above all else.");
    if !exceptions.is_empty() {
        page.push_str("\nThe exceptions:\n\n");
        page.extend(exceptions);
    }
    page.push_str(&ordinary(data)?);
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_read_with_its_places() {
        let line =
            "logs/a\tc2_beacon\t10.0.0.1\twww.evil.example:443\tCONNECT\t9 rows\tmedian 249 s";
        let known = Known::of(line).unwrap();
        assert_eq!(
            (known.host.as_str(), known.places),
            ("10.0.0.1", vec!["evil.example".to_owned()])
        );
        let line = "b.pcap\tdns_tunnel\t10.0.0.1\t10.0.0.53\t53\t22 queries\tmainly *.Drop.EXAMPLE";
        let known = Known::of(line).unwrap();
        assert_eq!(known.places, ["drop.example", "10.0.0.53"]);
        assert_eq!(first_and_last("192.0.2.20-21"), ["192.0.2.20", "192.0.2.21"]);
        assert_eq!(first_and_last("a-1.example"), ["a-1.example"]);
        assert_eq!(Known::of("a\tbenign\t10.0.0.1\tx\t1\t1\t"), None);
        assert_eq!(Known::of("path\tclass\tsrc\tdst\tport\tcount\tnote"), None);
    }
}
