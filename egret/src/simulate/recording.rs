//! Recordings of real programs (`tests/profiles/record.py`): for each run what was contacted when,
//! and what went up and down when and in what amount. Nothing else of it was kept.
//!
//! A profile is a file of tab-separated lines, in the order in which things happened:
//!
//! ```text
//! # a comment; the first ones tell the program, when and how it was recorded, what was a stand-in
//! downloads  DIVISOR
//! run        NAME  tuning|held-out  WHAT
//! at         OFFSET_MS  HOST  PORT  tls|clear  LASTED_MS  ENDING  BURSTS
//! ```
//!
//! A burst is `12+517`: 12 ms after the last one began (the first: after the connection did) 517
//! bytes went up. `-` is down, and `+183@/path` a request in clear. On a TLS connection the first
//! burst is the client's hello, and its next one what ends the handshake.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use super::wire::tcp::Ending;
use super::wire::track::Way;

/// The first seed that is held out: from here on whole recordings are replayed that no smaller seed
/// ever replays. Detectors are tuned on smaller ones, and baselines learned from them.
pub const FIRST_HELD_OUT_SEED: u64 = 1001;

/// Bursts of a download up to this size are replayed as they are: handshakes, headers, answers of
/// APIs. Of larger ones, what is above is divided by the profile's divisor.
const UNSCALED_BYTES: usize = 2048;

/// Bounds of a profile, so that a broken one is refused: no program here comes near.
const MOST_CONTACTS: usize = 400;
const MOST_BURSTS: usize = 4_000;
const MOST_BURST_BYTES: usize = 1 << 30;
const LONGEST_RUN: Duration = Duration::from_secs(300);

/// Which seeds replay a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Those that detectors are tuned on and baselines learned from.
    Tuning,
    /// Those that are held out, [`FIRST_HELD_OUT_SEED`] and above.
    HeldOut,
}

impl Part {
    /// The part that a seed replays.
    pub(crate) const fn of_seed(seed: u64) -> Self {
        if seed < FIRST_HELD_OUT_SEED { Self::Tuning } else { Self::HeldOut }
    }
}

/// A recorded run, as a report names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recording {
    /// The ordinary activity that replays it.
    pub activity: &'static str,
    /// Its name, of the activity and a number.
    pub name: &'static str,
    /// What was done: packages, as a rule.
    pub what: &'static str,
    /// Which seeds replay it.
    pub part: Part,
}

/// All recorded runs, by activity.
pub fn recordings() -> impl Iterator<Item = Recording> {
    ALL.iter().flat_map(|(activity, profile)| {
        profile.runs.iter().map(|run| Recording {
            activity,
            name: run.name,
            what: run.what,
            part: run.part,
        })
    })
}

/// The recorded runs of a program.
#[derive(Debug)]
pub(crate) struct Profile {
    divisor: usize,
    pub(crate) runs: Vec<Run>,
}

/// One run of a program.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) part: Part,
    pub(crate) contacts: Vec<Contact>,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Contact {
    /// Since the run's first one.
    pub(crate) offset: Duration,
    pub(crate) host: &'static str,
    pub(crate) port: u16,
    pub(crate) over: Over,
    /// Until somebody closed it.
    pub(crate) lasted: Duration,
    pub(crate) ending: Ending,
    pub(crate) bursts: Vec<Burst>,
}

/// What a connection looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Tls,
    /// HTTP.
    Clear,
}

/// Bytes that went one way without a break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Burst {
    /// Since the connection began.
    pub(crate) at: Duration,
    pub(crate) way: Way,
    /// Payload bytes of TCP.
    pub(crate) bytes: usize,
    /// The path of a request in clear.
    pub(crate) path: Option<&'static str>,
}

/// Why a profile is not one.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {why}")]
pub(crate) struct ParseProfileError {
    line: usize,
    why: &'static str,
}

macro_rules! profiles {
    ($($name:literal)*) => {
        /// The profiles in this program.
        pub(crate) const TEXTS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("profiles/", $name, ".tsv")))),*];
    };
}

profiles! {
    "api-calls"
    "apt-update"
    "cargo-build"
    "curl"
    "git-clone"
    "git-push"
    "go-build"
    "llm-loop"
    "maven-build"
    "npm-install"
    "pip-install"
}

static ALL: LazyLock<BTreeMap<&str, Profile>> = LazyLock::new(|| {
    let read = |&(name, text)| {
        (name, parse(text).expect("a test reads every profile that is compiled in"))
    };
    TEXTS.iter().map(read).collect()
});

