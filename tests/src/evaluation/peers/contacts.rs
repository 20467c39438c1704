//! What everybody who watches a network would have of it: contacts, with times and sizes.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use egret_event::{Event, Fact, SmolStr, Timestamp};

use crate::binary::egret;
use crate::evaluation::trial::Story;

/// A connection, a request that a proxy logged, or a DNS question.
#[derive(Debug)]
pub(super) struct Contact {
    /// The executor's id.
    pub(super) executor: SmolStr,
    pub(super) kind: Kind,
    pub(super) began: Timestamp,
    pub(super) ended: Timestamp,
    /// A registrable domain, or an address.
    pub(super) destination: SmolStr,
    /// The full name, or the address.
    pub(super) host: SmolStr,
    /// Bytes sent. Of a question: those of the name.
    pub(super) up_bytes: u64,
    pub(super) down_bytes: u64,
    pub(super) is_blocked: bool,
}

/// What kind of contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Connection,
    Request,
    Question,
}

impl Kind {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Request => "request",
            Self::Question => "question",
        }
    }
}

/// The contacts of a story, in the order in which they were first heard of.
pub(super) fn contacts(story: &Story) -> Result<Vec<Contact>> {
    let mut command = Command::new(egret());
    command.args(["analyze", "--format", "events"]).args(story.options()).args(story.inputs());
    let mut child = command.stdout(Stdio::piped()).spawn().context("egret cannot be started")?;
    let output = child.stdout.take().context("egret's output")?;
    let mut contacts = Contacts::default();
    for line in BufReader::new(output).lines() {
        contacts.add(&serde_json::from_str(&line?)?);
    }
    if !child.wait()?.success() {
        bail!("egret failed");
    }
    Ok(contacts.all)
}

#[derive(Default)]
struct Contacts {
    all: Vec<Contact>,
    /// The place of each flow among them.
    flows: HashMap<u64, usize>,
}

impl Contacts {
    fn add(&mut self, event: &Event) {
        match &event.fact {
            // To a proxy or a resolver: what they log, and the questions, stand for themselves.
            Fact::Flow(_) if event.destination.address.is_some_and(is_private) => {}
            Fact::Flow(interval) => match self.flows.get(&interval.flow) {
                Some(place) => self.all[*place].go_on(event),
                None => {
                    self.flows.insert(interval.flow, self.all.len());
                    self.all.push(Contact::of(event, Kind::Connection, interval.from));
                }
            },
            Fact::Http(request) if request.seen_by.is_logged() => {
                let lasted_ms = i64::try_from(request.duration_ms.unwrap_or(0)).unwrap_or(0);
                let began = Timestamp::from_nanos(event.at.as_nanos() - lasted_ms * 1_000_000);
                self.all.push(Contact::of(event, Kind::Request, began));
            }
            Fact::Dns(question) => {
                let up_bytes = question.name.len() as u64;
                let answer = question.resolution.as_ref();
                let down_bytes = answer.map_or(0, |answer| u64::from(answer.answer_bytes));
                let contact = Contact::of(event, Kind::Question, event.at);
                self.all.push(Contact { up_bytes, down_bytes, ..contact });
            }
            _ => {}
        }
    }
}

impl Contact {
    fn of(event: &Event, kind: Kind, began: Timestamp) -> Self {
        let destination = event.destination.domain.clone();
        Self {
            executor: event.origin.executor.clone(),
            kind,
            began,
            ended: event.at,
            host: event.destination.host.clone().unwrap_or_else(|| destination.clone()),
            destination,
            up_bytes: event.up.bytes.unwrap_or(0),
            down_bytes: event.down.bytes.unwrap_or(0),
            is_blocked: event.verdict.is_blocked(),
        }
    }

    /// A further interval of the same flow.
    fn go_on(&mut self, event: &Event) {
        self.ended = event.at;
        self.up_bytes += event.up.bytes.unwrap_or(0);
        self.down_bytes += event.down.bytes.unwrap_or(0);
        self.is_blocked |= event.verdict.is_blocked();
        if let Some(host) = &event.destination.host {
            self.host = host.clone();
            self.destination = event.destination.domain.clone();
        }
    }
}

/// Where proxies, resolvers and internal services stand.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private(),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}
