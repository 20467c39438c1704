//! Secrets in what can be seen of a request or a DNS question: in names, URLs, headers, and the
//! beginning of a body.
//!
//! This room looks, and tells what it found without the secret itself. It knows neither sources nor
//! sessions. Three kinds of thing are looked for, the surest first: values that the configuration
//! names ([`known`]), credentials by the form that their provider gave them ([`patterns`]), and values
//! whose name says secret ([`assign`]). What was encoded is decoded ([`decode`]), at most
//! [`MOST_LAYERS`] times.
//!
//! Most texts hold nothing that could be a secret. They are told by a look at every twentieth byte
//! ([`runs`]), so that what is costly is seldom done.

mod assign;
mod checks;
mod config;
mod decode;
mod known;
mod patterns;
mod runs;
mod walk;

use egret_event::{ContentPlace, Sensitive};

pub(crate) use config::check;
pub use config::{Hidden, RawSecret, SecretKind};
use known::{KnownValues, Sought};
use walk::Walk;

/// Most encodings that are undone, one inside the other.
const MOST_LAYERS: usize = 3;

/// Most bytes that are made by decoding what belongs to one event.
const MOST_DECODED_BYTES: usize = 64 << 10;

/// Most different secrets told of one event.
const MOST_FOUND: usize = 16;

/// Longest text looked at: what a request's head may have.
const MOST_TEXT_BYTES: usize = 16 << 10;

/// Looks for secrets. One serves all sources.
#[derive(Debug, Default)]
pub struct Scanner {
    known: KnownValues,
}

/// What can be seen of a request. Parts that there are none of are empty.
#[derive(Debug, Default, Clone, Copy)]
pub struct Visible<'a> {
    /// The host that it goes to.
    pub host: &'a [u8],
    /// The path of its URL.
    pub path: &'a [u8],
    /// The query of its URL.
    pub query: &'a [u8],
    /// Its headers, or the values of some.
    pub headers: &'a [u8],
    /// The beginning of its body.
    pub body: &'a [u8],
}

impl Scanner {
    /// Looks for these values beside what is looked for anyway.
    fn of(sought: &[Sought<'_>]) -> Self {
        Self { known: KnownValues::of(sought) }
    }

    /// What is found in a request. Empty for nearly all, which costs next to nothing.
    #[inline]
    pub fn request(&self, visible: &Visible<'_>) -> Vec<Sensitive> {
        let is_quiet = visible.query.is_empty()
            && visible.body.is_empty()
            && [visible.path, visible.headers, visible.host]
                .into_iter()
                .all(|it| self.is_quiet(it));
        if is_quiet { Vec::new() } else { self.look_at_request(visible) }
    }

    /// Whether nothing would be found in a path or a host's name, as a short look tells.
    #[inline]
    pub(crate) fn is_quiet(&self, text: &[u8]) -> bool {
        self.known.is_empty() && !runs::has_long_run(text)
    }

    /// Whether nothing would be found in a header, whatever host it goes to.
    pub fn is_harmless_header(&self, header: &[u8]) -> bool {
        self.request(&Visible { headers: header, ..Visible::default() }).is_empty()
    }

    /// What is found in a name that is asked for, below `domain`, which somebody registered.
    #[inline]
    pub fn name(&self, name: &[u8], domain: &str) -> Vec<Sensitive> {
        if self.known.is_empty() && !runs::has_long_run(name) {
            return Vec::new();
        }
        self.look_at_name(name, domain)
    }

    #[cold]
    fn look_at_request(&self, visible: &Visible<'_>) -> Vec<Sensitive> {
        let mut walk = Walk::new(&self.known, visible.host);
        self.look_at_labels(visible.host, &mut walk);
        for (text, place) in [
            (visible.path, ContentPlace::Path),
            (visible.query, ContentPlace::Query),
            (visible.headers, ContentPlace::Header),
            (visible.body, ContentPlace::Body),
        ] {
            self.look_at(text, place, &mut walk);
        }
        walk.finish()
    }

    #[cold]
    fn look_at_name(&self, name: &[u8], domain: &str) -> Vec<Sensitive> {
        let mut walk = Walk::new(&self.known, domain.as_bytes());
        let name = name.strip_suffix(b".").unwrap_or(name);
        let is_below = is_below(name, domain.as_bytes());
        let labels = if is_below { &name[..name.len() - domain.len()] } else { name };
        self.look_at_labels(labels, &mut walk);
        walk.finish()
    }

    /// Looks at labels one by one, and joined as a tunnel cuts them.
    fn look_at_labels(&self, labels: &[u8], walk: &mut Walk<'_>) {
        let joined: Vec<u8> = labels.iter().copied().filter(|byte| *byte != b'.').collect();
        self.look_at(labels, ContentPlace::Name, walk);
        if joined.len() != labels.len() {
            self.look_at(&joined, ContentPlace::Name, walk);
        }
    }

    fn look_at(&self, text: &[u8], place: ContentPlace, walk: &mut Walk<'_>) {
        let text = &text[..text.len().min(MOST_TEXT_BYTES)];
        let may_have_names = matches!(place, ContentPlace::Query | ContentPlace::Body);
        if !self.known.is_empty() || may_have_names || runs::has_long_run(text) {
            walk.look(text, place);
        }
    }
}

/// Whether `host` is one of the domains or below one.
fn is_below(host: &[u8], domain: &[u8]) -> bool {
    let Some(rest) = host.len().checked_sub(domain.len()) else { return false };
    host[rest..].eq_ignore_ascii_case(domain) && (rest == 0 || host[rest - 1] == b'.')
}

#[cfg(test)]
mod tests;
