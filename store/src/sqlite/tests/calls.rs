//! Targets that are people: when they are called, what they need not hear, and what is told as one.

use egret_analyzer::{ChangeKind, Incident, IncidentChange, Severity};

use super::made::{Made, alert, at, change, incident, store};
use crate::{Action, Addressee, Committed, DeliveryState, Gathered, OutboxEntry, WriteUnit};

const PAGER: &str = "pager";

/// Called about what nobody took on for 600 s, from a second on.
fn second_line(second: u64) -> Addressee {
    let if_untaken_at = Some(at(second + 600));
    Addressee { if_untaken_at, is_selective: true, ..Addressee::of_all(PAGER) }
}

/// Left alone until second 1000.
fn asleep() -> Addressee {
    Addressee { not_before: Some(at(1000)), is_selective: true, ..Addressee::of_all(PAGER) }
}

fn awake() -> Addressee {
    Addressee { is_selective: true, ..Addressee::of_all(PAGER) }
}

fn entry(change: &IncidentChange, to: Addressee) -> OutboxEntry {
    OutboxEntry { to, ..alert(change, "") }
}

impl Made {
    /// Writes a change at its own time, and tells one target of it.
    fn tell(&self, change: &IncidentChange, to: Addressee) -> Committed {
        let unit = WriteUnit {
            changes: std::slice::from_ref(change),
            alerts: &[entry(change, to)],
            now: change.at,
            ..WriteUnit::default()
        };
        self.commit(&unit).unwrap()
    }

    fn acts(&self, n: u128, kind: ChangeKind, second: u64, to: Addressee) {
        let action = Action { by: "jo".into(), kind, comment: None, verdict: None };
        self.act(incident(n, "evil.example").id, &action, at(second), &[to]).unwrap();
    }

    /// (incident, kind) of what is due for the pager.
    fn calls(&self, second: u64) -> Vec<(u128, ChangeKind)> {
        let due = self.outbox_due(PAGER, at(second), 100).unwrap();
        due.iter().map(|one| (one.change.incident.id.bits(), one.change.kind)).collect()
    }

    /// Everything that is due is taken.
    fn take_all(&self, second: u64) -> Vec<(u128, ChangeKind)> {
        let mut taken = Vec::new();
        loop {
            let due = self.outbox_due(PAGER, at(second), 100).unwrap();
            if due.is_empty() {
                return taken;
            }
            for one in due {
                taken.push((one.change.incident.id.bits(), one.change.kind));
                let state = DeliveryState::Delivered { at: at(second) };
                self.outbox_record(one.alert, PAGER, &state).unwrap();
            }
        }
    }
}

/// A change of an incident of this severity, at a second.
fn step(
    n: u128,
    kind: ChangeKind,
    (number, second): (u32, u64),
    severity: Severity,
) -> IncidentChange {
    let incident = Incident { severity, ..incident(n, &format!("{}.example", n % 3)) };
    IncidentChange { at: at(second), ..change(kind, number, &incident) }
}

fn opens(n: u128, second: u64) -> IncidentChange {
    step(n, ChangeKind::Opened, (0, second), Severity::High)
}

fn grows(n: u128, number: u32, second: u64) -> IncidentChange {
    step(n, ChangeKind::Grew, (number, second), Severity::Critical)
}

#[test]
fn what_nobody_takes_on_is_escalated_once_as_it_is_by_then() {
    let made = store();
    made.tell(&opens(1, 0), second_line(0));
    assert_eq!(made.outbox_next(PAGER).unwrap(), Some(at(600)));
    made.tell(&grows(1, 1, 500), second_line(500));
    assert_eq!(made.calls(599), []);
    assert_eq!(
        made.take_all(600),
        [(1, ChangeKind::Grew)],
        "the time of the first, the last state"
    );
    // Who was called hears at once what happens to it then.
    made.tell(&grows(1, 2, 700), second_line(700));
    made.acts(1, ChangeKind::Acknowledged, 800, second_line(800));
    assert_eq!(made.take_all(800), [(1, ChangeKind::Grew), (1, ChangeKind::Acknowledged)]);
    made.acts(1, ChangeKind::Closed, 900, second_line(900));
    assert_eq!(made.take_all(900), [(1, ChangeKind::Closed)]);
}

