//! Who does what when: starts spread over the window, addresses given and given again, and one
//! session after the other played out.

use std::net::IpAddr;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use egret_event::{ExecutorRegistration, SmolStr, Timestamp};

use super::attack::{Kind, Mission, Role};
use super::benign::{TEMPLATES, Template};
use super::dice::Dice;
use super::recording::Part;
use super::session::{Remains, Route, Session};
use super::truth::SessionTruth;
use super::{Attack, Plan, world};

/// Who executors work for.
const TENANTS: [&str; 3] = ["acme", "globex", "initech"];

/// An address is free for the next executor this long after the last one ended.
const ADDRESS_REST: Duration = Duration::from_secs(60);

/// How often a new executor gets an address that another one had.
const REUSE_CHANCE: f64 = 0.3;

/// How often an executor without a proxy stands in the IPv6 range.
const V6_CHANCE: f64 = 0.2;

/// The ways out, each as likely as its weight.
const ROUTES: [(u32, Route); 4] =
    [(5, Route::Direct), (3, Route::Squid), (2, Route::Envoy), (2, Route::Bump)];

/// Booting before the first packet, and shutting down after the last.
const BOOT_MS: Range<u64> = 1_200..4_000;
const SHUT_DOWN_MS: Range<u64> = 500..3_000;

/// Between two activities: the agent thinks, or, in one session of ten, waits for its person.
const THINK_MS: Range<u64> = 500..12_000;
const BREAK_MS: Range<u64> = 120_000..900_000;
const BREAKS_CHANCE: f64 = 0.1;

/// Beside an attack that takes hours: an agent that waits for its person between two tasks.
const IDLE_MS: Range<u64> = 1_200_000..3_600_000;

/// The streams of chance that do not belong to a session.
const STARTS_STREAM: u64 = u64::MAX;
const RUN_STREAM: u64 = u64::MAX / 2;

/// A session that was played, and what it left behind.
pub(crate) struct Played {
    pub(crate) truth: SessionTruth,
    pub(crate) remains: Remains,
}

/// A session that is to be played.
struct Slot {
    start: Timestamp,
    /// Between two activities.
    pause_ms: Range<u64>,
    attacker: Option<Attacker>,
}

/// Who attacks in a session, and how.
#[derive(Clone)]
struct Attacker {
    campaign: u32,
    kind: &'static Kind,
    role: &'static Role,
    mission: Rc<Mission>,
}

/// Plays all sessions of a plan, in the order in which they begin.
pub(crate) fn play(plan: &Plan) -> Vec<Played> {
    let block = plan.scenario.place();
    let mut addresses = Addresses { block, ..Addresses::default() };
    // Ids must not repeat when scenarios are looked at together.
    let run = Dice::new(plan.seed, RUN_STREAM + u64::from(block)).u16();
    let mut played = Vec::new();
    for (number, slot) in slots(plan).into_iter().enumerate() {
        let dice = Dice::new(plan.seed, number as u64);
        let slot = (&slot, Part::of_seed(plan.seed));
        let session = play_one((run, number + 1), slot, dice, &mut addresses);
        addresses.give_back(&session.truth.executor);
        played.push(session);
    }
    played
}

/// The last session begins this long before the scenario's span ends: none lasts longer, but for
/// those with an attack, and those with breaks, which begin in the first third.
const LONGEST_SESSION: Duration = Duration::from_secs(20 * 60);

fn slots(plan: &Plan) -> Vec<Slot> {
    let mut dice = Dice::new(plan.seed, STARTS_STREAM);
    let whole_ms = (plan.scenario.span(plan.manner) - LONGEST_SESSION).as_millis() as u64;
    let mut slots: Vec<Slot> = (0..plan.benign_sessions)
        .map(|_| {
            let has_breaks = dice.chance(BREAKS_CHANCE);
            let (part_ms, pause_ms) =
                if has_breaks { (whole_ms / 3, BREAK_MS) } else { (whole_ms, THINK_MS) };
            Slot { start: plan.start + dice.ms(0..part_ms), pause_ms, attacker: None }
        })
        .collect();
    for attacker in attackers(plan, &mut dice) {
        let percent = attacker.kind.begins_percent(plan.manner);
        let part = whole_ms / 100 * percent.start..whole_ms / 100 * percent.end;
        let start = plan.start + dice.ms(part);
        slots.push(Slot { start, pause_ms: THINK_MS, attacker: Some(attacker) });
    }
    slots.sort_by_key(|slot| slot.start);
    slots
}

/// The sessions with an attack: those of one attacker have the same mission.
fn attackers(plan: &Plan, dice: &mut Dice) -> Vec<Attacker> {
    let Some(kind) = plan.scenario.kind() else { return Vec::new() };
    let roles = (1..).zip(kind.roles);
    roles
        .flat_map(|(campaign, role)| {
            let mission = Rc::new(Mission::draw(kind.pace(plan.manner), plan.most_bytes, dice));
            vec![Attacker { campaign, kind, role, mission }; kind.sessions]
        })
        .collect()
}

