//! More traffic than can be captured: what was not seen is known to the packet.

use egret_tests::capability::{Need, have};
use egret_tests::load::{Trial, load, seconds};

const NEEDS: [Need; 3] = [Need::Namespaces, Need::Program("iperf3"), Need::Program("tcpreplay")];

#[test]
fn every_packet_is_received_or_known_to_be_dropped() {
    if !have("every_packet_is_received_or_known_to_be_dropped", &NEEDS) {
        return;
    }
    for (buffer, threads) in [("64MiB", 1), ("64MiB", 2)] {
        let trial = Trial { seconds: seconds(3), buffer, threads };
        let account = load(trial);
        account.tell(trial);
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
    let trial = Trial { seconds: seconds(4), buffer: "64KiB", threads: 1 };
    let account = load(trial);
    account.tell(trial);
    assert!(account.kernel_drops > 0, "a buffer this small overflows: {account:?}");
    assert_eq!(account.received + account.kernel_drops, account.sent, "{account:?}");
    assert_eq!(account.gap_packets, account.kernel_drops, "{account:?}");
    // The upload's incident is older than most of what was lost.
    let in_its_time = account.kernel_drops - account.early_drops;
    assert_eq!(account.incident_packets, in_its_time, "{account:?}");
    assert!(account.incident_steps.iter().any(|step| step == "obscured"), "{account:?}");
}
