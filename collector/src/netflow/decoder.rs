//! Datagrams in, flow records out.
//!
//! Owns what must be remembered of each exporter: its templates (their ids collide between
//! exporters and between the observation domains of one), its sampling, its numbers. Pure: it
//! knows neither sockets nor who is watched.

use std::collections::VecDeque;
use std::net::SocketAddr;

use egret_event::Timestamp;
use foldhash::quality::FixedState;
use hashbrown::HashMap;

use super::record::{self, Record};
use super::sequence::{Sequence, Told};
use super::template::{self, Template};
use super::wire::{self, Body, Header, Malformed, Set, Sets, V5_RECORD, Version};

/// Most exporters (with their observation domains) that are remembered. Datagrams can be sent
/// under any address, so there must be an end; the one that was silent longest goes.
const MAX_EXPORTERS: usize = 1_024;

/// Most memory of all templates together, in fields of 8 bytes: 16 MiB.
const MAX_TEMPLATE_FIELDS: usize = 2 << 20;

/// Most samplers of an exporter.
const MAX_SAMPLERS: usize = 1_024;

/// Most bytes of sets that wait for their template, of all exporters together.
const MAX_WAITING_BYTES: usize = 4 << 20;

/// Decodes the datagrams that one source receives.
pub struct Decoder {
    exporters: HashMap<ExporterKey, Exporter, FixedState>,
    template_fields: usize,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    heard: u64,
}

type ExporterKey = (Option<SocketAddr>, Version, u32);

#[derive(Default)]
struct Exporter {
    templates: HashMap<u16, Template, FixedState>,
    /// By sampler; 0 is for all that is exported.
    samplers: HashMap<u64, u32, FixedState>,
    boot_ms: Option<u64>,
    sequence: Sequence,
    /// By [`Decoder::heard`].
    heard: u64,
}

/// A set whose template is not known yet.
struct Waiting {
    key: ExporterKey,
    header: Header,
    id: u16,
    offset: usize,
    content: Vec<u8>,
}

/// What a datagram told. Made to be used again.
#[derive(Debug, Default)]
pub struct Decoded {
    /// When it was exported, by the exporter's clock.
    pub exported: Option<Timestamp>,
    /// Flows, with the export they came in where that was an earlier one.
    pub flows: Vec<(Record, Export)>,
    /// Data records that are about no flow: options, and events of firewalls without volume.
    pub others: u64,
    /// What could not be understood: the datagram, or a part of it.
    pub malformed: u64,
    /// The last reason for that.
    pub problem: Option<&'static str>,
    /// Sets that were given up because their template never came.
    pub without_template: u64,
    /// What never came before this one: records, for NetFlow v9 datagrams.
    pub missing: u64,
    /// What was missing before, and came late.
    pub overtaken: u64,
}

/// Which datagram a record came in: it makes ids of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Export {
    /// The exporter's number for the datagram.
    pub sequence: u32,
    /// The observation domain.
    pub domain: u32,
    /// When it was exported.
    pub at: Timestamp,
    /// How long the exporter had been up, in milliseconds, where it says.
    pub uptime_ms: u32,
}

