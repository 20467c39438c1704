//! DNS messages: the first question, and what the answer says about it.
//!
//! Owns the wire format (RFC 1035). It knows no flows and matches no answers to questions.

use std::net::IpAddr;

use egret_event::{SmolStr, clean_labels};

/// The port of DNS servers.
pub(super) const PORT: u16 = 53;

/// Bytes of the fixed header.
const HEADER_LEN: usize = 12;

/// Most labels in a name: 255 bytes hold no more.
const MAX_LABELS: usize = 127;

/// Most compression pointers followed in one name. Writers use one or two; a loop would not end.
const MAX_POINTERS: usize = 16;

/// Most answer records that are looked at.
const MAX_RECORDS: usize = 64;

/// Most addresses kept of an answer.
const MAX_ADDRESSES: usize = 16;

/// Most names kept of a CNAME chain.
const MAX_ALIASES: usize = 8;

/// Record types.
const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;

/// Class "Internet".
const INTERNET: u16 = 1;

/// A DNS message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Identification: joins an answer to its question.
    pub id: u16,
    /// The name asked for, clean.
    pub name: SmolStr,
    /// The type asked for.
    pub query_type: u16,
    /// What was answered. `None`: this is a question.
    pub answer: Option<Answer>,
}

/// What an answer says, as far as it could be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Response code.
    pub code: u8,
    /// Addresses given.
    pub addresses: Vec<IpAddr>,
    /// The CNAME chain, as in [`egret_event::Resolution`].
    pub aliases: Vec<SmolStr>,
    /// Longest time to live of the addresses, in seconds.
    pub ttl_s: u32,
}

/// Reads a message. `None`: it is none, or its question cannot be read. Answer records after the
/// first that cannot be read are left out.
pub fn message(bytes: &[u8]) -> Option<Message> {
    let header: &[u8; HEADER_LEN] = bytes.first_chunk()?;
    let flags = u16_at(bytes, 2)?;
    let is_standard_query = flags & 0x7800 == 0;
    let questions = u16::from_be_bytes([header[4], header[5]]);
    if !is_standard_query || questions == 0 {
        return None;
    }
    let mut at = HEADER_LEN;
    let name = name(bytes, &mut at)?;
    let query_type = u16_at(bytes, at)?;
    at += 4;
    let is_answer = flags & 0x8000 != 0;
    // Nobody sends more than one question, and no server answers it.
    let answer = is_answer.then(|| {
        let mut answer = Answer { code: (flags & 15) as u8, ..Answer::default() };
        let records = u16::from_be_bytes([header[6], header[7]]);
        for _ in 0..usize::from(records).min(MAX_RECORDS) {
            if record(bytes, &mut at, &mut answer).is_none() {
                break;
            }
        }
        answer
    });
    Some(Message { id: u16::from_be_bytes([header[0], header[1]]), name, query_type, answer })
}

fn record(bytes: &[u8], at: &mut usize, answer: &mut Answer) -> Option<()> {
    skip_name(bytes, at)?;
    let kind = u16_at(bytes, *at)?;
    let class = u16_at(bytes, *at + 2)?;
    let ttl_s = u32::from(u16_at(bytes, *at + 4)?) << 16 | u32::from(u16_at(bytes, *at + 6)?);
    let length = usize::from(u16_at(bytes, *at + 8)?);
    let start = *at + 10;
    let content = bytes.get(start..start + length)?;
    *at = start + length;
    if class != INTERNET {
        return Some(());
    }
    let address = match kind {
        A => <[u8; 4]>::try_from(content).ok().map(IpAddr::from),
        AAAA => <[u8; 16]>::try_from(content).ok().map(IpAddr::from),
        _ => None,
    };
    if let Some(address) = address {
        answer.ttl_s = answer.ttl_s.max(ttl_s);
        if answer.addresses.len() < MAX_ADDRESSES {
            answer.addresses.push(address.to_canonical());
        }
    } else if kind == CNAME {
        if answer.aliases.len() < MAX_ALIASES {
            answer.aliases.extend(name(bytes, &mut { start }));
        }
    }
    Some(())
}

