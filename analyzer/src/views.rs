//! The same egress may be seen on the wire and in a proxy's log. What is counted of it is kept apart for
//! each of these views, so that nothing is counted twice.

use egret_event::{Event, Fact};
use serde::{Deserialize, Serialize};

/// Who saw something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum View {
    Wire,
    Log,
}

impl View {
    /// Packets carry packet counts and logs do not, but the kind of fact decides, because a flow
    /// without packets is still a flow.
    pub(crate) fn of(event: &Event) -> Self {
        match &event.fact {
            Fact::Http(request) if request.seen_by.is_logged() => Self::Log,
            _ => Self::Wire,
        }
    }
}

/// Something for each view. Most is seen by one kind of observer, and then takes the room of one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ByView<T> {
    /// Who saw something first.
    first: Option<View>,
    own: T,
    /// As the other one saw it.
    other: Option<Box<T>>,
}

impl<T: Default> ByView<T> {
    /// That of a view.
    pub(crate) fn at(&mut self, view: View) -> &mut T {
        if *self.first.get_or_insert(view) == view {
            &mut self.own
        } else {
            self.other.get_or_insert_default()
        }
    }

    /// All there are.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.own).chain(self.other.as_deref())
    }

    /// That of each view that saw something.
    pub(crate) fn views(&self) -> impl Iterator<Item = (View, &T)> {
        let first = self.first.unwrap_or(View::Wire);
        let second = if first == View::Wire { View::Log } else { View::Wire };
        std::iter::once((first, &self.own))
            .chain(self.other.as_deref().map(|other| (second, other)))
    }

    /// The largest of a number that each has.
    pub(crate) fn most<N: Ord>(&self, of: impl Fn(&T) -> N) -> N {
        let own = of(&self.own);
        self.other.as_deref().map(of).into_iter().fold(own, N::max)
    }

    /// That of the wire and that of the log, where both saw something.
    pub(crate) fn both(&self) -> Option<(&T, &T)> {
        let other = self.other.as_deref()?;
        Some(match self.first {
            Some(View::Log) => (other, &self.own),
            _ => (&self.own, other),
        })
    }
}