impl Export {
    fn of(header: &Header) -> Self {
        Self {
            sequence: header.sequence,
            domain: header.domain,
            at: header.exported,
            uptime_ms: header.uptime_ms.unwrap_or(0),
        }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder that knows no exporter yet.
    pub fn new() -> Self {
        Self {
            exporters: HashMap::default(),
            template_fields: 0,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            heard: 0,
        }
    }

    /// Takes a datagram that `from` sent; `told` is emptied first.
    pub fn datagram(&mut self, from: Option<SocketAddr>, datagram: &[u8], told: &mut Decoded) {
        told.clear();
        match wire::open(datagram) {
            Ok((header, body)) => {
                told.exported = Some(header.exported);
                self.opened((from, header.version, header.domain), &header, &body, told);
            }
            Err(problem) => told.wrong(problem),
        }
    }

    /// Gives up what still waits for its template. Returns the number of sets.
    pub fn finish(&mut self) -> u64 {
        self.waiting_bytes = 0;
        std::mem::take(&mut self.waiting).len() as u64
    }

    fn opened(&mut self, key: ExporterKey, header: &Header, body: &Body<'_>, told: &mut Decoded) {
        self.make_room_for(&key);
        self.heard += 1;
        let heard = self.heard;
        self.exporters.entry(key).or_default().heard = heard;
        let records = match body {
            Body::Fixed(records) => Some(fixed(records, header, told)),
            Body::Sets(sets) => self.sets(key, header, sets, told),
        };
        let Some(exporter) = self.exporters.get_mut(&key) else { return };
        match exporter.sequence.take(header.version, header.sequence, records) {
            Told::Next => {}
            Told::Missing(count) => told.missing += u64::from(count),
            Told::Overtaken(count) => told.overtaken += u64::from(count),
        }
    }

    /// Takes the sets of a datagram. Returns the number of data records, if all could be counted.
    fn sets(
        &mut self,
        key: ExporterKey,
        header: &Header,
        sets: &[u8],
        told: &mut Decoded,
    ) -> Option<u32> {
        let mut records = Some(0);
        for set in Sets::of(sets) {
            let found = set.and_then(|set| match (header.version, set.id) {
                (Version::V9, 0) | (Version::Ipfix, 2) => self.templates(key, set, false, told),
                (Version::V9, 1) | (Version::Ipfix, 3) => self.templates(key, set, true, told),
                (_, 256..) => Ok(self.data_or_wait(key, header, set, told)),
                _ => Err(Malformed("set of a kind that is not known")),
            });
            match found {
                Ok(found) => records = records.zip(found).map(|(sum, more)| sum + more),
                Err(problem) => {
                    told.wrong(problem);
                    records = None;
                }
            }
        }
        records
    }

    /// Learns templates; what waited for them is decoded.
    fn templates(
        &mut self,
        key: ExporterKey,
        set: Set<'_>,
        is_options: bool,
        told: &mut Decoded,
    ) -> Result<Option<u32>, Malformed> {
        let Some(exporter) = self.exporters.get_mut(&key) else { return Ok(Some(0)) };
        let mut learned = Vec::new();
        let fields = &mut self.template_fields;
        let outcome = template::read_set(key.1, is_options, set.content, |(id, template)| {
            let before = match template {
                Some(template) if *fields + template.cost() <= MAX_TEMPLATE_FIELDS => {
                    *fields += template.cost();
                    learned.push(id);
                    exporter.templates.insert(id, template)
                }
                Some(_) => None,
                None => exporter.templates.remove(&id),
            };
            *fields -= before.map_or(0, |template| template.cost());
        });
        if !self.waiting.is_empty() {
            self.decode_waiting(key, &learned, told);
        }
        outcome.map(|()| Some(0))
    }

    /// Decodes what waited for these templates.
    fn decode_waiting(&mut self, key: ExporterKey, learned: &[u16], told: &mut Decoded) {
        let Some(exporter) = self.exporters.get_mut(&key) else { return };
        let bytes = &mut self.waiting_bytes;
        self.waiting.retain(|waiting| {
            let is_due = waiting.key == key && learned.contains(&waiting.id);
            if is_due {
                let Waiting { id, offset, ref content, .. } = *waiting;
                let set = Set { id, offset, content };
                *bytes -= content.len();
                exporter.data(&waiting.header, set, told);
            }
            !is_due
        });
    }

    fn data_or_wait(
        &mut self,
        key: ExporterKey,
        header: &Header,
        set: Set<'_>,
        told: &mut Decoded,
    ) -> Option<u32> {
        let exporter = self.exporters.get_mut(&key)?;
        let records = exporter.data(header, set, told);
        if records.is_some() {
            return records;
        }
        self.waiting_bytes += set.content.len();
        let Set { id, offset, content } = set;
        self.waiting.push_back(Waiting {
            key,
            header: *header,
            id,
            offset,
            content: content.into(),
        });
        while self.waiting_bytes > MAX_WAITING_BYTES {
            let Some(given_up) = self.waiting.pop_front() else { break };
            self.waiting_bytes -= given_up.content.len();
            told.without_template += 1;
        }
        None
    }

    /// Forgets the exporter that was silent longest, if a new one would be too many.
    fn make_room_for(&mut self, key: &ExporterKey) {
        if self.exporters.len() < MAX_EXPORTERS || self.exporters.contains_key(key) {
            return;
        }
        let oldest = self.exporters.iter().min_by_key(|(_, exporter)| exporter.heard);
        let Some(key) = oldest.map(|(key, _)| *key) else { return };
        if let Some(forgotten) = self.exporters.remove(&key) {
            self.template_fields -= forgotten.templates.values().map(Template::cost).sum::<usize>();
        }
    }
}

impl Exporter {
    /// Reads the records of a set. `None`: its template is not known. The number otherwise.
    fn data(&mut self, header: &Header, set: Set<'_>, told: &mut Decoded) -> Option<u32> {
        let template = self.templates.get(&set.id)?;
        let mut rest = set.content;
        let mut records = 0;
        while let Some((gathered, length)) = record::gather(template, rest) {
            // The least length is above zero, so this comes to an end.
            let offset = (set.offset + set.content.len() - rest.len()) as u32;
            rest = rest.get(length..).unwrap_or_default();
            records += 1;
            if template.is_options {
                told.others += 1;
                self.boot_ms = gathered.boot_ms().or(self.boot_ms);
                if let Some(sampling) = gathered.sampling()
                    && (self.samplers.len() < MAX_SAMPLERS
                        || self.samplers.contains_key(&sampling.sampler))
                {
                    self.samplers.insert(sampling.sampler, sampling.one_in);
                }
                continue;
            }
            let samplers = &self.samplers;
            let rate = |sampler: Option<u64>| {
                let own = sampler.and_then(|sampler| samplers.get(&sampler));
                own.or_else(|| samplers.get(&0)).copied().unwrap_or(1)
            };
            match gathered.into_record(header, self.boot_ms, offset, rate) {
                Some(record) => told.flows.push((record, Export::of(header))),
                None => told.others += 1,
            }
        }
        Some(records)
    }
}

impl Decoded {
    fn clear(&mut self) {
        let mut flows = std::mem::take(&mut self.flows);
        flows.clear();
        *self = Self { flows, ..Self::default() };
    }

    fn wrong(&mut self, problem: Malformed) {
        self.malformed += 1;
        self.problem = Some(problem.0);
    }

    /// What was received, in the units of the account: data records, and what could not be cut
    /// into those.
    pub fn units(&self) -> u64 {
        self.flows.len() as u64 + self.others + self.malformed + self.without_template
    }
}

/// Reads the records of v5. Returns their number.
fn fixed(records: &[u8], header: &Header, told: &mut Decoded) -> u32 {
    let (records, _) = records.as_chunks::<V5_RECORD>();
    for (n, bytes) in records.iter().enumerate() {
        match record::fixed(bytes, header, (n * V5_RECORD) as u32) {
            Some(record) => told.flows.push((record, Export::of(header))),
            None => told.others += 1,
        }
    }
    records.len() as u32
}
