//! More traffic than can be captured: what was not seen is known to the packet.

use egret_tests::capability::{Need, have};
use egret_tests::load::{Account, Trial, load};
use egret_tests::say;

const NEEDS: [Need; 3] = [Need::Namespaces, Need::Program("iperf3"), Need::Program("tcpreplay")];

fn tell(name: &str, account: &Account) {
    say(&format!(
        "{name}: {} packets ({} MB) passed, {} received, {} dropped by the kernel, {} events dropped",
        account.sent,
        account.sent_bytes / 1_000_000,
        account.received,
        account.kernel_drops,
        account.events_dropped
    ));
}

#[test]
fn every_packet_is_received_or_known_to_be_dropped() {
    if !have("every_packet_is_received_or_known_to_be_dropped", &NEEDS) {
        return;
    }
    for (buffer, threads) in [("64MiB", 1), ("64MiB", 2)] {
        let account = load(Trial { seconds: 3, buffer, threads });
        tell(&format!("buffer {buffer}, {threads} threads"), &account);
        assert!(account.sent > 10_000, "{account:?}");
        assert_eq!(account.received + account.kernel_drops, account.sent, "{account:?}");
        let lost: u64 = account.lost.iter().map(|(_, count)| count).sum();
        let units = account.received + account.events_dropped;
        assert_eq!(account.passed + lost, units, "{account:?}");
    }
}

#[test]
fn what_the_kernel_dropped_is_told_as_gaps_to_the_packet() {
    if !have("what_the_kernel_dropped_is_told_as_gaps_to_the_packet", &NEEDS) {
        return;
    }
    let account = load(Trial { seconds: 4, buffer: "64KiB", threads: 1 });
    tell("buffer 64KiB", &account);
    assert!(account.kernel_drops > 0, "a buffer this small overflows: {account:?}");
    assert_eq!(account.received + account.kernel_drops, account.sent, "{account:?}");
    assert_eq!(account.gap_packets, account.kernel_drops, "{account:?}");
}
