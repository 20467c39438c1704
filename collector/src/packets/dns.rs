//! DNS messages: the questions, and what the answer says about the first of them.
//!
//! Owns the wire format (RFC 1035, RFC 6891, RFC 9460). It knows no flows and matches no answers
//! to questions.

mod name;
mod records;

use egret_event::SmolStr;
use records::Record;

pub use records::Answer;

/// The port of DNS servers.
pub(super) const PORT: u16 = 53;

/// The port of DNS inside TLS, and of DNS inside QUIC.
pub(super) const TLS_PORT: u16 = 853;

/// Bytes of the fixed header.
const HEADER_LEN: usize = 12;

/// Most questions read of one message. Resolvers send one, and servers answer the first.
const MAX_QUESTIONS: usize = 4;

/// Most records that are looked at, of all sections.
const MAX_RECORDS: usize = 128;

/// The question type that NetBIOS name service has to itself ("NB"; RFC 1002, section 4.2.1.2).
/// Its messages are else those of DNS.
const NETBIOS: u16 = 32;

/// A DNS message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Identification: joins an answer to its question.
    pub id: u16,
    /// The first question.
    pub question: Asked,
    /// The others. More than one is unheard of between resolvers and servers, so these do not
    /// ask but carry something.
    pub further: Vec<Asked>,
    /// The size of answers that the sender takes over UDP (EDNS).
    pub edns_bytes: Option<u16>,
    /// What was answered. `None`: this is a question.
    pub answer: Option<Answer>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Asked {
    /// The name, clean.
    pub name: SmolStr,
    /// The type, by number.
    pub query_type: u16,
}

impl Asked {
    fn read(bytes: &[u8], at: &mut usize) -> Option<Self> {
        let name = name::read(bytes, at)?;
        let query_type = u16_at(bytes, *at)?;
        *at += 4;
        Some(Self { name, query_type })
    }
}

/// The fixed header.
struct Header {
    id: u16,
    flags: u16,
    /// Questions, answers, authorities, additional records.
    counts: [u16; 4],
}

impl Header {
    /// `None`: this is no message, or no standard query or answer to one.
    fn read(bytes: &[u8]) -> Option<Self> {
        let header: &[u8; HEADER_LEN] = bytes.first_chunk()?;
        let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let header =
            Self { id: word(0), flags: word(2), counts: [word(4), word(6), word(8), word(10)] };
        let is_standard_query = header.flags & 0x7800 == 0;
        (is_standard_query && header.counts[0] > 0).then_some(header)
    }

    fn is_answer(&self) -> bool {
        self.flags & 0x8000 != 0
    }

    fn records(&self) -> usize {
        self.counts[1..].iter().map(|count| usize::from(*count)).sum()
    }
}

/// Reads a message. `None`: it is none, or its question cannot be read. Records after the first
/// that cannot be read are left out.
pub fn message(bytes: &[u8]) -> Option<Message> {
    let header = Header::read(bytes)?;
    let mut at = HEADER_LEN;
    let question = Asked::read(bytes, &mut at)?;
    let mut message =
        Message { id: header.id, question, further: Vec::new(), edns_bytes: None, answer: None };
    if header.is_answer() {
        message.answer = Some(Answer { code: (header.flags & 15) as u8, ..Answer::default() });
    }
    // What was read before the damage still holds.
    let _ = message.rest(bytes, &header, &mut at);
    Some(message)
}

impl Message {
    fn rest(&mut self, bytes: &[u8], header: &Header, at: &mut usize) -> Option<()> {
        for _ in 1..header.counts[0] {
            if self.further.len() + 1 >= MAX_QUESTIONS {
                return None;
            }
            self.further.push(Asked::read(bytes, at)?);
        }
        for number in 0..header.records().min(MAX_RECORDS) {
            let record = Record::read(bytes, at)?;
            if let Some((size, upper_code)) = record.edns() {
                self.edns_bytes = Some(size);
                if let Some(answer) = &mut self.answer {
                    let code = u16::from(upper_code) << 4 | u16::from(answer.code);
                    answer.code = u8::try_from(code).unwrap_or(u8::MAX);
                }
            } else if number < usize::from(header.counts[1])
                && let Some(answer) = &mut self.answer
            {
                answer.take(bytes, record);
            }
        }
        Some(())
    }
}

/// Whether `bytes` are a DNS message and nothing else, so surely that no port need say so: every
/// record is read, and they end where the message ends.
pub fn is_message(bytes: &[u8]) -> bool {
    whole(bytes).is_some()
}

fn whole(bytes: &[u8]) -> Option<()> {
    let header = Header::read(bytes)?;
    let is_reserved_zero = header.flags & 0x40 == 0;
    let [questions, answers, authorities, _] = header.counts;
    let may_be_question = answers == 0 && authorities == 0 && header.flags & 15 == 0;
    let is_plausible = usize::from(questions) <= MAX_QUESTIONS
        && header.records() <= MAX_RECORDS
        && (header.is_answer() || may_be_question);
    if !is_reserved_zero || !is_plausible {
        return None;
    }
    let mut at = HEADER_LEN;
    for _ in 0..questions {
        name::skip(bytes, &mut at)?;
        let (kind, class) = (u16_at(bytes, at)?, u16_at(bytes, at + 2)?);
        if kind == 0 || kind == NETBIOS || !matches!(class, 1 | 3 | 4 | 255) {
            return None;
        }
        at += 4;
    }
    for _ in 0..header.records() {
        Record::read(bytes, &mut at)?;
    }
    (at == bytes.len()).then_some(())
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes([pair[0], pair[1]]))
}

#[cfg(test)]
mod tests;
