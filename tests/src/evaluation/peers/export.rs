//! Writes down what the peers judge: `sessions.tsv` says who there was, what it really did and how
//! strong Egret's evidence against it is; `contacts.tsv` what it contacted.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context, Result};
use egret::simulate::{Scenario, SessionTruth, Truth};
use egret_analyzer::Incident;
use egret_event::{SmolStr, Timestamp};

use super::contacts::contacts;
use crate::evaluation::trial::{START, Story, Trial, is_about, is_at, is_place};

const SESSION_COLUMNS: &str = "trial\tsession\tpart\ttemplate\tattack\tmanner\tmost_bytes\tcampaign\tcold\tlearned\t\
     cold_elsewhere\tlearned_elsewhere";
const CONTACT_COLUMNS: &str =
    "trial\tsession\tkind\tbegan\tended\tdestination\thost\tup\tdown\tblocked\tabout";

/// Evidence is not told apart beyond this (rules have p = 0).
const LEAST_P: f64 = 1e-300;

/// The files while they are written.
pub(super) struct Export {
    files: Mutex<[BufWriter<File>; 2]>,
}

/// How strong the evidence of the strongest alert is: -log10 p, or 0 without an alert.
#[derive(Default)]
struct Strongest {
    /// About the session; where it has an attack, about where that goes.
    right: f64,
    /// About something else in a session with an attack.
    elsewhere: f64,
}

/// The strongest alerts of each session.
pub(super) struct Scores(Vec<Strongest>);

impl Scores {
    pub(super) fn of(truth: &Truth, incidents: &[Incident]) -> Self {
        let is_about_nobody =
            |incident: &Incident| !truth.sessions.iter().any(|session| is_about(incident, session));
        let score = |session: &SessionTruth| {
            let mut strongest = Strongest::default();
            for incident in incidents {
                let is_about = is_about(incident, session);
                let is_right = match &session.attack {
                    None => is_about,
                    Some(attack) => {
                        is_at(incident, attack) && (is_about || is_about_nobody(incident))
                    }
                };
                let evidence = -incident.explanation.p_combined.max(LEAST_P).log10();
                if is_right {
                    strongest.right = strongest.right.max(evidence);
                } else if is_about {
                    strongest.elsewhere = strongest.elsewhere.max(evidence);
                }
            }
            strongest
        };
        Self(truth.sessions.iter().map(score).collect())
    }
}

/// What a session is there for.
fn part(truth: &Truth, session: &SessionTruth) -> &'static str {
    match (&session.attack, truth.scenario) {
        (Some(_), _) => "attack",
        (None, Scenario::BENIGN) => "ordinary",
        (None, _) => "beside",
    }
}

impl Export {
    pub(super) fn begin(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).context("no folder for what the peers judge")?;
        let begin = |name: &str, columns: &str| {
            let path = folder.join(name);
            let file = File::create(&path).with_context(|| format!("cannot write {path:?}"))?;
            let mut file = BufWriter::new(file);
            writeln!(file, "{columns}")?;
            anyhow::Ok(file)
        };
        let files =
            [begin("sessions.tsv", SESSION_COLUMNS)?, begin("contacts.tsv", CONTACT_COLUMNS)?];
        Ok(Self { files: Mutex::new(files) })
    }

    /// A day of the ordinary traffic that is learned from.
    pub(super) fn add_history(&self, day: u32, story: &Story) -> Result<()> {
        let mut sessions = String::new();
        for (number, session) in story.truth.sessions.iter().enumerate() {
            let template = session.executor.template.as_deref().unwrap_or_default();
            writeln!(sessions, "h{day}\t{number}\thistory\t{template}\t\t\t\t\t0\t0\t0\t0")?;
        }
        self.write(&sessions, &contact_lines(&format!("h{day}"), story)?)
    }

    /// A trial, and what Egret said cold and with what it had learned.
    pub(super) fn add(
        &self,
        place: usize,
        trial: &Trial,
        story: &Story,
        [cold, learned]: &[Scores; 2],
    ) -> Result<()> {
        let mut sessions = String::new();
        for (number, session) in story.truth.sessions.iter().enumerate() {
            let campaign = session.attack.as_ref().map(|attack| attack.campaign.to_string());
            writeln!(
                sessions,
                "t{place}\t{number}\t{}\t{}\t{}\t{}\t{}\t{}\t{:.3}\t{:.3}\t{:.3}\t{:.3}",
                part(&story.truth, session),
                session.executor.template.as_deref().unwrap_or_default(),
                trial.scenario,
                trial.manner,
                trial.most_bytes.map(|bytes| bytes.to_string()).unwrap_or_default(),
                campaign.unwrap_or_default(),
                cold.0[number].right,
                learned.0[number].right,
                cold.0[number].elsewhere,
                learned.0[number].elsewhere,
            )?;
        }
        self.write(&sessions, &contact_lines(&format!("t{place}"), story)?)
    }

    fn write(&self, sessions: &str, contacts: &str) -> Result<()> {
        let mut files = self.files.lock().unwrap_or_else(|broken| broken.into_inner());
        files[0].write_all(sessions.as_bytes())?;
        files[1].write_all(contacts.as_bytes()).context("cannot write contacts")
    }

    pub(super) fn end(self) -> Result<()> {
        let files = self.files.into_inner().unwrap_or_else(|broken| broken.into_inner());
        for mut file in files {
            file.flush().context("cannot write what the peers judge")?;
        }
        Ok(())
    }
}

/// The contacts of all sessions, each with whether it is what an attack did.
fn contact_lines(trial: &str, story: &Story) -> Result<String> {
    let sessions = story.truth.sessions.iter().enumerate();
    let sessions: HashMap<&SmolStr, (usize, &SessionTruth)> =
        sessions.map(|(number, session)| (&session.executor.id, (number, session))).collect();
    let since_start = |at: Timestamp| (at.as_nanos() - START.as_nanos()) as f64 / 1e9;
    let mut lines = String::new();
    for contact in contacts(story)? {
        let Some((number, session)) = sessions.get(&contact.executor) else { continue };
        let is_of = session.attack.as_ref().is_some_and(|attack| {
            is_place(attack, &contact.destination) && contact.ended >= attack.start
        });
        writeln!(
            lines,
            "{trial}\t{number}\t{}\t{:.3}\t{:.3}\t{}\t{}\t{}\t{}\t{}\t{}",
            contact.kind.word(),
            since_start(contact.began),
            since_start(contact.ended),
            contact.destination,
            contact.host,
            contact.up_bytes,
            contact.down_bytes,
            u8::from(contact.is_blocked),
            u8::from(is_of),
        )?;
    }
    Ok(lines)
}