fn play_one(
    identity: (u16, usize),
    (slot, part): (&Slot, Part),
    mut dice: Dice,
    addresses: &mut Addresses,
) -> Played {
    let template = dice.pick(&TEMPLATES);
    let tenant = *dice.pick(&TENANTS);
    let (route, v6) = way_out(slot.attacker.as_ref(), &mut dice);
    let address = addresses.give(slot.start, v6, &mut dice);
    let drawn = template.draw(&mut dice);
    let mut activities: Vec<String> = drawn.iter().map(|done| done.name.to_owned()).collect();
    let begin = slot.start + dice.ms(BOOT_MS);
    let mut session = Session::begin((address, route), begin, part, dice);
    // An attack comes after the first activity and is followed by the rest.
    let mut attack = None;
    for (turn, activity) in drawn.iter().enumerate() {
        (activity.run)(&mut session);
        session.wait(slot.pause_ms.clone());
        if let (0, Some(attacker)) = (turn, &slot.attacker) {
            let done = attacker.act(&mut session);
            activities.extend(work_beside(&done, template, &mut session));
            attack = Some(done);
            session.wait(THINK_MS);
        }
    }
    let until = session.now + session.dice.ms(SHUT_DOWN_MS);
    let executor = register(identity, template, (address, tenant), slot.start..until);
    let remains = session.end();
    let truth = SessionTruth {
        executor,
        route: route.word().to_owned(),
        activities,
        flows: remains.tracks.len() as u64,
        up_bytes: remains.tracks.iter().map(|track| track.up.len() as u64).sum(),
        down_bytes: remains.tracks.iter().map(|track| track.down.len() as u64).sum(),
        attack,
    };
    Played { truth, remains }
}

/// How a session reaches the outside, and whether its address is an IPv6 one.
fn way_out(attacker: Option<&Attacker>, dice: &mut Dice) -> (Route, bool) {
    if let Some(attacker) = attacker {
        return (attacker.role.route, attacker.role.v6);
    }
    let route = ROUTES[dice.weighted(ROUTES.iter().map(|(weight, _)| *weight))].1;
    (route, route == Route::Direct && dice.chance(V6_CHANCE))
}

impl Attacker {
    fn act(&self, session: &mut Session) -> Attack {
        let done = (self.role.act)(session, &self.mission);
        let found_by = self.kind.found_by.iter().map(|word| (*word).to_owned()).collect();
        Attack { campaign: self.campaign, found_by, ..done }
    }
}

/// The ordinary work that goes on while an attack takes hours: one that ends within minutes leaves
/// no time for any. Gives what was done.
fn work_beside(attack: &Attack, template: &Template, session: &mut Session) -> Vec<String> {
    let mut done = Vec::new();
    let mut strand = session.strand(attack.start);
    loop {
        strand.wait(IDLE_MS);
        if strand.now >= attack.end {
            break;
        }
        let activity = template.draw_one(&mut strand.dice);
        (activity.run)(&mut strand);
        done.push(activity.name.to_owned());
    }
    // It has waited longer than there was to wait for.
    strand.now = strand.now.min(session.now);
    session.join(strand);
    done
}

fn register(
    (run, number): (u16, usize),
    template: &Template,
    (address, tenant): (IpAddr, &str),
    lifetime: Range<Timestamp>,
) -> ExecutorRegistration {
    ExecutorRegistration {
        id: format!("{}-{run:04x}-{number:04}", template.name).into(),
        address,
        template: Some(SmolStr::from(template.name)),
        tenant: Some(tenant.into()),
        session: None,
        from: lifetime.start,
        until: Some(lifetime.end),
    }
}

/// The segment's addresses.
#[derive(Default)]
struct Addresses {
    block: u16,
    given: [u16; 2],
    /// Addresses that were given back, and when.
    free: Vec<(Timestamp, IpAddr)>,
}

impl Addresses {
    fn give(&mut self, at: Timestamp, v6: bool, dice: &mut Dice) -> IpAddr {
        let rested = |(until, address): &(Timestamp, IpAddr)| {
            *until + ADDRESS_REST <= at && address.is_ipv6() == v6
        };
        if dice.chance(REUSE_CHANCE)
            && let Some(place) = self.free.iter().position(rested)
        {
            return self.free.remove(place).1;
        }
        let given = &mut self.given[usize::from(v6)];
        *given += 1;
        world::executor_address(self.block, *given, v6)
    }

    fn give_back(&mut self, executor: &ExecutorRegistration) {
        if let Some(until) = executor.until {
            self.free.push((until, executor.address));
        }
    }
}