/// Reads a name at `at` and moves `at` behind it. The root is an empty name.
fn name(bytes: &[u8], at: &mut usize) -> Option<SmolStr> {
    let mut labels = [&[][..]; MAX_LABELS];
    let mut count = 0;
    let mut position = *at;
    let mut pointers = 0;
    loop {
        match Label::at(bytes, position)? {
            Label::Text(text) => {
                *labels.get_mut(count)? = text;
                count += 1;
                position += 1 + text.len();
            }
            Label::Pointer(target) => {
                if pointers == 0 {
                    *at = position + 2;
                }
                pointers += 1;
                if pointers > MAX_POINTERS {
                    return None;
                }
                position = target;
            }
            Label::Root => break,
        }
    }
    if pointers == 0 {
        *at = position + 1;
    }
    Some(clean_labels(labels[..count].iter().copied()))
}

fn skip_name(bytes: &[u8], at: &mut usize) -> Option<()> {
    loop {
        match Label::at(bytes, *at)? {
            Label::Text(text) => *at += 1 + text.len(),
            Label::Pointer(_) => {
                *at += 2;
                return Some(());
            }
            Label::Root => {
                *at += 1;
                return Some(());
            }
        }
    }
}

enum Label<'a> {
    Text(&'a [u8]),
    Pointer(usize),
    Root,
}

impl<'a> Label<'a> {
    fn at(bytes: &'a [u8], position: usize) -> Option<Self> {
        match *bytes.get(position)? {
            0 => Some(Self::Root),
            length @ 1..=63 => {
                let start = position + 1;
                Some(Self::Text(bytes.get(start..start + usize::from(length))?))
            }
            0xc0.. => Some(Self::Pointer(usize::from(u16_at(bytes, position)? & 0x3fff))),
            // Extended label types were given up (RFC 6891, section 5).
            64..0xc0 => None,
        }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes([pair[0], pair[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A question for `labels`.
    fn question(labels: &[&[u8]], query_type: u16) -> Vec<u8> {
        let mut bytes = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in labels {
            bytes.push(label.len() as u8);
            bytes.extend_from_slice(label);
        }
        bytes.push(0);
        bytes.extend(query_type.to_be_bytes());
        bytes.extend([0, 1]);
        bytes
    }

    #[test]
    fn a_question_is_read_in_clean_form() {
        let seen = message(&question(&[b"WWW", b"Example", b"org"], 28)).unwrap();
        assert_eq!((seen.id, seen.query_type, seen.answer), (0x1234, 28, None));
        assert_eq!(seen.name, "www.example.org");
    }

    #[test]
    fn raw_bytes_in_labels_survive_as_escapes() {
        let seen = message(&question(&[b"\xff\x00.a", b"t", b"example"], 16)).unwrap();
        assert_eq!(seen.name, "\\xff\\x00\\x2ea.t.example");
    }

    #[test]
    fn an_answer_gives_addresses_and_the_end_of_its_chain() {
        let mut bytes = question(&[b"www", b"example", b"org"], 1);
        bytes[2] = 0x81;
        bytes[7] = 3;
        // www -> edge.(example.org at offset 16), whose address is given twice.
        bytes.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 7]);
        bytes.extend([4, b'e', b'd', b'g', b'e', 0xc0, 16]);
        for (ttl, last) in [(60, 1), (30, 2)] {
            bytes.extend([0xc0, 45, 0, 1, 0, 1, 0, 0, 0, ttl, 0, 4, 192, 0, 2, last]);
        }
        let answer = message(&bytes).unwrap().answer.unwrap();
        assert_eq!(answer.aliases, ["edge.example.org"]);
        assert_eq!(answer.addresses, [IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2])]);
        assert_eq!((answer.code, answer.ttl_s), (0, 60));
    }

    #[test]
    fn pointer_loops_and_cut_messages_are_no_messages() {
        let mut looping = question(&[], 1);
        looping.splice(12..13, [0xc0, 12]);
        assert_eq!(message(&looping), None);
        let whole = question(&[b"a", b"example"], 1);
        for length in 0..whole.len() - 2 {
            assert_eq!(message(&whole[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn what_was_read_of_a_damaged_answer_is_kept() {
        let mut bytes = question(&[b"a"], 1);
        bytes[2] = 0x81;
        bytes[7] = 2;
        bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
        bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0]);
        let answer = message(&bytes).unwrap().answer.unwrap();
        assert_eq!(answer.addresses, [IpAddr::from([192, 0, 2, 1])]);
    }
}
