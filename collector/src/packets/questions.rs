//! DNS questions that wait for their answer.
//!
//! Owns the bounded table of them and their time limit. It makes no events.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use egret_event::{Attribution, EventId, Timestamp};
use foldhash::quality::FixedState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::dns::Asked;
use super::table::SEED;

/// How long an answer is waited for; resolvers give up earlier.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// Most questions that wait at once, about 250 bytes each.
const MAX_QUESTIONS: usize = 65_536;

/// What joins an answer to its question.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct QuestionKey {
    pub(super) client: (u128, u16),
    pub(super) server: u128,
    pub(super) id: u16,
    pub(super) asked: Asked,
}

/// A question, with all that its event needs: its flow may end before the answer comes.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) event: EventId,
    pub(super) origin: Arc<Attribution>,
    pub(super) client: (IpAddr, u16),
    pub(super) server: (IpAddr, u16),
    pub(super) asked: Asked,
    pub(super) edns_bytes: Option<u16>,
    pub(super) over_tcp: bool,
    pub(super) asked_at: Timestamp,
}

/// Questions that wait.
#[derive(Debug)]
pub(super) struct Questions {
    waiting: HashMap<QuestionKey, Question, FixedState>,
    /// In the order in which they were asked, answered ones included.
    asked: VecDeque<(Timestamp, QuestionKey)>,
    most: usize,
    evicted: u64,
}

impl Questions {
    pub(super) fn new() -> Self {
        Self::with_limit(MAX_QUESTIONS)
    }

    fn with_limit(most: usize) -> Self {
        Self {
            waiting: HashMap::with_hasher(FixedState::with_seed(SEED)),
            asked: VecDeque::new(),
            most,
            evicted: 0,
        }
    }

    /// Whether the same question waits already: then this one is a repetition.
    pub(super) fn is_waiting(&self, key: &QuestionKey) -> bool {
        self.waiting.contains_key(key)
    }

    /// Adds a question. Returns the oldest where there was no room for both.
    pub(super) fn ask(&mut self, key: QuestionKey, question: Question) -> Option<Question> {
        let evicted = if self.asked.len() >= self.most { self.take_oldest() } else { None };
        self.evicted += u64::from(evicted.is_some());
        self.asked.push_back((question.asked_at, key.clone()));
        self.waiting.insert(key, question);
        evicted
    }

    /// Takes the question that is answered.
    pub(super) fn answer(&mut self, key: &QuestionKey) -> Option<Question> {
        self.waiting.remove(key)
    }

    /// Takes the next question that waited too long by `now`, with the time at which it did.
    pub(super) fn next_unanswered(&mut self, now: Timestamp) -> Option<(Question, Timestamp)> {
        while let Some((asked_at, _)) = self.asked.front() {
            let given_up_at = *asked_at + ANSWER_WAIT;
            if given_up_at > now {
                return None;
            }
            if let Some(question) = self.take_oldest() {
                return Some((question, given_up_at));
            }
        }
        None
    }

    /// Takes any question, the oldest first.
    pub(super) fn take_any(&mut self) -> Option<Question> {
        while !self.asked.is_empty() {
            if let Some(question) = self.take_oldest() {
                return Some(question);
            }
        }
        None
    }

    /// How many questions were given up for want of room since the last call.
    pub(super) fn take_evicted(&mut self) -> u64 {
        std::mem::take(&mut self.evicted)
    }

    /// Takes the first of the queue, if it still waits.
    fn take_oldest(&mut self) -> Option<Question> {
        let (asked_at, key) = self.asked.pop_front()?;
        match self.waiting.entry(key) {
            Entry::Occupied(entry) if entry.get().asked_at == asked_at => Some(entry.remove()),
            // Answered, and perhaps asked again since.
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use egret_event::NamedBy;

    use super::*;

    fn ask(questions: &mut Questions, id: u16, second: i64) -> Option<Question> {
        let origin = Attribution {
            executor: "job".into(),
            session: None,
            template: None,
            tenant: None,
            segment: "lab".into(),
            named_by: NamedBy::Address,
        };
        let question = Question {
            event: EventId::of(&[&id.to_be_bytes()]),
            origin: Arc::new(origin),
            client: (IpAddr::from([10, 0, 0, 1]), 40_000),
            server: (IpAddr::from([10, 0, 0, 53]), 53),
            asked: asked(),
            edns_bytes: None,
            over_tcp: false,
            asked_at: Timestamp::from_secs(second),
        };
        questions.ask(key(id), question)
    }

    fn key(id: u16) -> QuestionKey {
        QuestionKey { client: (1, 40_000), server: 2, id, asked: asked() }
    }

    fn asked() -> Asked {
        Asked { name: "a.example".into(), query_type: 1 }
    }

    #[test]
    fn a_question_is_given_up_after_ten_seconds_unless_answered() {
        let mut questions = Questions::new();
        ask(&mut questions, 1, 0);
        ask(&mut questions, 2, 1);
        assert!(questions.answer(&key(1)).is_some());
        assert!(questions.answer(&key(1)).is_none(), "an answer counts once");
        assert!(questions.next_unanswered(Timestamp::from_secs(10)).is_none());
        let (question, at) = questions.next_unanswered(Timestamp::from_secs(60)).unwrap();
        assert_eq!((question.event, at), (EventId::of(&[&[0, 2]]), Timestamp::from_secs(11)));
        assert!(questions.take_any().is_none());
    }

    #[test]
    fn a_full_table_gives_the_oldest_back() {
        let mut questions = Questions::with_limit(2);
        assert!(ask(&mut questions, 1, 0).is_none());
        assert!(ask(&mut questions, 2, 0).is_none());
        assert_eq!(ask(&mut questions, 3, 0).unwrap().event, EventId::of(&[&[0, 1]]));
        assert_eq!(questions.take_evicted(), 1);
    }
}
