//! One stage of the pipeline, alone in a process, so that its CPU time and memory are its own.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use egret_collector::packets::{Decoder, Link};
use egret_collector::{
    AttributionTable, Context, Recognized, Segment, SourceConfig, SourceKind, recognize,
};
use egret_event::{Event, Scope, Timestamp};
use egret_store::{RawStore, Store, WriteUnit};

use crate::engine::{Order, Sources};
use crate::traffic::{DESTINATIONS, Executor, mixed, shared_host};
use crate::{START, engine};

/// Events of one transaction.
const EVENTS_PER_COMMIT: usize = 5_000;

/// Live sessions for the store: what one machine watches.
const STORE_SESSIONS: u64 = 200;

/// Runs the stage `name` with its arguments.
pub(crate) fn run(name: &str, args: &[&str]) -> Result<()> {
    match (name, args) {
        ("floor", [path]) => floor(Path::new(path)),
        ("capture" | "log", [path]) => collect(Path::new(path)),
        ("engine", [events, sources, order]) => {
            engine::speed(events.parse()?, sources_of(sources)?, order_of(order)?)
        }
        ("sessions", [live, each, sources]) => {
            engine::room(live.parse()?, each.parse()?, 0, sources_of(sources)?)
        }
        ("destinations", [live, each, known]) => {
            engine::room(live.parse()?, each.parse()?, known.parse()?, Sources::Several)
        }
        ("store", [events]) => store(events.parse()?),
        ("flows", [packets, live]) => flows(packets.parse()?, live.parse()?),
        _ => bail!("no stage {name} with {} arguments", args.len()),
    }
}

fn sources_of(name: &str) -> Result<Sources> {
    Ok(match name {
        "one" => Sources::One,
        "several" => Sources::Several,
        _ => bail!("one source or several, not {name}"),
    })
}

fn order_of(name: &str) -> Result<Order> {
    Ok(match name {
        "capture" => Order::Capture,
        "apart" => Order::Apart,
        _ => bail!("in the order of a capture or apart, not {name}"),
    })
}

/// libpcap's own loop with nothing in it: no reader of captures through libpcap is faster.
fn floor(path: &Path) -> Result<()> {
    let packets = egret_collector::packets::count_packets(path)?;
    println!("{packets} packets");
    Ok(())
}

/// A file through its source, up to batches of events.
fn collect(path: &Path) -> Result<()> {
    let path = path.to_owned();
    let kind = match recognize(&path)? {
        Recognized::Capture => SourceKind::Capture { path },
        Recognized::Netflow => SourceKind::Netflow(egret_collector::Input::File(path)),
        Recognized::Log(dialect) => SourceKind::Log { path, dialect: Some(dialect), follow: false },
    };
    let context = Context::new(Arc::new(segment()?), egret::clock::now);
    let source = SourceConfig { name: "bench".into(), kind };
    let mut events = 0;
    egret_collector::run(&source, &[], &context, &mut |batch| {
        events += black_box(&batch).events.len();
        Ok(())
    })?;
    println!("{events} events, {:?}", context.ledger.read());
    Ok(())
}

fn segment() -> Result<AttributionTable> {
    let ranges = vec!["10.0.0.0/8".parse().context("a range")?];
    Ok(AttributionTable::new(vec![Segment { name: "bench".into(), ranges }], Vec::new()))
}

/// The flows of many sessions, each of which goes to a few places again and again, mixed.
fn events(sessions: u64) -> Vec<Event> {
    let flows = (0..sessions).flat_map(|session| {
        let mut executor = Executor::new(session);
        (0..DESTINATIONS).map(move |n| {
            let [.., flow] = executor.contact(&shared_host(session, n));
            flow
        })
    });
    mixed(&flows.collect::<Vec<_>>())
}

fn store(count: u64) -> Result<()> {
    let folder = tempfile::tempdir_in("target").context("a folder for the store")?;
    let path: PathBuf = folder.path().join("bench.db");
    let store = Store::open(&RawStore { path: Some(path), ..RawStore::default() }.check())?;
    let events = events(STORE_SESSIONS);
    let mut batch = Vec::with_capacity(EVENTS_PER_COMMIT);
    for number in 0..count {
        let (round, index) = (number / events.len() as u64, number as usize % events.len());
        let mut event = events[index].clone();
        // Each session comes again every 20 s to each of its places.
        event.at = START + Duration::from_secs(20) * u32::try_from(round)?;
        event.id = Scope::of(&[&index.to_le_bytes()]).id(round);
        batch.push(event);
        if batch.len() == EVENTS_PER_COMMIT || number + 1 == count {
            store.commit(&WriteUnit { events: &batch, now: START, ..WriteUnit::default() })?;
            batch.clear();
        }
    }
    Ok(())
}

/// Packets of many live flows, made in memory: no disk holds a capture of this size.
fn flows(packets: u64, flows: u64) -> Result<()> {
    let mut frame = tcp_frame();
    let mut decoder = Decoder::new("bench".into(), Link::Ethernet, Arc::new(segment()?));
    let mut events = 0_u64;
    let mut out = |event: Event| {
        black_box(&event);
        events += 1;
    };
    for number in 0..packets {
        let flow = u32::try_from(number % flows)?;
        // Source 10.x.y.z and a port of its own for each flow.
        frame[26..30].copy_from_slice(&(0x0A00_0000 + flow / 16).to_be_bytes());
        frame[34..36].copy_from_slice(&(20_000 + (flow % 16) as u16).to_be_bytes());
        let at = Timestamp::from_nanos(START.as_nanos() + number.cast_signed() * 1_000);
        decoder.packet(at, 566, &frame, &mut out);
    }
    let live = decoder.flows();
    decoder.finish(&mut out);
    println!("{packets} packets, {live} live flows, {events} events");
    Ok(())
}

/// An Ethernet frame with 500 bytes of TCP payload to 203.0.113.9:443.
fn tcp_frame() -> Vec<u8> {
    let mut frame = vec![0; 566];
    frame[12..14].copy_from_slice(&[0x08, 0x00]);
    frame[14] = 0x45;
    frame[16..18].copy_from_slice(&552_u16.to_be_bytes());
    frame[22] = 64;
    frame[23] = 6;
    frame[30..34].copy_from_slice(&[203, 0, 113, 9]);
    frame[36..38].copy_from_slice(&443_u16.to_be_bytes());
    frame[46] = 0x50;
    frame[47] = 0x18;
    frame
}
