//! What a receiver of alerts tells back: the words in which `notify` hears it and the API carries it out.

use egret_analyzer::ChangeKind;
use egret_event::{EventId, SmolStr, Timestamp};

/// Somebody did something to incidents at a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The incidents: where the receiver groups alerts, several.
    pub incidents: Vec<EventId>,
    /// `Acknowledged`, `Closed`, or `Reopened` where nobody has it any more.
    pub kind: ChangeKind,
    /// When, by the receiver's clock.
    pub at: Timestamp,
    /// Who did it.
    pub by: SmolStr,
    /// Whether that was a person, and no program.
    pub by_person: bool,
    /// The targets that it may have been told by: those with the secret that signed it.
    pub targets: Vec<String>,
}

/// Why a message of a receiver is not heard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotHeard {
    /// No target has a secret for it.
    #[error("no target has a webhook_secret_file or webhook_secret_env")]
    NobodyListens,
    /// It was not signed with the secret of any target.
    #[error("the signature is not that of a webhook that a target knows the secret of")]
    NotSigned,
    /// It is signed, and not as documented.
    #[error("the message is not a webhook as the receiver documents them")]
    Malformed,
    /// Which incident it is about could not be asked.
    #[error("the receiver did not say which alerts its incident has: {0}")]
    NotAnswered(String),
}
