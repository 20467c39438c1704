//! Who does what when: starts spread over the window, addresses given and given again, and one
//! session after the other played out.

use std::net::IpAddr;
use std::time::Duration;

use egret_event::{ExecutorRegistration, SmolStr, Timestamp};

use super::attack::{self, Role};
use super::benign::{TEMPLATES, Template};
use super::dice::Dice;
use super::session::{Remains, Route, Session};
use super::truth::SessionTruth;
use super::{Plan, Scenario, world};

/// Who executors work for.
const TENANTS: [&str; 3] = ["acme", "globex", "initech"];

/// An address is free for the next executor this long after the last one ended.
const ADDRESS_REST: Duration = Duration::from_secs(60);

/// How often a new executor gets an address that another one had.
const REUSE_CHANCE: f64 = 0.3;

/// How often an executor without a proxy stands in the IPv6 range.
const V6_CHANCE: f64 = 0.2;

/// The ways out, each as likely as its weight.
const ROUTES: [(u32, Route); 3] = [(5, Route::Direct), (3, Route::Squid), (2, Route::Envoy)];

/// Booting before the first packet, and shutting down after the last.
const BOOT_MS: std::ops::Range<u64> = 1_200..4_000;
const SHUT_DOWN_MS: std::ops::Range<u64> = 500..3_000;

/// Between two activities: the agent thinks.
const THINK_MS: std::ops::Range<u64> = 500..12_000;

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
    role: Option<&'static Role>,
}

/// Plays all sessions of a plan, in the order in which they begin.
pub(crate) fn play(plan: &Plan) -> Vec<Played> {
    let block = plan.scenario as u16;
    let mut addresses = Addresses { block, ..Addresses::default() };
    // Ids must not repeat when scenarios are looked at together.
    let run = Dice::new(plan.seed, RUN_STREAM + u64::from(block)).u16();
    let mut played = Vec::new();
    for (number, slot) in slots(plan).into_iter().enumerate() {
        let dice = Dice::new(plan.seed, number as u64);
        let session = play_one((run, number + 1), &slot, dice, &mut addresses);
        addresses.give_back(&session.truth.executor);
        played.push(session);
    }
    played
}

/// The last session begins this long before the scenario's span ends: none lasts longer.
const LONGEST_SESSION: Duration = Duration::from_secs(20 * 60);

/// The part of the scenario, in percent, in which attacks begin: late enough that there is
/// something to compare with, early enough that they end in time.
const fn attack_begins(scenario: Scenario) -> std::ops::Range<u64> {
    match scenario {
        Scenario::SlowDrip => 10..20,
        _ => 65..85,
    }
}

fn slots(plan: &Plan) -> Vec<Slot> {
    let mut dice = Dice::new(plan.seed, STARTS_STREAM);
    let whole_ms = (plan.scenario.span() - LONGEST_SESSION).as_millis() as u64;
    let percent = attack_begins(plan.scenario);
    let mut slots: Vec<Slot> = (0..plan.benign_sessions)
        .map(|_| Slot { start: plan.start + dice.ms(0..whole_ms), role: None })
        .collect();
    for role in attack::roles(plan.scenario) {
        let part = whole_ms / 100 * percent.start..whole_ms / 100 * percent.end;
        slots.push(Slot { start: plan.start + dice.ms(part), role: Some(role) });
    }
    slots.sort_by_key(|slot| slot.start);
    slots
}

fn play_one(
    identity: (u16, usize),
    slot: &Slot,
    mut dice: Dice,
    addresses: &mut Addresses,
) -> Played {
    let template = dice.pick(&TEMPLATES);
    let tenant = *dice.pick(&TENANTS);
    let route = match slot.role {
        Some(role) => role.route,
        None => ROUTES[dice.weighted(ROUTES.iter().map(|(weight, _)| *weight))].1,
    };
    let v6 = slot.role.is_none() && route == Route::Direct && dice.chance(V6_CHANCE);
    let address = addresses.give(slot.start, v6, &mut dice);
    let activities = template.draw(&mut dice);
    let begin = slot.start + dice.ms(BOOT_MS);
    let mut session = Session::begin(address, begin, route, dice);
    // An attack comes after the first activity and is followed by the rest.
    let mut attack = None;
    for (turn, activity) in activities.iter().enumerate() {
        (activity.run)(&mut session);
        session.wait(THINK_MS);
        if let (0, Some(role)) = (turn, slot.role) {
            attack = Some((role.act)(&mut session));
            session.wait(THINK_MS);
        }
    }
    let until = session.now + session.dice.ms(SHUT_DOWN_MS);
    let executor = register(identity, template, (address, tenant), slot.start..until);
    let remains = session.end();
    let truth = SessionTruth {
        executor,
        route: route.word().to_owned(),
        activities: activities.iter().map(|activity| activity.name.to_owned()).collect(),
        flows: remains.tracks.len() as u64,
        up_bytes: remains.tracks.iter().map(|track| track.up.len() as u64).sum(),
        down_bytes: remains.tracks.iter().map(|track| track.down.len() as u64).sum(),
        attack,
    };
    Played { truth, remains }
}

fn register(
    (run, number): (u16, usize),
    template: &Template,
    (address, tenant): (IpAddr, &str),
    lifetime: std::ops::Range<Timestamp>,
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
