//! The evaluation in its quick form: it works, and the figures of the loud attacks are what they were.

use egret_tests::evaluation::{Extent, evaluate, report};

#[test]
fn loud_attacks_are_found_soon_and_ordinary_sessions_are_left_alone() {
    let figures = evaluate(Extent::QUICK).expect("an evaluation");
    for loud in ["blocked-probes", "bulk-upload", "burst"] {
        let found = &figures.attacks[loud];
        assert_eq!(found.recall.count, found.recall.of, "{loud}: {found:?}");
        assert!(found.longest_s < Some(120.0), "{loud}: {found:?}");
    }
    assert!(figures.false_alarms.of >= 60, "{figures:?}");
    assert_eq!(figures.false_alarms.count, 0, "{figures:?}");
    let page = report(&figures);
    assert!(page.contains("| bulk-upload | 2 | 2 | 100.0 % |"), "{page}");
    assert_eq!(evaluate(Extent::QUICK).expect("another one"), figures, "the same again");
}
