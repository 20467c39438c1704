//! An alert as a JSON document, in the form that a receiver wants.

use egret_analyzer::{ChangeBy, Incident};
use egret_event::{EventId, Timestamp};
use egret_store::{AlertRollUp, Gathered};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::alert::{Alert, VERSION};
use crate::config::Wrong;
use crate::ecs::{ecs, ecs_heartbeat};
use crate::fields::Fields;
use crate::heartbeat::Beat;
use crate::ocsf::{ocsf, ocsf_heartbeat};
use crate::try_out::specimen;

/// The version of OCSF that is told where none is configured.
const USUAL_OCSF: &str = "1.5.0";

/// How a document tells of an alert.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum JsonFormat {
    /// Egret's own: `type`, `timestamp` and `data`, with the incident as the API has it.
    #[default]
    Egret,
    /// The Elastic Common Schema.
    Ecs,
    /// The Open Cybersecurity Schema Framework: a Detection Finding (class 2004).
    Ocsf,
}

/// A format, checked.
#[derive(Debug, Clone)]
pub(crate) enum Format {
    Egret,
    Ecs,
    Ocsf(String),
}

impl Format {
    pub(crate) fn check(
        format: Option<JsonFormat>,
        ocsf_version: Option<&str>,
    ) -> Result<Self, Wrong> {
        let wrong = |problem| Err(Wrong::new("ocsf_version", problem));
        let format = format.unwrap_or_default();
        match (format, ocsf_version) {
            (JsonFormat::Egret, None) => Ok(Self::Egret),
            (JsonFormat::Ecs, None) => Ok(Self::Ecs),
            (JsonFormat::Ocsf, version) => {
                let version = version.unwrap_or(USUAL_OCSF);
                let minor = version.strip_prefix("1.").and_then(|rest| rest.strip_suffix(".0"));
                let minor = minor.and_then(|minor| minor.parse::<u8>().ok());
                if minor.is_some_and(|minor| (1..=8).contains(&minor)) {
                    Ok(Self::Ocsf(version.to_owned()))
                } else {
                    wrong(format!("{version:?} is not one of 1.1.0, 1.2.0, … 1.8.0"))
                }
            }
            (_, Some(_)) => {
                wrong("has no effect without format = \"ocsf\": set that, or remove it".to_owned())
            }
        }
    }

    /// The document.
    pub(crate) fn document(&self, alert: &Alert) -> Value {
        let mut document = match self {
            Self::Egret => serde_json::to_value(Payload::of(alert)).expect("it has string keys"),
            Self::Ecs => ecs(alert),
            Self::Ocsf(version) => ocsf(alert, version),
        };
        alert.fields.put_into(&mut document);
        document
    }

    /// # Errors
    /// The first field that has no place in the document.
    pub(crate) fn check_fields(&self, fields: &Fields) -> Result<(), Wrong> {
        fields.check_places(self.document(&specimen()))
    }

    /// That Egret is well.
    pub(crate) fn heartbeat(&self, beat: &Beat) -> Value {
        let every = beat.every.as_secs();
        let mut document = match self {
            Self::Egret => json!({
                "type": "egret.heartbeat",
                "timestamp": beat.at,
                "data": { "version": VERSION, "every_seconds": every },
            }),
            Self::Ecs => ecs_heartbeat(beat),
            Self::Ocsf(version) => ocsf_heartbeat(beat, version),
        };
        beat.constants.put_into(&mut document);
        document
    }

    /// The document as text; Egret's own with its fields in their order, where nobody adds some.
    pub(crate) fn text(&self, alert: &Alert) -> String {
        match self {
            Self::Egret if alert.fields.is_empty() => {
                serde_json::to_string(&Payload::of(alert)).expect("it has string keys")
            }
            _ => self.document(alert).to_string(),
        }
    }
}

/// Egret's own: what Standard Webhooks recommends ("Payload structure").
#[derive(Serialize)]
struct Payload<'a> {
    r#type: String,
    timestamp: Timestamp,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    alert: EventId,
    by: &'a ChangeBy,
    number: u32,
    incident: &'a Incident,
    /// `None`: an older release queued it.
    roll_up: Option<&'a AlertRollUp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gathered: Option<&'a Gathered>,
    /// Where people find the incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<&'a str>,
}

impl<'a> Payload<'a> {
    fn of(alert: &'a Alert) -> Self {
        let change = &alert.change;
        Self {
            r#type: format!("incident.{}", change.kind.word()),
            timestamp: change.at,
            data: Data {
                alert: alert.alert,
                by: &change.by,
                number: change.number,
                incident: &change.incident,
                roll_up: alert.roll_up.as_ref(),
                gathered: alert.gathered.as_ref(),
                page: alert.page.as_deref(),
            },
        }
    }
}
