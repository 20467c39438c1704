//! An agent's loop over a model API: a context that grows goes up, an answer streams back.
//!
//! This is the largest benign upload there is, and a regular one.

use std::ops::Range;
use std::time::Duration;

use super::Activity;
use crate::simulate::programs::AGENT;
use crate::simulate::session::{Call, Session, Visit};
use crate::simulate::world::public;

/// Turns of the loop until the task is done.
const TURNS: Range<usize> = 3..10;

/// The first context: instructions and the task, some files.
const FIRST_CONTEXT_BYTES: Range<usize> = 5_000..60_000;

/// What a turn adds to the context: the answer, and the output of the tools it called.
const ADDED_BYTES: Range<usize> = 400..12_000;

/// A context that has grown so far is summarized.
const LARGEST_CONTEXT_BYTES: usize = 200_000;

/// Pieces of a streamed answer, and their size: a server-sent event with a few tokens.
const PIECES: Range<usize> = 8..40;
const PIECE_BYTES: Range<usize> = 120..420;

/// Between two pieces: 20 to 90 tokens a second.
const PIECE_MS: Range<u64> = 18..70;

/// To the first token.
const THINK_MS: Range<u64> = 400..2_600;

/// Running the tools that the answer asked for.
const TOOLS_MS: Range<u64> = 300..9_000;

/// Turns on one connection before it is idle for too long and closed.
const TURNS_PER_CONNECTION: usize = 5;

pub(super) const ACTIVITY: Activity = Activity { name: "llm-loop", run };

fn run(session: &mut Session) {
    let name = session.dice.pick(&["api.anthropic.com", "api.openai.com"]);
    let api = public(name);
    let mut context = session.dice.size(FIRST_CONTEXT_BYTES);
    let turns: Vec<Call> =
        (0..session.dice.count(TURNS)).map(|_| turn(session, &mut context)).collect();
    for calls in turns.chunks(TURNS_PER_CONNECTION) {
        session.visit(&Visit::https(&api, &AGENT, calls));
    }
}

fn turn(session: &mut Session, context: &mut usize) -> Call {
    let dice = &mut session.dice;
    *context = (*context + dice.size(ADDED_BYTES)).min(LARGEST_CONTEXT_BYTES);
    let pieces = dice.count(PIECES);
    let apart: Duration = dice.ms(PIECE_MS);
    Call {
        think: dice.ms(THINK_MS),
        after: dice.ms(TOOLS_MS),
        pieces: Some((pieces, apart)),
        ..Call::post("/v1/messages", *context, pieces * dice.count(PIECE_BYTES))
    }
}