#[test]
fn what_is_taken_on_in_time_is_not_escalated_and_its_end_is_not_told() {
    let made = store();
    for (n, kind) in [(1, ChangeKind::Acknowledged), (2, ChangeKind::Closed)] {
        made.tell(&opens(n, 0), second_line(0));
        made.acts(n, kind, 300, second_line(300));
    }
    assert_eq!(made.tell(&grows(1, 1, 400), second_line(400)).unneeded, 1, "somebody has it");
    assert_eq!(made.calls(5000), []);
    // It is nobody's again: the time counts from now.
    made.acts(1, ChangeKind::Reopened, 1000, second_line(1000));
    made.tell(&grows(2, 1, 1100), second_line(1100));
    assert_eq!(made.calls(1599), []);
    assert_eq!(made.take_all(1600), [(1, ChangeKind::Reopened)]);
    assert_eq!(made.take_all(1700), [(2, ChangeKind::Grew)], "it grew after it was closed");
}

#[test]
fn the_engine_ends_an_escalation_too() {
    let made = store();
    made.tell(&opens(1, 0), second_line(0));
    made.tell(&step(1, ChangeKind::Closed, (1, 300), Severity::High), second_line(300));
    assert_eq!(made.calls(5000), []);
    assert_eq!(made.outbox_waiting(PAGER).unwrap(), 0);
}

#[test]
fn what_comes_at_night_waits_and_what_is_graver_takes_its_place() {
    let made = store();
    made.tell(&opens(1, 0), asleep());
    made.tell(&opens(2, 1), asleep());
    made.tell(&opens(3, 2), asleep());
    assert_eq!(made.calls(999), []);
    // A critical growth is for quiet hours too; a closed one needs nobody.
    made.tell(&grows(1, 1, 50), awake());
    assert_eq!(made.take_all(50), [(1, ChangeKind::Grew)]);
    made.acts(2, ChangeKind::Closed, 60, asleep());
    assert_eq!(made.take_all(1000), [(3, ChangeKind::Opened)]);
}

#[test]
fn what_a_suppression_or_a_verdict_hides_meanwhile_is_let_go() {
    let made = store();
    made.tell(&step(3, ChangeKind::Opened, (0, 0), Severity::High), asleep());
    made.tell(&step(4, ChangeKind::Opened, (0, 0), Severity::High), asleep());
    made.add_suppression(&super::made::suppression(9, "0.example")).unwrap();
    assert_eq!(made.calls(1000), [(4, ChangeKind::Opened)]);
}

#[test]
fn what_is_due_but_not_delivered_yet_is_no_longer_let_go() {
    let made = store();
    made.tell(&opens(1, 0), second_line(0));
    // It may be on its way when somebody takes the incident on: both are told, in their order.
    made.acts(1, ChangeKind::Acknowledged, 601, second_line(601));
    assert_eq!(made.take_all(602), [(1, ChangeKind::Opened), (1, ChangeKind::Acknowledged)]);
}

#[test]
fn a_target_that_is_told_of_everything_is_told_of_every_end() {
    let made = store();
    made.write_change(&opens(1, 0), &[]);
    made.acts(1, ChangeKind::Acknowledged, 5, Addressee::of_all(PAGER));
    made.acts(1, ChangeKind::Closed, 6, awake());
    assert_eq!(made.take_all(10), [(1, ChangeKind::Acknowledged)]);
}

