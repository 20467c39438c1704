//! The walk through a text and what it decodes to, and what is noted on the way.

use std::ops::Range;

use egret_event::{ContentLayer, ContentPlace, Sections, Sensitive, SensitiveKind, SmolStr};
use sha2::{Digest as _, Sha256};

use super::assign::{self, AWS_SECRET};
use super::decode::{ALPHABETS, Alphabet, inflated, is_compressed};
use super::known::{KnownValues, Sighting};
use super::patterns::{self, AWS_KEY_ID, Match};
use super::runs::{LEAST_RUN, has_long_run, runs};
use super::{MOST_DECODED_BYTES, MOST_FOUND, MOST_LAYERS, is_below};
use crate::logs::percent_decoded;
use crate::packets::hexadecimal;

/// One event's.
pub(super) struct Walk<'a> {
    known: &'a KnownValues,
    /// Where it all goes to.
    host: &'a [u8],
    found: Vec<Sensitive>,
    sightings: Vec<Sighting>,
    decoded_bytes: usize,
    /// What was undone to come to the text that is looked at.
    layers: Vec<ContentLayer>,
    place: ContentPlace,
}

impl<'a> Walk<'a> {
    pub(super) fn new(known: &'a KnownValues, host: &'a [u8]) -> Self {
        Self {
            known,
            host,
            found: Vec::new(),
            sightings: Vec::new(),
            decoded_bytes: 0,
            layers: Vec::new(),
            place: ContentPlace::Path,
        }
    }

    /// Looks at a text and at all that it decodes to.
    pub(super) fn look(&mut self, text: &[u8], place: ContentPlace) {
        self.place = place;
        self.text(text);
    }

    /// What was found, the surest first.
    pub(super) fn finish(mut self) -> Vec<Sensitive> {
        self.join_aws_pair();
        self.found.sort_by(|a, b| (a.kind as u8, &a.name).cmp(&(b.kind as u8, &b.name)));
        self.found
    }

    /// A key with its id beside it is a credential, whatever each of them may be alone.
    fn join_aws_pair(&mut self) {
        let is_of_pair = |one: &Sensitive| one.name == AWS_KEY_ID || one.name == AWS_SECRET;
        let has = |name| self.found.iter().any(|one| one.name == name);
        if has(AWS_KEY_ID) && has(AWS_SECRET) {
            for one in self.found.iter_mut().filter(|one| is_of_pair(one)) {
                one.kind = SensitiveKind::Credential;
            }
        }
    }

    fn text(&mut self, text: &[u8]) {
        self.look_for_known(text);
        let has_long_run = has_long_run(text);
        if has_long_run {
            patterns::look(text, |matched| self.note_match(&matched));
        }
        let is_decoded = self.is_decoded();
        if is_decoded || matches!(self.place, ContentPlace::Query | ContentPlace::Body) {
            assign::look(text, is_decoded, |named| {
                self.note(named.kind, SmolStr::new_static(named.name), None, None);
            });
        }
        let may_decode = self.layers.len() < MOST_LAYERS && self.decoded_bytes < MOST_DECODED_BYTES;
        if may_decode && (has_long_run || !self.known.is_empty()) {
            self.decode(text);
        }
    }

    /// Whether the text was encoded in a way that URLs do not ask for.
    fn is_decoded(&self) -> bool {
        self.layers.iter().any(|layer| *layer != ContentLayer::Percent)
    }

    fn look_for_known(&mut self, text: &[u8]) {
        let mut sightings = std::mem::take(&mut self.sightings);
        self.known.look(text, &mut sightings);
        for Sighting { value, sections, is_reversed } in &sightings {
            let label = self.known.label(*value);
            if label.belongs.iter().any(|domain| is_below(self.host, domain.as_bytes())) {
                continue;
            }
            let (kind, name) = (label.kind, label.name.clone());
            if *is_reversed {
                self.layers.push(ContentLayer::Reversed);
            }
            self.note(kind, name, None, Some(*sections));
            if *is_reversed {
                self.layers.pop();
            }
        }
        self.sightings = sightings;
    }

