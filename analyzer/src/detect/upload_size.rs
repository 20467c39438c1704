//! D2: more sent than is normal, in one contact or in a session as a whole.
//!
//! It looks at bytes sent. What came back says nothing about what was taken away, so a download is
//! never an upload however large: what it takes to receive it is left out ([`crate::tally`]). An
//! unknown volume is not a small one. But who
//! leaves something gets no more than a receipt for it: at a new destination what was sent in
//! contacts that brought little back is looked at apart.

use egret_event::{Attribution, SmolStr};
use serde::{Deserialize, Serialize};

use super::{normal_size, tail_kind};
use crate::baseline::{Ladder, SizeQuestion};
use crate::histogram::{Histogram, bin_of};
use crate::incident::{Detector, Finding, Quantity};
use crate::priors::SizePrior;
use crate::size::{Cell, Class, Kind, Measure};
use crate::words::bytes_words;

/// Whose uploads are judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) class: Class,
    pub(crate) kind: Kind,
    /// What the template's sessions sent to this very destination, by [`Measure`].
    pub(crate) own: Option<&'a [Histogram; 2]>,
    /// Bytes of the sum that were sent to receive what came back, and are left out.
    pub(crate) leaves_out: u64,
}

/// Bytes sent so far, by [`Measure`].
pub(crate) type Sent = [u64; 3];

/// The bin of a histogram in which something that grows is worth the next look: within one bin the
/// probability hardly changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NextLook(u16);

impl NextLook {
    /// Not at all.
    pub(crate) const NEVER: Self = Self(u16::MAX);

    /// When it has come to so many bytes.
    pub(crate) fn at(bytes: u64) -> Self {
        Self(bin_of(bytes))
    }

    /// In the next bin.
    pub(crate) fn after(bytes: u64) -> Self {
        Self(bin_of(bytes) + 1)
    }

    /// Whether so many bytes are worth it.
    pub(crate) fn is_due(self, bytes: u64) -> bool {
        bin_of(bytes) >= self.0
    }

    /// The later one of two.
    pub(crate) fn max(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }
}

impl<'a> Subject<'a> {
    fn question(&self, measure: Measure) -> SizeQuestion<'a> {
        SizeQuestion {
            cell: Cell::of_upload(self.class, self.kind, measure),
            prior: SizePrior::of(self.class, self.kind, measure),
            own: self.own.and_then(|sizes| sizes.get(measure as usize)),
        }
    }

    /// The tail probability of what was sent, and the measure that gives it.
    pub(crate) fn tail(&self, ladder: &Ladder<'a>, sent: Sent) -> (f64, Measure) {
        let p = |measure: &Measure| {
            let p = ladder.sizes(self.question(*measure)).survival(sent[*measure as usize]);
            ((self.looks() * p).min(1.0), *measure)
        };
        let all = Measure::of(self.class).iter().map(p);
        all.min_by(|one, other| one.0.total_cmp(&other.0)).unwrap_or((1.0, Measure::Largest))
    }

    /// Of all measures the smallest probability counts, times their number.
    fn looks(&self) -> f64 {
        Measure::of(self.class).len() as f64
    }

    /// The smallest size of a measure whose tail probability is below `p`, to the histogram bin.
    pub(crate) fn first_below(&self, ladder: &Ladder<'a>, measure: Measure, p: f64) -> u64 {
        ladder.sizes(self.question(measure)).first_below(p / self.looks())
    }

    /// The finding, with its words.
    pub(crate) fn finding(&self, ladder: &Ladder<'a>, sent: Sent, origin: &Attribution) -> Finding {
        let (p, measure) = self.tail(ladder, sent);
        let normal = ladder.sizes(self.question(measure)).normal();
        let value = sent[measure as usize];
        let manner = match measure {
            Measure::Largest => "in one contact",
            Measure::Sum => "in all",
            Measure::OneWay => "in contacts that brought little back",
        };
        let aside = if self.leaves_out > value / 16 && measure != Measure::OneWay {
            " (acknowledgements of what came back left out)"
        } else {
            ""
        };
        let whereto = if normal.of_destination { "this destination" } else { self.class.words() };
        let whose = crate::words::whose(normal.weight.level, origin);
        Finding {
            detector: Detector::UploadSize,
            p,
            tail: tail_kind(p, &normal.weight),
            share: 0.0,
            place: None,
            judged_benign: None,
            observed: Quantity { value: value as f64, unit: SmolStr::new_static("bytes") },
            normal: Some(normal_size(&normal, origin)),
            words: format!(
                "sent {} {manner}{aside}; {whose} normally send at most {} (98 %) to {whereto}",
                bytes_words(value),
                bytes_words(normal.p98),
            ),
        }
    }
}