impl Profile {
    /// The recordings of an activity. `None`: it was not recorded.
    pub(crate) fn of(activity: &str) -> Option<&'static Self> {
        ALL.get(activity)
    }

    /// The runs of one part.
    pub(crate) fn part(&self, part: Part) -> Vec<&Run> {
        self.runs.iter().filter(|run| run.part == part).collect()
    }

    /// How many of a burst's bytes are replayed: all of what went up.
    pub(crate) fn replayed(&self, burst: &Burst) -> usize {
        match burst.way {
            Way::Up => burst.bytes,
            Way::Down => {
                let above = burst.bytes.saturating_sub(UNSCALED_BYTES);
                burst.bytes.min(UNSCALED_BYTES) + above / self.divisor
            }
        }
    }
}

/// Reads a profile.
///
/// # Errors
/// The first line that is not one of a profile.
pub(crate) fn parse(text: &'static str) -> Result<Profile, ParseProfileError> {
    let mut profile = Profile { divisor: 0, runs: Vec::new() };
    for (line, content) in (1..).zip(text.lines()) {
        if !content.starts_with('#') {
            read_line(&mut profile, content).map_err(|why| ParseProfileError { line, why })?;
        }
    }
    Ok(profile)
}

fn read_line(profile: &mut Profile, line: &'static str) -> Result<(), &'static str> {
    match line.split('\t').collect::<Vec<_>>()[..] {
        ["downloads", divisor] => {
            profile.divisor = divisor.parse().map_err(|_| "not a divisor")?;
        }
        ["run", name, part, what] => {
            if profile.divisor == 0 {
                return Err("a run before the divisor of downloads");
            }
            let part = part_of(part)?;
            profile.runs.push(Run { name, what, part, contacts: Vec::new() });
        }
        ["at", ref fields @ ..] => {
            let run = profile.runs.last_mut().ok_or("a contact before any run")?;
            let contact = contact_of(fields)?;
            let is_next = run.contacts.last().is_none_or(|last| last.offset <= contact.offset);
            if !is_next || contact.offset + contact.lasted > LONGEST_RUN {
                return Err("a contact out of order, or too late");
            }
            if run.contacts.len() == MOST_CONTACTS {
                return Err("too many contacts");
            }
            run.contacts.push(contact);
        }
        _ => return Err("none of downloads, run and at"),
    }
    Ok(())
}

fn part_of(word: &str) -> Result<Part, &'static str> {
    match word {
        "tuning" => Ok(Part::Tuning),
        "held-out" => Ok(Part::HeldOut),
        _ => Err("neither tuning nor held-out"),
    }
}

fn contact_of(fields: &[&'static str]) -> Result<Contact, &'static str> {
    let &[offset, host, port, over, lasted, ending, bursts] = fields else {
        return Err("a contact has seven fields");
    };
    let over = match over {
        "tls" => Over::Tls,
        "clear" => Over::Clear,
        _ => return Err("neither tls nor clear"),
    };
    let ending = match ending {
        "client-closes" => Ending::ClientCloses,
        "server-closes" => Ending::ServerCloses,
        "client-resets" => Ending::ClientResets,
        _ => return Err("not an ending"),
    };
    let (offset, lasted) = (milliseconds(offset)?, milliseconds(lasted)?);
    let port = port.parse().map_err(|_| "not a port")?;
    let bursts = bursts_of(bursts)?;
    Ok(Contact { offset, host, port, over, lasted, ending, bursts })
}

fn milliseconds(number: &str) -> Result<Duration, &'static str> {
    number.parse().map(Duration::from_millis).map_err(|_| "not a number of milliseconds")
}

fn bursts_of(text: &'static str) -> Result<Vec<Burst>, &'static str> {
    let mut at = Duration::ZERO;
    let mut bursts = Vec::new();
    for word in text.split(' ') {
        let sign = word.find(['+', '-']).ok_or("a burst goes up or down")?;
        let (after, rest) = (&word[..sign], &word[sign + 1..]);
        let way = if word.as_bytes()[sign] == b'+' { Way::Up } else { Way::Down };
        let (bytes, path) = match rest.split_once('@') {
            Some((bytes, path)) => (bytes, Some(path)),
            None => (rest, None),
        };
        at += milliseconds(after)?;
        let bytes = bytes.parse().map_err(|_| "not a number of bytes")?;
        if bytes == 0 || bytes > MOST_BURST_BYTES || at > LONGEST_RUN {
            return Err("a burst that is empty, too large or too late");
        }
        if bursts.len() == MOST_BURSTS {
            return Err("too many bursts");
        }
        bursts.push(Burst { at, way, bytes, path });
    }
    Ok(bursts)
}
