//! D16: much is told to a destination in the paths of requests for what it does not have.
//!
//! Whoever may only fetch can still tell: the name of a package that does not exist, asked of a mirror that
//! everybody uses, is passed on to the index behind it, or read in its log. Such requests are as large and as
//! many as those of an ordinary install, and one thing about them is not: what they ask for is not there.
//! What is measured is the information in the distinct paths that were answered "not found" (404) or
//! "gone" (410), as with the names of DNS questions ([`crate::label_model`]): a session that looks for
//! its packages in three places asks for many words, one that sends something asks for what an encoder
//! wrote. It takes an observer that sees requests: a proxy's log, or traffic that is not encrypted.

use egret_event::{Attribution, HttpRequest};
use serde::{Deserialize, Serialize};

use super::Count;
use super::upload_size::NextLook;
use crate::baseline::Ladder;
use crate::hash::quick;
use crate::incident::{Detector, Finding};
use crate::information::Information;
use crate::label_model;
use crate::priors::SizePrior;
use crate::room::put;
use crate::size::Cell;
use crate::words::bytes_words;

/// Bytes of information in what one destination was asked for and does not have.
pub(crate) const PATHS: Count = Count {
    detector: Detector::NotFound,
    unit: "bytes in paths not found",
    cell: Cell::NOT_FOUND,
    prior: SizePrior::OF_NOT_FOUND,
    least_p: 0.0,
};

/// Destinations that a session remembers for it. Egret's own choice.
const MOST_PLACES: usize = 4;

/// Below it nothing is worth a look. Egret's own choice.
const FIRST_LOOK: u64 = 64;

/// What a session asked for in vain, by destination.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct NotFound(Vec<Place>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    /// The destination's key in baselines.
    key: u64,
    paths: Information,
    /// What they hold, in bytes.
    bytes: u32,
    next_look: NextLook,
}

impl NotFound {
    /// Adds a path that a destination does not have; what all of them hold, in bytes, where that is worth
    /// a look.
    pub(crate) fn add(&mut self, key: u64, path: &str) -> Option<u64> {
        let at =
            self.0.iter().position(|place| place.key == key).unwrap_or_else(|| self.begin(key));
        let place = &mut self.0[at];
        if !place.paths.add(quick(path), label_model::information_in_path(path)) {
            return None;
        }
        place.bytes = label_model::in_bytes(place.paths.sum());
        let bytes = u64::from(place.bytes);
        if !place.next_look.is_due(bytes) {
            return None;
        }
        place.next_look = NextLook::after(bytes);
        Some(bytes)
    }

    /// Makes room for a destination: in place of the one with least, if there is none.
    fn begin(&mut self, key: u64) -> usize {
        let next_look = NextLook::at(FIRST_LOOK);
        let new = Place { key, paths: Information::default(), bytes: 0, next_look };
        put(&mut self.0, MOST_PLACES, new, |place| place.bytes)
    }

    /// The most that one destination was asked for, in bytes.
    pub(crate) fn most(&self) -> u64 {
        self.0.iter().map(|place| u64::from(place.bytes)).max().unwrap_or(0)
    }

    /// Has every destination looked at again: what they are judged by has changed.
    pub(crate) fn look_again(&mut self) {
        for place in &mut self.0 {
            place.next_look = NextLook::at(FIRST_LOOK);
        }
    }
}

/// The path of a request for what is not there.
pub(crate) fn path_of(request: &HttpRequest) -> Option<&str> {
    let is_not_found = matches!(request.status, Some(404 | 410));
    request.path.as_deref().filter(|_| is_not_found)
}

/// The finding about so many bytes, with its words.
pub(crate) fn finding(ladder: &Ladder<'_>, bytes: u64, origin: &Attribution) -> Finding {
    PATHS.finding(bytes, ladder, origin, |whose, most| {
        format!(
            "asked for distinct paths that are not there (404, 410), which hold about {}; {whose} normally \
             ask one destination for at most {} of such (98 %)",
            bytes_words(bytes),
            bytes_words(most),
        )
    })
}

#[cfg(test)]
mod tests {
    use egret_event::SeenBy;

    use super::*;

    #[test]
    fn words_hold_little_and_the_same_path_nothing_more() {
        let mut asked = NotFound::default();
        for _ in 0..1_000 {
            asked.add(1, "/simple/internal-billing-client/");
        }
        assert!(asked.most() <= 16, "{}", asked.most());
        for package in ["billing", "ledger", "tracing-setup", "http-retry", "feature-flags"] {
            asked.add(1, &format!("/simple/{package}/"));
        }
        assert!(asked.most() <= 64, "{}", asked.most());
        asked.add(1, "/simple/n5xw63lomuqhi2djom2gq33sor4wqylomqza3tfon2gy6i/");
        assert!((64..110).contains(&asked.most()), "{}", asked.most());
    }

    #[test]
    fn few_destinations_are_remembered_and_the_one_with_least_makes_room() {
        let mut asked = NotFound::default();
        (0..100).for_each(|n| _ = asked.add(1, &format!("/q7rk2m9x0zt4wd8/{n}")));
        let most = asked.most();
        (2..100).for_each(|key| _ = asked.add(key, "/favicon.ico"));
        assert_eq!((asked.0.len(), asked.most()), (MOST_PLACES, most));
    }

    #[test]
    fn only_what_is_not_there_counts() {
        let request = |status| HttpRequest {
            seen_by: SeenBy::Proxy,
            method: "GET".into(),
            path: Some("/a".into()),
            query_bytes: None,
            user_agent: None,
            status,
            duration_ms: None,
            user: None,
            sni: None,
            content_type: None,
            body_bytes: None,
            sensitive: Vec::new(),
        };
        for (status, is_counted) in
            [(404, true), (410, true), (200, false), (403, false), (407, false)]
        {
            assert_eq!(path_of(&request(Some(status))).is_some(), is_counted, "{status}");
        }
        assert_eq!(path_of(&request(None)), None);
    }
}
