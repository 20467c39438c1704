//! What sizes are compared with: classes of destinations, kinds of contact, measures, and the
//! cell that each of them is learned in.

use serde::{Deserialize, Serialize};

use crate::detect::rate_burst::{Lane, WINDOWS};
use crate::questions::{CARRIED, Carried};

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
    /// What was sent in contacts that brought little back: measured where a destination is new.
    OneWay,
}

/// What the names below a domain are asked for, for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Use {
    /// The session hardly contacts what it asks for.
    Unused,
    /// It contacts it.
    Used,
    /// The domain is a common service, or known to the template.
    Familiar,
}

impl Use {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 3] = [Self::Unused, Self::Used, Self::Familiar];

    /// The end of a sentence that begins "… ask for at most 96 bytes".
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Unused => "below a domain that they do not contact",
            Self::Used => "below a domain that they contact",
            Self::Familiar => "below a domain that is known here",
        }
    }
}

/// Which histogram of a level a size belongs to. The numbers are part of what is saved: a further
/// detector takes further ones, and none is used again for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Cell(u8);

impl Cell {
    /// Uploads: three learned classes, three kinds, and the first two measures are the first 18 cells.
    /// The third is measured of new destinations only.
    pub(crate) const fn of_upload(class: Class, kind: Kind, measure: Measure) -> Self {
        match measure {
            Measure::OneWay => Self(FIRST_ONE_WAY + kind as u8),
            _ => Self(((class.learned_as() * 3 + kind as u8) * 2) + measure as u8),
        }
    }

    /// What DNS questions carried: three uses, three measures.
    pub(crate) const fn of_questions(usage: Use, carried: Carried) -> Self {
        Self(UPLOAD_CELLS + usage as u8 * CARRIED as u8 + carried as u8)
    }

    /// What a destination that is new here was sent little by little by a session age.
    pub(crate) const fn of_drip(age: usize) -> Self {
        Self(UPLOAD_CELLS + QUESTION_CELLS + age as u8)
    }

    /// Contacts at even intervals with one new destination.
    pub(crate) const BEATS: Self = Self(64);

    /// New addresses that no name led to.
    pub(crate) const DIRECT_ADDRESSES: Self = Self(FIRST_ONE_WAY + 3);

    /// New destinations that showed an odd certificate.
    pub(crate) const ODD_CERTIFICATES: Self = Self(FIRST_ONE_WAY + 4);

    /// Destinations that are new.
    pub(crate) const NEW_DESTINATIONS: Self = Self(FIRST_BURST + 2 * WINDOWS as u8);

    /// Information in the paths of requests for what one destination does not have.
    pub(crate) const NOT_FOUND: Self = Self(FIRST_BURST + 2 * WINDOWS as u8 + 1);

    /// The most contacts within a window: two lanes, three windows.
    pub(crate) const fn of_burst(lane: Lane, window: usize) -> Self {
        Self(FIRST_BURST + lane as u8 * WINDOWS as u8 + window as u8)
    }

    /// All cells of uploads, in their order.
    pub(crate) fn uploads() -> impl Iterator<Item = Self> {
        (0..UPLOAD_CELLS).chain(FIRST_ONE_WAY..FIRST_ONE_WAY + 3).map(Self)
    }

    /// Whether this is a cell of uploads to many destinations together.
    pub(crate) const fn is_of_many(self) -> bool {
        self.0 >= UPLOAD_CELLS / 3 * 2 && self.0 < UPLOAD_CELLS
    }

    /// Whether this is a cell of uploads to destinations that are new.
    pub(crate) const fn is_of_new(self) -> bool {
        self.0 < UPLOAD_CELLS / 3 || matches!(self.0.checked_sub(FIRST_ONE_WAY), Some(0..3))
    }
}

/// Cells of what questions carried.
const QUESTION_CELLS: u8 = 3 * CARRIED as u8;

/// Cells of the third measure of uploads, by kind.
const FIRST_ONE_WAY: u8 = 65;

/// Cells of bursts.
const FIRST_BURST: u8 = 70;

/// Cells of the first two measures of uploads.
pub(crate) const UPLOAD_CELLS: u8 = 18;

impl Class {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 4] = [Self::New, Self::Service, Self::Known, Self::Many];

    /// The class that its observations are learned in: a known service is known.
    const fn learned_as(self) -> u8 {
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
    /// All measures, each of them a look at the upload.
    pub(crate) const ALL: [Self; 3] = [Self::Largest, Self::Sum, Self::OneWay];

    /// Those that are looked at for a class.
    pub(crate) fn of(class: Class) -> &'static [Self] {
        match class {
            Class::New => &Self::ALL,
            Class::Service | Class::Known => &[Self::Largest, Self::Sum],
            // There is no largest contact of many destinations.
            Class::Many => &[Self::Sum],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_is_used_and_only_services_share_one() {
        let mut used = [0; UPLOAD_CELLS as usize];
        for class in Class::ALL {
            for kind in Kind::ALL {
                for measure in [Measure::Largest, Measure::Sum] {
                    used[usize::from(Cell::of_upload(class, kind, measure).0)] += 1;
                }
            }
        }
        assert!(used.iter().all(|n| (1..=2).contains(n)), "{used:?}");
    }
}
