//! `dns.log`: questions with their answers.
//!
//! The line's time is that of the question; the exchange is over when the answer came (`rtt`).
//! Answers are in text without their types: addresses are told by their form, and where an address
//! was asked for, what is no address is a name of the CNAME chain. The size of the answer is not
//! logged and given as 0.

use egret_event::{Resolution, clean_name_bytes};

use super::field::Field;
use super::row::Row;
use crate::logs::entry::{DnsRecord, Entry};
use crate::logs::record::LineProblem;
use crate::logs::text::address;

/// Addresses and names kept of an answer, as for those seen on the wire.
const MAX_ADDRESSES: usize = 16;
const MAX_ALIASES: usize = 8;

/// A, CNAME, AAAA, SVCB, HTTPS: questions whose answers begin with a CNAME chain, if with names.
const CHAINED: [u16; 5] = [1, 5, 28, 64, 65];

pub(super) fn entry<'a>(row: &Row<'a>) -> Result<Entry<'a>, LineProblem> {
    let mut ends = row.ends()?;
    ends.at = ends.at + row.span(Field::Rtt).unwrap_or_default();
    let name = row.text(Field::Query).ok_or(LineProblem::NoDestination)?;
    let query_type = row.count(Field::Qtype).and_then(|number| u16::try_from(number).ok());
    let query_type = query_type.unwrap_or(0);
    Ok(Entry::Dns(DnsRecord {
        ends,
        name,
        query_type,
        over_tcp: row.text(Field::Proto).as_deref() == Some(b"tcp"),
        resolution: resolution(row, query_type),
    }))
}

/// The answer. `None`: none was seen.
fn resolution(row: &Row<'_>, query_type: u16) -> Option<Resolution> {
    let code = row.count(Field::Rcode).and_then(|code| u8::try_from(code).ok());
    let answers = row.list(Field::Answers);
    if code.is_none() && answers.is_empty() {
        return None;
    }
    let mut resolution = Resolution {
        code: code.unwrap_or(0),
        addresses: Vec::new(),
        aliases: Vec::new(),
        services: Vec::new(),
        answer_bytes: 0,
    };
    for answer in &answers {
        take(answer, CHAINED.contains(&query_type), &mut resolution);
    }
    Some(resolution)
}

fn take(answer: &[u8], is_chained: bool, resolution: &mut Resolution) {
    if let Some(address) = address(answer) {
        if resolution.addresses.len() < MAX_ADDRESSES {
            resolution.addresses.push(address);
        }
    } else if is_chained && !answer.contains(&b' ') && resolution.aliases.len() < MAX_ALIASES {
        resolution.aliases.push(clean_name_bytes(answer));
    }
}
