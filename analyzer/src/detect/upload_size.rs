//! D2: more sent than is normal, in one contact or in a session as a whole.
//!
//! It looks at bytes sent only. What came back says nothing about what was taken away, so a
//! download is never an upload however large; and an unknown volume is not a small one.

use egret_event::{Attribution, SmolStr};

use super::{normal_size, tail_kind};
use crate::baseline::{Ladder, SizeQuestion};
use crate::histogram::{Histogram, LAST_BIN, bin_of, bin_start};
use crate::incident::{Detector, Finding, Quantity};
use crate::priors::SizePrior;
use crate::size::{Cell, Class, Kind, Measure};
use crate::words::bytes_words;

/// Both measures are looked at; the smaller probability is doubled for it.
const LOOKS: f64 = 2.0;

/// Whose uploads are judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) class: Class,
    pub(crate) kind: Kind,
    /// What the template's sessions sent to this very destination, by [`Measure`].
    pub(crate) own: Option<&'a [Histogram; 2]>,
}

/// Bytes sent so far, by [`Measure`].
pub(crate) type Sent = [u64; 2];

impl<'a> Subject<'a> {
    fn question(&self, measure: Measure) -> SizeQuestion<'a> {
        SizeQuestion {
            cell: Cell::of_upload(self.class, self.kind, measure),
            prior: SizePrior::of(self.class, self.kind, measure),
            own: self.own.map(|sizes| &sizes[measure as usize]),
        }
    }

    /// The tail probability of what was sent, and the measure that gives it.
    pub(crate) fn tail(&self, ladder: &Ladder<'a>, sent: Sent) -> (f64, Measure) {
        let p = |measure| ladder.sizes(self.question(measure)).survival(sent[measure as usize]);
        let [largest, sum] = Measure::ALL.map(p);
        if largest <= sum {
            ((LOOKS * largest).min(1.0), Measure::Largest)
        } else {
            ((LOOKS * sum).min(1.0), Measure::Sum)
        }
    }

    /// The smallest size of a measure whose tail probability is below `p`, to the histogram bin.
    pub(crate) fn first_below(&self, ladder: &Ladder<'a>, measure: Measure, p: f64) -> u64 {
        ladder.sizes(self.question(measure)).first_below(p / LOOKS)
    }

    /// The finding, with its words.
    pub(crate) fn finding(&self, ladder: &Ladder<'a>, sent: Sent, origin: &Attribution) -> Finding {
        let (p, measure) = self.tail(ladder, sent);
        let normal = ladder.sizes(self.question(measure)).normal();
        let value = sent[measure as usize];
        let manner = match measure {
            Measure::Largest => "in one contact",
            Measure::Sum => "in all",
        };
        let whereto = if normal.of_destination { "this destination" } else { self.class.words() };
        let whose = crate::words::whose(normal.weight.level, origin);
        Finding {
            detector: Detector::UploadSize,
            p,
            tail: tail_kind(p, &normal.weight),
            share: 0.0,
            observed: Quantity { value: value as f64, unit: SmolStr::new_static("bytes") },
            normal: Some(normal_size(&normal, origin)),
            words: format!(
                "sent {} {manner}; {whose} normally send at most {} (98 %) to {whereto}",
                bytes_words(value),
                bytes_words(normal.p98),
            ),
        }
    }
}

/// The size at which a growing upload is worth the next look: the next histogram bin, because
/// within one the probability hardly changes.
pub(crate) fn next_look(sent: u64) -> u64 {
    bin_start(bin_of(sent).saturating_add(1).min(LAST_BIN)).max(sent.saturating_add(1))
}
