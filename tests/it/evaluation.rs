//! The evaluation in its quick form: it works, and the figures of the loud attacks are what they were.

use egret::simulate::Manner;
use egret_tests::evaluation::{Extent, evaluate, report};

#[test]
fn loud_attacks_are_found_soon_and_ordinary_sessions_are_left_alone() {
    let figures = evaluate(Extent::QUICK).expect("an evaluation");
    for loud in ["blocked-probes", "bulk-upload", "burst"] {
        let found = &figures.cold.row(loud, Manner::Plain).expect("it was tried").found;
        assert_eq!(found.recall.count, found.recall.of, "{loud}: {found:?}");
        assert!(found.longest_s < Some(120.0), "{loud}: {found:?}");
    }
    let bulk = &figures.cold.row("bulk-upload", Manner::Plain).expect("it was tried").found;
    assert!(bulk.median_contacts == Some(1.0), "{bulk:?}");
    assert!(bulk.median_bytes > Some(100_000.0) && bulk.median_bytes < Some(8e6), "{bulk:?}");
    assert!(figures.cold.false_alarms.of >= 60, "{figures:?}");
    assert_eq!(figures.cold.false_alarms.count, 0, "{figures:?}");
    let learned = &figures.learned;
    let bulk = &learned.row("bulk-upload", Manner::Plain).expect("it was tried").found;
    assert_eq!((bulk.recall.count, learned.false_alarms.count), (bulk.recall.of, 0), "{learned:?}");
    let page = report(&figures);
    assert!(page.contains("| bulk-upload | T1048 | https | 100.0 % (3/3) | "), "{page}");
    assert_eq!(evaluate(Extent::QUICK).expect("another one"), figures, "the same again");
}
