//! The life of an incident, as one table: where it stands after each change, and what whoever is told hears of it.
//!
//! ```text
//!                        open           acknowledged   closed
//! opened, grew, resumed  open           acknowledged   open
//! acknowledged           acknowledged   acknowledged   (refused)
//! closed                 closed         closed         closed
//! reopened               open           open           open
//! ended, obscured,
//! commented              open           acknowledged   closed
//! ```
//!
//! The engine owns what an incident says, people own where it stands. There is one exception: an incident that
//! notably grows after somebody closed it, or goes on in a later session, is open again, because what they judged
//! is no longer all there is.

use crate::{ChangeKind, IncidentStatus};

/// What receivers are to hear of a change. Each output says it in its receiver's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Somebody should look: it opened, became worse, or is back.
    Raise,
    /// Somebody looks.
    TakenOn,
    /// It is done.
    Over,
}

/// An incident that is closed cannot be taken on: it has to be opened again first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IsClosed;

impl ChangeKind {
    /// What receivers are to hear of it. `None`: nothing; the end of a session asks nothing of anybody, and
    /// comments, and what could not be seen, are for those who work on the incident.
    pub const fn signal(self) -> Option<Signal> {
        match self {
            Self::Opened | Self::Grew | Self::Resumed | Self::Reopened => Some(Signal::Raise),
            Self::Acknowledged => Some(Signal::TakenOn),
            Self::Closed => Some(Signal::Over),
            Self::Obscured | Self::Ended | Self::Commented => None,
        }
    }
}

impl IncidentStatus {
    /// Where an incident stands after a change.
    ///
    /// # Errors
    /// [`IsClosed`] where what is closed is to be acknowledged.
    pub const fn after(self, kind: ChangeKind) -> Result<Self, IsClosed> {
        match (kind, self) {
            (ChangeKind::Acknowledged, Self::Closed) => Err(IsClosed),
            (ChangeKind::Acknowledged, _) => Ok(Self::Acknowledged),
            (ChangeKind::Closed, _) => Ok(Self::Closed),
            (ChangeKind::Reopened, _) => Ok(Self::Open),
            (ChangeKind::Opened | ChangeKind::Grew | ChangeKind::Resumed, Self::Closed) => {
                Ok(Self::Open)
            }
            _ => Ok(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table above.
    #[test]
    fn each_change_leads_where_the_table_says() {
        use ChangeKind as K;
        use IncidentStatus::{Acknowledged as A, Closed as C, Open as O};
        let rows = [
            (K::Opened, [Some(O), Some(A), Some(O)], Some(Signal::Raise)),
            (K::Grew, [Some(O), Some(A), Some(O)], Some(Signal::Raise)),
            (K::Resumed, [Some(O), Some(A), Some(O)], Some(Signal::Raise)),
            (K::Acknowledged, [Some(A), Some(A), None], Some(Signal::TakenOn)),
            (K::Closed, [Some(C), Some(C), Some(C)], Some(Signal::Over)),
            (K::Reopened, [Some(O), Some(O), Some(O)], Some(Signal::Raise)),
            (K::Ended, [Some(O), Some(A), Some(C)], None),
            (K::Obscured, [Some(O), Some(A), Some(C)], None),
            (K::Commented, [Some(O), Some(A), Some(C)], None),
        ];
        for (kind, leads_to, signal) in rows {
            assert_eq!([O, A, C].map(|status| status.after(kind).ok()), leads_to, "{kind:?}");
            assert_eq!(kind.signal(), signal, "{kind:?}");
        }
    }
}
