//! The HTTP of one connection: requests that wait for their answer, and where the next may start.
//!
//! Owns no parser and makes no events: [`super::inspect`] does.

use std::collections::VecDeque;
use std::time::Duration;

use egret_event::{Event, Timestamp};

/// Most requests of one connection that wait. Clients hardly pipeline.
const MAX_WAITING: usize = 8;

/// How long an answer is waited for at the least. Whatever waited longer is told with the next
/// interval of its flow, which is at most 10 s away: an upload is told of while it runs.
pub(super) const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// A request that waits for its answer.
#[derive(Debug)]
pub(super) struct Waiting {
    /// What is told of it, without its status.
    pub(super) event: Event,
    /// When it was seen.
    pub(super) since: Timestamp,
    /// How its answer is to be read.
    pub(super) kind: Kind,
}

/// What an answer can be, by the request's method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `CONNECT`: the end of HTTP on this connection, if it is granted.
    Tunnel,
    /// `HEAD`: an answer without a body, whatever it says.
    Head,
    /// Any other.
    Plain,
}

/// What is open on a connection.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    waiting: VecDeque<Waiting>,
    /// Sequence number of what follows the body that the client is sending.
    body_until: Option<u32>,
}

/// What a client's segment is to a body that it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Nothing but body.
    Body,
    /// No body from this offset on.
    From(u32),
}

impl Exchange {
    /// Adds a request. Returns the oldest where there was no room for both.
    pub(super) fn ask(&mut self, waiting: Waiting) -> Option<Waiting> {
        let oldest =
            if self.waiting.len() >= MAX_WAITING { self.waiting.pop_front() } else { None };
        self.waiting.push_back(waiting);
        oldest
    }

    /// How the answer to the oldest request is to be read, if there is one that waits.
    pub(super) fn next_kind(&self) -> Option<Kind> {
        self.waiting.front().map(|waiting| waiting.kind)
    }

    /// Takes the oldest request.
    pub(super) fn answer(&mut self) -> Option<Waiting> {
        // Who is answered early sends no more of the body (RFC 9110, section 10.1.1).
        if self.waiting.len() == 1 {
            self.body_until = None;
        }
        self.waiting.pop_front()
    }

    /// Takes the oldest request, if it was seen at `limit` or before.
    pub(super) fn overdue(&mut self, limit: Timestamp) -> Option<Waiting> {
        let is_overdue = self.waiting.front().is_some_and(|waiting| waiting.since <= limit);
        is_overdue.then(|| self.waiting.pop_front())?
    }

    /// Whether nothing is open any more.
    pub(super) fn is_over(&self) -> bool {
        self.waiting.is_empty() && self.body_until.is_none()
    }

    /// Notes that a body goes on up to sequence number `end`.
    pub(super) fn expect_body(&mut self, end: u32) {
        self.body_until = Some(end);
    }

    /// What a client's segment of `length` bytes from `sequence` on is.
    pub(super) fn part(&mut self, sequence: u32, length: u32) -> Part {
        let Some(until) = self.body_until else { return Part::From(0) };
        let left = until.wrapping_sub(sequence);
        if left < 1 << 31 && left >= length {
            return Part::Body;
        }
        self.body_until = None;
        Part::From(if left < 1 << 31 { left } else { 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_skipped_to_its_end_even_past_the_wrap() {
        let mut exchange = Exchange::default();
        assert_eq!(exchange.part(7, 100), Part::From(0), "no body is expected");
        exchange.expect_body(50);
        assert_eq!(exchange.part(u32::MAX - 99, 100), Part::Body);
        assert_eq!(exchange.part(0, 50), Part::Body);
        assert_eq!(exchange.part(40, 30), Part::From(10));
        assert_eq!(exchange.part(70, 30), Part::From(0));
    }

    #[test]
    fn what_comes_after_a_body_of_which_the_end_was_missed_is_none_of_it() {
        let mut exchange = Exchange::default();
        exchange.expect_body(50);
        assert_eq!(exchange.part(60, 30), Part::From(0));
        assert_eq!(exchange.body_until, None);
    }
}