    fn note_match(&mut self, matched: &Match<'_>) {
        let pattern = matched.pattern;
        if pattern.belongs.iter().any(|domain| is_below(self.host, domain.as_bytes())) {
            return;
        }
        let is_weak = matched.kind == SensitiveKind::NamedValue;
        if is_weak && self.place == ContentPlace::Header {
            // Where tokens are meant to be, one that says nothing more is none to tell of.
            return;
        }
        let is_hidden_id = pattern.name == AWS_KEY_ID && self.is_decoded();
        let kind = if is_hidden_id { SensitiveKind::LikelyCredential } else { matched.kind };
        self.note(kind, SmolStr::new_static(pattern.name), Some(fingerprint(matched.text)), None);
    }

    fn note(
        &mut self,
        kind: SensitiveKind,
        name: SmolStr,
        fingerprint: Option<SmolStr>,
        sections: Option<Sections>,
    ) {
        let is_same = |one: &&mut Sensitive| one.name == name && one.fingerprint == fingerprint;
        if let Some(known) = self.found.iter_mut().find(is_same) {
            if let (Some(mine), Some(more)) = (&mut known.sections, sections) {
                mine.add(more);
            }
            // The same in another reading of the same text is no second one.
            known.count += u32::from(known.place == self.place && known.layers == self.layers);
            known.kind = if (kind as u8) < known.kind as u8 { kind } else { known.kind };
        } else if self.found.len() < MOST_FOUND {
            let (place, layers) = (self.place, self.layers.clone());
            self.found.push(Sensitive {
                kind,
                name,
                place,
                layers,
                count: 1,
                fingerprint,
                sections,
            });
        }
    }

    /// Looks at what the text, or parts of it, decode to.
    fn decode(&mut self, text: &[u8]) {
        if memchr::memchr(b'%', text).is_some() {
            let plain = percent_decoded(text);
            if plain.len() < text.len() {
                self.inner(ContentLayer::Percent, &plain);
            }
        }
        for alphabet in &ALPHABETS {
            for run in runs_of(text, alphabet) {
                self.run(alphabet, &text[run]);
            }
        }
        // Nobody but who hides something writes backwards what he does not encode: that is looked for
        // only where it is known what.
        let may_be_reversed = self.is_decoded() || !self.known.is_empty();
        if may_be_reversed && !self.layers.contains(&ContentLayer::Reversed) {
            let reversed: Vec<u8> = text.iter().rev().copied().collect();
            self.inner(ContentLayer::Reversed, &reversed);
        }
    }

    /// Reads a run of letters from each place at which a group may begin.
    fn run(&mut self, alphabet: &Alphabet, letters: &[u8]) {
        for phase in 0..alphabet.phases() {
            let letters = &letters[phase..];
            let is_readable = alphabet.begins_readable(letters);
            if !is_readable && self.known.is_empty() {
                continue;
            }
            let bytes = alphabet.decode(letters);
            self.layers.push(alphabet.layer);
            if is_compressed(&bytes) {
                let left = MOST_DECODED_BYTES.saturating_sub(self.decoded_bytes);
                self.inner(ContentLayer::Deflate, &inflated(&bytes, left));
            }
            self.decoded_bytes += bytes.len();
            if is_readable {
                self.text(&bytes);
            } else {
                self.look_for_known(&bytes);
            }
            self.layers.pop();
        }
    }

    fn inner(&mut self, layer: ContentLayer, text: &[u8]) {
        if self.layers.len() >= MOST_LAYERS || self.decoded_bytes >= MOST_DECODED_BYTES {
            return;
        }
        self.decoded_bytes += text.len();
        self.layers.push(layer);
        self.text(text);
        self.layers.pop();
    }
}

/// The runs of an alphabet's letters. In a path a slash ends a run, and is a letter of base 64 too: so
/// the parts between slashes are read as well.
fn runs_of(text: &[u8], alphabet: &Alphabet) -> Vec<Range<usize>> {
    let mut all: Vec<_> = runs(text, LEAST_RUN, |byte| alphabet.has(byte)).collect();
    if alphabet.has(b'/') {
        for run in all.clone() {
            let parts = runs(&text[run.clone()], LEAST_RUN, |byte| byte != b'/');
            let parts = parts.map(|part| run.start + part.start..run.start + part.end);
            all.extend(parts.filter(|part| *part != run));
        }
    }
    all
}

/// The first 12 hexadecimal digits of the SHA-256.
fn fingerprint(text: &[u8]) -> SmolStr {
    hexadecimal(&Sha256::digest(text)[..6])
}
