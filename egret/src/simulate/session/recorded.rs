//! A recorded connection as it is said again: what went up to the byte, and all at its time.

use super::{Said, Session, Step, Visit};
use crate::simulate::programs::Program;
use crate::simulate::recording::{Burst, Contact, Over, Profile};
use crate::simulate::wire::http::{self, Request};
use crate::simulate::wire::tls;
use crate::simulate::wire::track::Way;
use crate::simulate::world::Host;

/// Smallest sealed bytes that are taken for a request: what is smaller are settings, windows and
/// alerts. The recorder folds by the same size.
const LEAST_REQUEST_BYTES: usize = 60;

/// A recorded connection, and what there is to know to say it again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Replay<'a> {
    pub(crate) contact: &'a Contact,
    pub(crate) profile: &'a Profile,
    pub(crate) ask: Ask,
}

/// Method and path of the request number so-and-so of a connection, of so many bytes, where they were
/// not seen.
pub(crate) type Ask = fn(&Host, usize, usize) -> (&'static str, String, u16);

impl Session {
    /// What is said on it once it stands.
    pub(super) fn steps_again(
        &mut self,
        replay: &Replay<'_>,
        visit: &Visit<'_>,
    ) -> (Vec<Step>, Vec<Said>) {
        let (mut steps, said) = match replay.contact.over {
            Over::Tls => {
                (self.say_sealed_again(replay, visit), requests_inside(replay, visit.host))
            }
            Over::Clear => (self.say_clear_again(replay, visit, ""), requests_in_clear(replay)),
        };
        steps.push(Step::Until(replay.contact.lasted));
        (steps, said)
    }

    /// The same to a proxy that forwards requests: they are for a URL.
    pub(super) fn steps_forwarded_again(
        &mut self,
        replay: &Replay<'_>,
        visit: &Visit<'_>,
    ) -> (Vec<Step>, Vec<Said>) {
        let base = format!("http://{}", visit.host.name);
        let mut steps = self.say_clear_again(replay, visit, &base);
        steps.push(Step::Until(replay.contact.lasted));
        let mut said = requests_in_clear(replay);
        for request in &mut said {
            request.up += base.len();
            request.up_header += base.len();
        }
        (steps, said)
    }

    fn say_sealed_again(&mut self, replay: &Replay<'_>, visit: &Visit<'_>) -> Vec<Step> {
        let (mut steps, mut ups, mut downs) = (Vec::new(), 0, 0);
        for burst in &replay.contact.bursts {
            steps.push(Step::Until(burst.at));
            let bytes = replay.profile.replayed(burst);
            let dice = &mut self.dice;
            steps.push(match burst.way {
                Way::Up => {
                    ups += 1;
                    Step::Up(match ups {
                        1 => tls::hello_of(visit.program.tls, &visit.host.name, bytes, dice),
                        2 => tls::finished_of(bytes, dice),
                        _ => tls::sealed_of(bytes, dice),
                    })
                }
                Way::Down => {
                    downs += 1;
                    Step::Down(match (downs, steps.iter().find_map(hello)) {
                        (1, Some(hello)) => tls::answer_of(hello, bytes, dice),
                        _ => tls::sealed_of(bytes, dice),
                    })
                }
            });
        }
        steps
    }

    fn say_clear_again(&mut self, replay: &Replay<'_>, visit: &Visit<'_>, base: &str) -> Vec<Step> {
        let bursts = &replay.contact.bursts;
        let mut steps = Vec::new();
        let mut was = Way::Up;
        for (place, burst) in bursts.iter().enumerate() {
            steps.push(Step::Until(burst.at));
            let bytes = replay.profile.replayed(burst);
            steps.push(match (burst.way, burst.path) {
                (Way::Up, Some(path)) => {
                    let target = format!("{base}{path}");
                    let asked = request(&target, visit.host, visit.program);
                    Step::Up(http::request_of(asked, bytes + base.len()))
                }
                (Way::Up, None) => Step::Up(self.dice.noise(bytes)),
                (Way::Down, _) if was == Way::Up => {
                    let whole = until_next_up(replay.profile, &bursts[place..]);
                    let mut answer = http::answer_head(200, whole.saturating_sub(HEAD_BYTES));
                    answer.extend(self.dice.noise(bytes.saturating_sub(answer.len())));
                    Step::Down(answer)
                }
                (Way::Down, _) => Step::Down(self.dice.noise(bytes)),
            });
            was = burst.way;
        }
        steps
    }
}

/// About what the head of an answer takes.
const HEAD_BYTES: usize = 100;

fn request<'a>(target: &'a str, host: &'a Host, program: &Program) -> Request<'a> {
    Request { method: "GET", target, host: &host.name, agent: program.agent }
}

/// The bytes of an executor's hello, which its server answers.
fn hello(step: &Step) -> Option<&[u8]> {
    match step {
        Step::Up(bytes) => Some(bytes),
        _ => None,
    }
}

/// Bytes of an answer.
fn until_next_up(profile: &Profile, bursts: &[Burst]) -> usize {
    let answer = bursts.iter().take_while(|burst| burst.way == Way::Down);
    answer.map(|burst| profile.replayed(burst)).sum()
}

/// What a proxy that looks inside would take for requests: each burst up that can be one.
fn requests_inside(replay: &Replay<'_>, host: &Host) -> Vec<Said> {
    let mut said: Vec<Said> = Vec::new();
    let mut ups = 0;
    for burst in &replay.contact.bursts {
        let bytes = replay.profile.replayed(burst);
        match burst.way {
            Way::Up => {
                ups += 1;
                // The handshake.
                if ups < 3 {
                    continue;
                }
                let up = tls::opened(bytes);
                if bytes >= LEAST_REQUEST_BYTES {
                    said.push(Said::of((replay.ask)(host, said.len(), up), up));
                } else if let Some(last) = said.last_mut() {
                    last.up += up;
                }
            }
            Way::Down => {
                if let Some(last) = said.last_mut() {
                    last.down += bytes;
                }
            }
        }
    }
    said
}

fn requests_in_clear(replay: &Replay<'_>) -> Vec<Said> {
    let mut said: Vec<Said> = Vec::new();
    for burst in &replay.contact.bursts {
        let bytes = replay.profile.replayed(burst);
        match (burst.way, burst.path, said.last_mut()) {
            (Way::Up, Some(path), _) => said.push(Said::of(("GET", path.to_owned(), 200), bytes)),
            (Way::Up, None, Some(last)) => last.up += bytes,
            (Way::Down, _, Some(last)) => last.down += bytes,
            (_, _, None) => {}
        }
    }
    said
}

impl Said {
    /// A request of so many bytes. No log tells how many of them are its headers.
    fn of((method, path, status): (&'static str, String, u16), up: usize) -> Self {
        Self { method, path, status, up, up_header: up, down: 0 }
    }
}
