//! What happens to each datagram: its records become events, or are counted for what they are.

use std::net::SocketAddr;
use std::sync::Arc;

use egret_event::{Gap, GapReason, Ledger, Loss, SmolStr, Timestamp};

use super::decoder::{Decoded, Decoder, Export};
use super::flows::{Flows, Outcome};
use crate::logs::{Entry, Ids, Scribe};
use crate::packets::{Outlet, Tally, gap_event};
use crate::{Context, Emit};

/// Turns the datagrams of one source into events.
pub(super) struct Intake<'a, 'b> {
    name: SmolStr,
    ledger: Arc<Ledger>,
    decoder: Decoder,
    decoded: Decoded,
    flows: Flows,
    scribe: Scribe,
    outlet: Outlet<'a, 'b>,
    missing: Tally,
    malformed: Tally,
    without_template: Tally,
    /// The time of gaps: the listener's clock, or the latest export.
    now: Timestamp,
}

impl<'a, 'b> Intake<'a, 'b> {
    pub(super) fn new(name: &SmolStr, context: &Context, emit: &'a mut Emit<'b>) -> Self {
        Self {
            name: name.clone(),
            ledger: Arc::clone(&context.ledger),
            decoder: Decoder::new(),
            decoded: Decoded::default(),
            flows: Flows::new(Arc::clone(&context.attribution)),
            scribe: Scribe::new(name.clone(), context),
            outlet: Outlet::new(name, &context.ledger, emit),
            missing: Tally::new(GapReason::SequenceHole),
            malformed: Tally::new(GapReason::Malformed),
            without_template: Tally::new(GapReason::NoTemplate),
            now: Timestamp::MIN,
        }
    }

    /// Takes a datagram that `from` sent, received at `now`. `None`: its own time is the time.
    pub(super) fn datagram(
        &mut self,
        from: Option<SocketAddr>,
        datagram: &[u8],
        now: Option<Timestamp>,
    ) {
        let mut decoded = std::mem::take(&mut self.decoded);
        self.decoder.datagram(from, datagram, &mut decoded);
        let exported = decoded.exported;
        self.now = self.now.max(now.or(exported).unwrap_or(Timestamp::MIN));
        self.account(&decoded);
        let mut lost = Lost::default();
        let (flows, scribe, outlet) = (&mut self.flows, &mut self.scribe, &mut self.outlet);
        let mut ids = IdsOf { from, latest: None };
        flows.take(from, &decoded.flows, |record, export, records, outcome| match outcome {
            Outcome::NotEgress => lost.not_egress += records,
            Outcome::Duplicate => lost.duplicate += records,
            Outcome::Flow(flow) => {
                let ids = ids.of(scribe.source(), export);
                let (flow, offset) = (Entry::Flow(flow), u64::from(record.offset));
                if !outlet.write(|batch| scribe.write(&flow, ids, offset, batch)) {
                    lost.not_egress += records;
                }
            }
        });
        self.ledger.lose(Loss::NotEgress, lost.not_egress);
        self.ledger.lose(Loss::Duplicate, lost.duplicate);
        self.ledger.pass(decoded.flows.len() as u64 - lost.not_egress - lost.duplicate);
        self.decoded = decoded;
        self.tell_gaps();
    }

    fn account(&mut self, decoded: &Decoded) {
        self.ledger.receive(decoded.units());
        self.ledger.pass(decoded.others);
        self.ledger.lose(Loss::Malformed, decoded.malformed);
        self.ledger.lose(Loss::NoTemplate, decoded.without_template);
        if let Some(problem) = decoded.problem {
            tracing::debug!(source = %self.name, problem, "an export datagram cannot be read");
        }
        for (tally, count) in [
            (&mut self.malformed, decoded.malformed),
            (&mut self.without_template, decoded.without_template),
            (&mut self.missing, decoded.missing),
        ] {
            if count > 0 {
                tally.add(count, self.now);
            }
        }
        self.missing.take_back(decoded.overtaken);
    }

    /// Tells what was dropped before it could be read.
    pub(super) fn dropped(&mut self, count: u64, from: Timestamp, at: Timestamp) {
        let gap = Gap { reason: GapReason::KernelDrop, count, from };
        self.outlet.push(gap_event(&self.name, gap, at));
    }

    /// Lets time pass while nothing comes; hands over what has waited long enough.
    pub(super) fn tick(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.tell_gaps();
        self.outlet.flush_if_due(now);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.outlet.is_closed()
    }

    /// Ends the source.
    pub(super) fn finish(mut self) {
        let without_template = self.decoder.finish();
        if without_template > 0 {
            self.ledger.receive(without_template);
            self.ledger.lose(Loss::NoTemplate, without_template);
            self.without_template.add(without_template, self.now);
        }
        for gap in self.tallies().map(Tally::take).into_iter().flatten() {
            self.outlet.push(gap_event(&self.name, gap, self.now));
        }
        self.outlet.flush();
    }

    fn tell_gaps(&mut self) {
        let now = self.now;
        for gap in self.tallies().map(|tally| tally.due(now)).into_iter().flatten() {
            self.outlet.push(gap_event(&self.name, gap, now));
        }
    }

    fn tallies(&mut self) -> [&mut Tally; 3] {
        [&mut self.missing, &mut self.malformed, &mut self.without_template]
    }
}

#[derive(Default)]
struct Lost {
    not_egress: u64,
    duplicate: u64,
}

/// The ids of what came in one datagram: by who sent it and what its header says, so that the same
/// datagram read again gives the same events.
struct IdsOf {
    from: Option<SocketAddr>,
    latest: Option<(Export, Ids)>,
}

impl IdsOf {
    fn of(&mut self, source: &SmolStr, export: &Export) -> Ids {
        if let Some((latest, ids)) = &self.latest
            && latest == export
        {
            return *ids;
        }
        let mut about = Vec::with_capacity(64);
        if let Some(from) = self.from {
            about.extend_from_slice(from.to_string().as_bytes());
        }
        about.extend_from_slice(&export.sequence.to_be_bytes());
        about.extend_from_slice(&export.domain.to_be_bytes());
        about.extend_from_slice(&export.at.as_nanos().to_be_bytes());
        about.extend_from_slice(&export.uptime_ms.to_be_bytes());
        let ids = Ids::of(source, &about);
        self.latest = Some((*export, ids));
        ids
    }
}
