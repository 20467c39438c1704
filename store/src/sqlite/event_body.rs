//! The part of an event that no query filters by, packed: postcard after a version byte.
//!
//! Postcard does not describe itself. When a type in here changes its shape, old rows can only
//! be read by the old types: the golden tests fail, and a new version is to be added. The types of
//! older versions are kept in a module of their own each.

mod v1;

use std::net::IpAddr;
use std::sync::Arc;

use egret_event::{
    Attribution, Destination, Event, EventId, Fact, NameSource, SmolStr, Timestamp, Verdict, Volume,
};
use serde::{Deserialize, Serialize};
use smol_str::format_smolstr;

use crate::StoreError;

const VERSION: u8 = 3;

/// What version 2 lacks at its end: the list of secrets, which is the last of a request and of a
/// question, and empty. Other facts end before it.
const BEHIND_VERSION_2: u8 = 0;

/// Fields in the order of [`Body`], borrowed.
#[derive(Serialize)]
struct BodyRef<'a> {
    client: &'a (IpAddr, u16),
    host: Host<&'a str>,
    named_by: Option<NameSource>,
    address: Option<IpAddr>,
    port: u16,
    verdict: Verdict,
    up: Volume,
    down: Volume,
    also_seen_by: &'a Option<SmolStr>,
    fact: &'a Fact,
}

#[derive(Deserialize)]
struct Body {
    client: (IpAddr, u16),
    host: Host<SmolStr>,
    named_by: Option<NameSource>,
    address: Option<IpAddr>,
    port: u16,
    verdict: Verdict,
    up: Volume,
    down: Volume,
    also_seen_by: Option<SmolStr>,
    fact: Fact,
}

/// A host name, without what the destination's domain says already.
#[derive(Serialize, Deserialize)]
enum Host<T> {
    Unknown,
    /// To be followed by the domain: `"api."`, or nothing.
    Before(T),
    Whole(T),
}

/// The columns of an event that are not in its body.
pub(super) struct Columns {
    pub(super) at: Timestamp,
    pub(super) id: EventId,
    pub(super) source: SmolStr,
    pub(super) origin: Arc<Attribution>,
    pub(super) domain: SmolStr,
}

/// Packs the rest of an event into `out`, which is emptied first.
pub(super) fn pack(event: &Event, mut out: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    let to = &event.destination;
    let host = match &to.host {
        None => Host::Unknown,
        Some(host) => match host.strip_suffix(to.domain.as_str()) {
            Some(before) => Host::Before(before),
            None => Host::Whole(host.as_str()),
        },
    };
    let body = BodyRef {
        client: &event.client,
        host,
        named_by: to.named_by,
        address: to.address,
        port: to.port,
        verdict: event.verdict,
        up: event.up,
        down: event.down,
        also_seen_by: &event.also_seen_by,
        fact: &event.fact,
    };
    out.clear();
    out.push(VERSION);
    postcard::to_extend(&body, out).map_err(|error| damaged(&error.to_string()))
}

/// The event that was packed.
pub(super) fn unpack(columns: Columns, body: &[u8]) -> Result<Event, StoreError> {
    let body = match body.split_first() {
        Some((&VERSION, packed)) => postcard::from_bytes(packed),
        Some((2, packed)) => postcard::from_bytes(&[packed, &[BEHIND_VERSION_2]].concat()),
        Some((1, packed)) => postcard::from_bytes::<v1::BodyV1>(packed).map(Into::into),
        _ => return Err(damaged("its version is unknown: a newer egret wrote it")),
    };
    let body: Body = body.map_err(|error| damaged(&error.to_string()))?;
    let host = match body.host {
        Host::Unknown => None,
        Host::Before(before) => Some(format_smolstr!("{before}{}", columns.domain)),
        Host::Whole(host) => Some(host),
    };
    let destination = Destination {
        domain: columns.domain,
        host,
        named_by: body.named_by,
        address: body.address,
        port: body.port,
    };
    Ok(Event {
        id: columns.id,
        at: columns.at,
        source: columns.source,
        also_seen_by: body.also_seen_by,
        origin: columns.origin,
        client: body.client,
        destination,
        verdict: body.verdict,
        up: body.up,
        down: body.down,
        fact: body.fact,
    })
}

fn damaged(reason: &str) -> StoreError {
    StoreError::Damaged { what: "event", reason: reason.to_owned() }
}
