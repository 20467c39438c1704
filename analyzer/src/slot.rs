//! One destination of a session: how it begins and what it counts.

use std::num::NonZeroU64;
use std::time::Duration;

use egret_event::{Event, Fact, SmolStr, Timestamp};

use crate::baseline::Ladder;
use crate::detect::NOTABLE;
use crate::detect::beacon::{Rhythm, SMALL_BYTES};
use crate::detect::direct_address;
use crate::detect::new_destination;
use crate::detect::policy::is_private;
use crate::detect::slow_drip::Drip;
use crate::detect::upload_size::{NextLook, Sent, Subject};
use crate::hash::quick;
use crate::priors::is_own_of_platform;
use crate::session::{Recent, Slot};
use crate::size::{Class, Kind, Measure};
use crate::tally::{Seen, Tally};

/// Most destinations are done with sooner, and need no place for a drip.
const MINUTE: Duration = Duration::from_secs(60);

impl Slot {
    /// Of the first event there.
    pub(crate) fn new(event: &Event, ladder: &Ladder<'_>) -> Self {
        Self::of((event.destination.domain.clone(), event.at), event, ladder)
    }

    /// Of a domain that was asked for since `first` and not contacted.
    pub(crate) fn of_questions(
        (domain, first): (SmolStr, Timestamp),
        event: &Event,
        ladder: &Ladder<'_>,
    ) -> Self {
        Self { only_host: None, ..Self::of((domain, first), event, ladder) }
    }

    fn of((domain, first): (SmolStr, Timestamp), event: &Event, ladder: &Ladder<'_>) -> Self {
        let key = new_destination::key_of(&domain);
        let class = new_destination::class_of(ladder, &domain, key);
        let mut slot = Self {
            is_shared: crate::tenancy::is_listed(&domain),
            is_private: is_private(&event.destination),
            is_direct: direct_address::is_direct(event),
            is_odd: false,
            domain,
            key,
            kind: kind_of(event),
            class,
            tally: Tally::default(),
            seen: Seen::at(first),
            only_host: NonZeroU64::new(quick(&event.destination.host)),
            largest: 0,
            next_look: [NextLook::NEVER; 3],
            drip: None,
            rhythm: None,
            recent: Recent::since(event.at),
            last_beat: Timestamp::MIN,
            judged: 0,
            judgement: None,
            dossier: None,
        };
        slot.next_look = first_looks(&slot.subject(ladder), ladder);
        slot
    }

    /// Whether there was nothing but questions for it.
    pub(crate) fn is_only_asked_for(&self) -> bool {
        self.tally.is_empty()
    }

    /// Takes the first event that is no question for what the destination is contacted for.
    pub(crate) fn meet(&mut self, event: &Event, ladder: &Ladder<'_>) {
        self.kind = kind_of(event);
        self.next_look = first_looks(&self.subject(ladder), ladder);
    }

    /// Counts an event, in a minute of the session; its contact sent so much so far.
    pub(crate) fn count(&mut self, event: &Event, bytes_of_contact: u64, minute: u32) {
        let before = self.tally.up_bytes();
        self.seen.include(event.at);
        self.tally.add(event);
        let sent = self.tally.up_bytes() - before;
        if sent > 0 && (self.drip.is_some() || event.at.since(self.seen.first) >= MINUTE) {
            let drip = self.drip.get_or_insert_with(|| Box::new(Drip::begin(minute, before)));
            drip.add(minute, sent);
        }
        self.only_host = self.only_host.filter(|only| only.get() == quick(&event.destination.host));
        self.largest = self.largest.max(bytes_of_contact);
        if event.is_contact() {
            self.recent.contact(event.at);
        }
    }

    /// Contacts at even intervals, if it is a new destination that is sent little. What a platform
    /// has of its own does not count: operating systems and their parts report to it by timers.
    pub(crate) fn beats(&self) -> u64 {
        let contacts = u64::from(self.tally.contacts());
        let is_small = self.tally.up_bytes() <= contacts.saturating_mul(SMALL_BYTES);
        let is_judged = is_small && self.class == Class::New;
        let beats = self.rhythm.as_deref().filter(|_| is_judged).map_or(0, Rhythm::even_contacts);
        if beats > 0 && is_own_of_platform(&self.domain) { 0 } else { beats }
    }

    /// What it sent for its own sake, by measure. The sum may be seen by two observers; the larger one
    /// counts.
    pub(crate) fn sent(&self) -> Sent {
        [self.largest, self.tally.uploaded(), self.tally.one_way_bytes()]
    }

    /// What its uploads are compared with.
    pub(crate) fn subject<'a>(&self, ladder: &Ladder<'a>) -> Subject<'a> {
        let leaves_out = self.tally.up_bytes().saturating_sub(self.tally.uploaded());
        let own = ladder.sent_by_template(self.key);
        Subject { class: self.class, kind: self.kind, own, leaves_out }
    }
}

/// The smallest sizes that are worth a look, by measure; none of a measure that is not looked at.
pub(crate) fn first_looks<'a>(subject: &Subject<'a>, ladder: &Ladder<'a>) -> [NextLook; 3] {
    let mut first = [NextLook::NEVER; 3];
    for measure in Measure::of(subject.class) {
        first[*measure as usize] = NextLook::at(subject.first_below(ladder, *measure, NOTABLE));
    }
    first
}

/// By the first event: what a destination is contacted for seldom changes.
fn kind_of(event: &Event) -> Kind {
    match (&event.fact, event.destination.port) {
        (Fact::Http(_), _) | (_, 80 | 443 | 8080 | 8443) => Kind::Web,
        (_, 53 | 853) => Kind::Dns,
        _ => Kind::Other,
    }
}