#[test]
fn more_than_there_is_room_for_is_told_as_one_of_the_gravest() {
    let made = store();
    for n in 1..=100 {
        made.tell(&opens(n, n as u64), awake());
    }
    made.tell(&grows(41, 1, 101), awake());
    made.acts(50, ChangeKind::Closed, 102, awake());
    assert_eq!(made.outbox_gather(PAGER, at(200), 101).unwrap(), 0, "there is room");
    // 100 openings and a growth wait; 99 openings and the growth's own opening end with the growth, and so does
    // the end of what was not told.
    assert_eq!(made.outbox_gather(PAGER, at(200), 5).unwrap(), 101);
    let due = made.outbox_due(PAGER, at(200), 100).unwrap();
    let [one] = &due[..] else { panic!("{due:?}") };
    assert_eq!((one.change.incident.id.bits(), one.change.kind), (41, ChangeKind::Grew));
    let expected = Gathered {
        incidents: 100,
        severities: vec![(Severity::Critical, 1), (Severity::High, 99)],
        destinations: vec![
            ("1.example".into(), 34),
            ("0.example".into(), 33),
            ("2.example".into(), 33),
        ],
        since: at(1),
    };
    assert_eq!(one.gathered.as_ref(), Some(&expected));
    made.acts(41, ChangeKind::Acknowledged, 203, awake());
    assert_eq!(made.outbox_waiting(PAGER).unwrap(), 2, "its own incident goes on");
    // A crash before it was sent changes nothing of what it says, and what comes is not added to it.
    for n in 200..=210 {
        made.tell(&opens(n, 300), awake());
    }
    let again = made.again().outbox_due(PAGER, at(300), 1).unwrap();
    assert_eq!((again[0].alert, again[0].gathered.as_ref()), (one.alert, Some(&expected)));
    assert_eq!(
        made.outbox_gather(PAGER, at(300), 1).unwrap(),
        0,
        "the one that leads has the room"
    );
    assert_eq!(made.outbox_gather(PAGER, at(300), 2).unwrap(), 10);
    assert_eq!(
        made.take_all(301),
        [(41, ChangeKind::Grew), (200, ChangeKind::Opened), (41, ChangeKind::Acknowledged)]
    );
    // The end of what was told among others is not told; that of the one that led is.
    made.acts(7, ChangeKind::Closed, 400, awake());
    made.acts(41, ChangeKind::Closed, 401, awake());
    assert_eq!(made.take_all(402), [(41, ChangeKind::Closed)]);
    let told = |since, now| made.outbox_told(PAGER, (at(since), at(now)), 9).unwrap();
    assert_eq!(told(0, 500), [at(301), at(301)]);
    assert_eq!([told(301, 500), told(0, 300)], [[]; 2], "a clock that was set back");
}

#[test]
fn what_waits_for_its_next_attempt_keeps_its_incidents_later_alerts_behind_it() {
    let made = store();
    let first = opens(1, 0);
    made.tell(&first, awake());
    let (tried_at, error) = (at(5), "500".into());
    let retry = DeliveryState::Retry { tried_at, at: at(500), error };
    made.outbox_record(first.alert_id(), PAGER, &retry).unwrap();
    made.tell(&grows(1, 1, 10), awake());
    made.tell(&opens(2, 11), awake());
    made.tell(&opens(3, 12), awake());
    assert_eq!([4, 5].map(|second| made.outbox_tried(PAGER, at(second)).unwrap()), [1, 0]);
    assert_eq!(made.outbox_gather(PAGER, at(20), 1).unwrap(), 1);
    assert_eq!(made.calls(20), [(2, ChangeKind::Opened)]);
    assert_eq!(made.calls(500), [(1, ChangeKind::Opened), (2, ChangeKind::Opened)]);
    // What was tried leaves also where there is no room for others, and the growth of its incident waits behind it.
    let no_calls = made.outbox_due_no_calls(PAGER, at(500), 9).unwrap();
    assert_eq!(no_calls.len(), 1);
    assert_eq!(made.outbox_gather(PAGER, at(500), 1).unwrap(), 0);
}

