//! What upload sizes are compared with: classes of destinations, kinds of contact, measures.

use serde::{Deserialize, Serialize};

/// How familiar a destination is, for a session's template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Class {
    /// No session of the template is known to have contacted it.
    New,
    /// Nothing was learned about it, but it is on the shipped list of common services.
    Service,
    /// Sessions of the template contact it.
    Known,
    /// Not one destination: all those that a session contacted beyond its exact ones.
    Many,
}

/// What a destination is contacted for, as far as its port tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// HTTP, in the clear or not, directly or through a proxy.
    Web,
    /// Name resolution: little by little, and all day.
    Dns,
    /// Anything else.
    Other,
}

/// What is measured of a session at a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Measure {
    /// The most that one contact (flow, request) sent.
    Largest,
    /// All that was sent.
    Sum,
}

/// Histograms per level: three learned classes, three kinds, two measures.
pub(crate) const CELLS: usize = 18;

impl Class {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 4] = [Self::New, Self::Service, Self::Known, Self::Many];

    /// The class that its observations are learned in: a known service is known.
    const fn learned_as(self) -> usize {
        match self {
            Self::New => 0,
            Self::Service | Self::Known => 1,
            Self::Many => 2,
        }
    }

    /// Whether this is anything but new.
    pub(crate) const fn is_familiar(self) -> bool {
        matches!(self, Self::Service | Self::Known)
    }

    /// The end of a sentence that begins "… send at most 32 KiB to".
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::New => "a destination that is new here",
            Self::Service => "a common development service",
            Self::Known => "a destination that is known here",
            Self::Many => "many small destinations together",
        }
    }
}

impl Kind {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 3] = [Self::Web, Self::Dns, Self::Other];
}

impl Measure {
    /// Both measures: two looks at one upload.
    pub(crate) const ALL: [Self; 2] = [Self::Largest, Self::Sum];
}

/// The index of the histogram for these, below [`CELLS`].
pub(crate) const fn cell(class: Class, kind: Kind, measure: Measure) -> usize {
    (class.learned_as() * 3 + kind as usize) * 2 + measure as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_is_used_and_only_services_share_one() {
        let mut used = [0; CELLS];
        for class in Class::ALL {
            for kind in Kind::ALL {
                for measure in Measure::ALL {
                    used[cell(class, kind, measure)] += 1;
                }
            }
        }
        assert!(used.iter().all(|n| (1..=2).contains(n)), "{used:?}");
    }
}
