//! Capture files, written here byte by byte.

use std::io::Write;
use std::path::Path;

use egret_event::{EventBatch, GapReason, Loss};
use tempfile::NamedTempFile;

use super::super::run_file;
use super::*;
use crate::unpack::testing::{gzip, zstd};
use crate::{CollectError, Context, Refused};

/// Magic number of pcap files with times in nanoseconds.
const NANOSECONDS: u32 = 0xa1b2_3c4d;

/// A pcap file that holds `packets`, one nanosecond apart.
fn pcap(link: u32, packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [NANOSECONDS, 0x0004_0002, 0, 0, 65_535, link] {
        file.extend(word.to_le_bytes());
    }
    for (nanos, packet) in (1_u32..).zip(packets) {
        let length = packet.len() as u32;
        for word in [1_767_600_000, nanos, length, length] {
            file.extend(word.to_le_bytes());
        }
        file.extend(packet);
    }
    file
}

/// A pcapng file that holds `packets`, on one interface.
fn pcapng(link: u16, packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut block = |kind: u32, content: &[u8]| {
        let padded = content.len().next_multiple_of(4);
        let length = padded as u32 + 12;
        file.extend(kind.to_le_bytes());
        file.extend(length.to_le_bytes());
        file.extend_from_slice(content);
        file.resize(file.len() + padded - content.len(), 0);
        file.extend(length.to_le_bytes());
    };
    let words = |words: &[u32]| words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<_>>();
    block(0x0a0d_0d0a, &words(&[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]));
    block(1, &words(&[u32::from(link), 65_535]));
    for packet in packets {
        let length = packet.len() as u32;
        let mut content = words(&[0, 0, 1, length, length]);
        content.extend(packet);
        block(6, &content);
    }
    file
}

/// Reads a file with `content`; returns its events and account.
fn read(content: &[u8]) -> Result<(Vec<Event>, LedgerReading), CollectError> {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    read_path(file.path())
}

fn read_path(path: &Path) -> Result<(Vec<Event>, LedgerReading), CollectError> {
    let context = Context::new(Arc::new(AttributionTable::any_initiator()), || Timestamp::MIN);
    let mut events = Vec::new();
    let mut emit = |batch: EventBatch| {
        events.extend(batch.events);
        Ok(())
    };
    run_file(&"file".into(), path, &context, &mut emit)?;
    Ok((events, context.ledger.read()))
}

fn packets() -> Vec<Vec<u8>> {
    (0..3).map(|n| udp((CLIENT, 40_000 + n, SERVER, 9999), b"payload")).collect()
}

#[test]
fn pcap_and_pcapng_of_every_link_type_give_the_same_flows() {
    let ethernet: Vec<_> =
        packets().into_iter().map(|p| [&[2; 12][..], &[8, 0], &p].concat()).collect();
    let files = [
        pcap(101, &packets()),
        pcap(228, &packets()),
        pcapng(101, &packets()),
        pcap(1, &ethernet),
        pcapng(1, &ethernet),
    ];
    for file in files {
        let (events, account) = read(&file).unwrap();
        assert_eq!(events.len(), 3);
        assert!(events.iter().all(|event| event.up.bytes == Some(7)));
        assert_eq!((account.received, account.unaccounted()), (3, 0));
    }
}

#[test]
fn of_interfaces_that_differ_what_cannot_be_decoded_is_told() {
    let mut file = pcapng(101, &packets()[..1]);
    // A second interface, of a link type that is not decoded, and two packets of it.
    let other = pcapng(195, &packets()[..2]);
    let block = |at: usize| u32::from_le_bytes(other[at..at + 4].try_into().unwrap()) as usize;
    let description = block(4);
    let packets_from = description + block(description + 4);
    file.extend(&other[description..packets_from]);
    let mut second = other[packets_from..].to_vec();
    let length = block(packets_from + 4);
    second[8] = 1;
    second[length + 8] = 1;
    file.extend(second);
    for file in [file.clone(), gzip(&file)] {
        let (events, account) = read(&file).unwrap();
        assert_eq!((account.received, account.passed), (3, 1));
        assert_eq!(account.lost.as_slice(), &[(Loss::Malformed, 2)][..]);
        let gaps = events.iter().filter(|event| matches!(event.fact, Fact::Gap(_))).count();
        assert_eq!((events.len(), gaps), (2, 1));
    }
    let wrong = read(&other).unwrap_err();
    assert!(matches!(wrong, CollectError::LinkType { .. }), "{wrong}");
}

