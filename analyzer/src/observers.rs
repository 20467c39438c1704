//! Whether there is more than one observer: then the same egress may be seen twice.

use egret_event::SmolStr;

/// Who tells of events, as far as it is known beforehand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Observers {
    /// Any number.
    #[default]
    Many,
    /// One by configuration. Empty until it is heard.
    One(SmolStr),
}

impl Observers {
    /// One, until another is heard.
    pub(crate) const fn one() -> Self {
        Self::One(SmolStr::new_static(""))
    }

    /// Notes who tells of an event.
    pub(crate) fn hear(&mut self, source: &SmolStr) {
        let Self::One(known) = self else { return };
        if known.is_empty() {
            *known = source.clone();
        } else if known != source {
            *self = Self::Many;
        }
    }

    /// Whether there is but one.
    pub(crate) const fn is_one(&self) -> bool {
        matches!(self, Self::One(_))
    }
}