#[test]
fn of_what_waits_no_alert_is_read_whole() {
    let made = store();
    for sql in [
        "SELECT due_at FROM outbox WHERE target = 'a' AND state = 0 AND due_at <= ?1 AND signal = 0
         AND attempts = 0 ORDER BY seq LIMIT 1",
        "SELECT count(*) FROM outbox o WHERE o.target = 'a' AND o.state = 0 AND o.due_at <= ?1
            AND o.signal = 0 AND o.leads = 0 AND o.attempts = 0 AND NOT EXISTS (SELECT 1 FROM outbox earlier
                WHERE earlier.target = o.target AND earlier.incident = o.incident
                    AND earlier.state = 0 AND earlier.seq < o.seq
                    AND (earlier.due_at > ?1 OR earlier.leads OR earlier.attempts > 0))",
        "SELECT ended_at FROM outbox WHERE target = 'a' AND state = 1 AND signal = 0
            AND ended_at > ?1 ORDER BY ended_at DESC LIMIT 3",
    ] {
        for step in
            made.plan(sql).iter().filter(|step| step.contains(" outbox") || step.contains("SEARCH"))
        {
            assert!(step.contains("COVERING INDEX"), "{step} in {sql}");
        }
    }
}

#[test]
fn the_end_of_what_was_told_by_itself_is_told_though_its_growth_is_told_among_others() {
    let made = store();
    made.tell(&opens(1, 0), awake());
    assert_eq!(made.take_all(1), [(1, ChangeKind::Opened)]);
    made.tell(&grows(1, 1, 10), awake());
    made.acts(1, ChangeKind::Closed, 11, awake());
    made.tell(&opens(2, 12), awake());
    made.tell(&opens(3, 13), awake());
    // The first is the gravest, but its page is open, and ends.
    assert_eq!(made.outbox_gather(PAGER, at(20), 1).unwrap(), 2);
    assert_eq!(made.take_all(21), [(1, ChangeKind::Closed), (2, ChangeKind::Opened)]);
    let led = made.outbox_led(incident(2, "x").id, PAGER).unwrap();
    assert_eq!(led.iter().map(|id| id.bits()).collect::<Vec<_>>(), [1, 3]);
    // What is told by itself later is another call.
    made.tell(&grows(3, 1, 30), awake());
    assert_eq!(made.take_all(31), [(3, ChangeKind::Grew)]);
    let led = made.outbox_led(incident(2, "x").id, PAGER).unwrap();
    assert_eq!(led.iter().map(|id| id.bits()).collect::<Vec<_>>(), [1]);
}

#[test]
fn what_is_put_off_was_not_tried_and_is_let_go_as_what_was_held() {
    let made = store();
    let first = opens(1, 0);
    made.tell(&first, awake());
    made.outbox_hold(first.alert_id(), PAGER, at(900)).unwrap();
    assert_eq!(made.calls(899), []);
    assert_eq!(made.outbox_due(PAGER, at(900), 9).unwrap()[0].attempts, 0);
    made.acts(1, ChangeKind::Closed, 100, awake());
    assert_eq!(made.calls(900), []);
}

#[test]
fn what_repeats_an_alert_that_is_let_go_takes_its_place_unless_somebody_has_the_story() {
    for (kind, told) in
        [(ChangeKind::Closed, vec![(6, ChangeKind::Opened)]), (ChangeKind::Acknowledged, vec![])]
    {
        let made = store();
        let once = || Addressee { repeats: false, ..asleep() };
        // All three are about one place.
        for n in [3, 6, 9] {
            let written = made.tell(&opens(n, n as u64), once());
            assert_eq!((written.alerts, written.repeats), if n == 3 { (1, 0) } else { (0, 1) });
        }
        made.acts(9, ChangeKind::Closed, 50, once());
        made.acts(3, kind, 100, once());
        assert_eq!(made.calls(999), []);
        assert_eq!(made.take_all(1000), told, "{kind:?}");
    }
}