#[test]
fn a_compressed_capture_gives_the_same_and_its_damage_is_told() {
    let plain = pcap(101, &packets());
    for pack in [gzip, zstd] {
        let (events, account) = read(&pack(&plain)).unwrap();
        assert_eq!((events.len(), account.received, account.passed), (3, 3, 3));
        let (head, tail) = plain.split_at(plain.len() - 5);
        let joined = [pack(head), pack(tail)].concat();
        assert_eq!(read(&joined).unwrap().0, events, "members and frames are one stream");
        // Cut between two packets, libpcap sees nothing wrong.
        let mut damaged = pack(&plain);
        damaged.extend(&pack(b"more")[..5]);
        let (events, account) = read(&damaged).unwrap();
        assert_eq!((events.len(), account.lost.as_slice()), (4, &[(Loss::Truncated, 1)][..]));
    }
    let none = read(&gzip(b"no capture at all")).unwrap_err();
    assert!(matches!(none, CollectError::NotACapture { .. }), "{none}");
    assert!(!none.to_string().contains("/dev/fd"), "{none}");
}

#[test]
fn nanoseconds_are_kept() {
    let (events, _) = read(&pcap(101, &packets())).unwrap();
    assert_eq!(events[0].at, Timestamp::from_parts(1_767_600_000, 3));
}

#[test]
fn what_comes_before_the_cut_is_used_and_the_cut_is_told() {
    let whole = pcap(101, &packets());
    let (events, account) = read(&whole[..whole.len() - 5]).unwrap();
    assert_eq!((events.len(), account.received, account.passed), (3, 3, 2));
    assert_eq!((account.lost.as_slice(), account.unaccounted()), (&[(Loss::Truncated, 1)][..], 0));
    let Fact::Gap(gap) = events[2].fact else { panic!("{:?}", events[2]) };
    assert_eq!(gap.reason, GapReason::Truncated);
}

#[test]
fn what_cannot_be_read_is_named_with_its_reason() {
    let missing = read_path(Path::new("/nonexistent/file.pcap")).unwrap_err();
    assert!(matches!(missing, CollectError::Read { .. }), "{missing}");
    for content in [&b""[..], b"1767600000.1 5 10.0.0.1 TCP_MISS/200", b"\xd4\xc3\xb2\xa1\x02\x00"]
    {
        let wrong = read(content).unwrap_err();
        assert!(matches!(wrong, CollectError::NotACapture { .. }), "{wrong}");
    }
    let wrong = read(&pcap(195, &packets())).unwrap_err();
    assert!(matches!(wrong, CollectError::LinkType { .. }), "{wrong}");
    assert!(wrong.to_string().contains("IEEE802_15_4"), "{wrong}");
}

#[test]
fn a_closed_listener_ends_the_reading_and_a_full_one_is_told() {
    let many: Vec<_> = (0..3000_u16)
        .map(|n| udp((CLIENT, 40_000, [203, 0, (n >> 8) as u8, n as u8], 9999), b"x"))
        .collect();
    let ledger = Arc::new(Ledger::default());
    let mut taken = Vec::new();
    let mut batches = 0;
    let mut emit = |batch: EventBatch| {
        batches += 1;
        if batches == 2 {
            return Err(Refused::Full(batch));
        }
        taken.extend(batch.events);
        Ok(())
    };
    let mut outlet = super::super::outlet::Outlet::new(&"tap".into(), &ledger, &mut emit);
    let mut tap = Tap::of(Link::Ip, 10);
    for packet in &many {
        tap.see(packet);
    }
    tap.finish();
    let made = tap.events.len() as u64;
    for event in tap.events {
        outlet.push(event);
    }
    outlet.flush();
    outlet.flush();
    let dropped = taken.iter().find_map(|event| match event.fact {
        Fact::Gap(gap) if gap.reason == GapReason::QueueFull => Some(gap.count),
        _ => None,
    });
    assert_eq!(dropped, Some(512));
    assert_eq!(taken.len() as u64, made - 512 + 1);
    assert_eq!(ledger.read().unaccounted(), 0);
}
