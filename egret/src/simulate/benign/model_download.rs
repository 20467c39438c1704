//! Fetching a small model: metadata from the hub, the weights from its content network.

use std::ops::Range;

use super::Activity;
use crate::simulate::programs::MODEL_HUB;
use crate::simulate::session::{Call, Session, Visit};
use crate::simulate::world::public;

/// Weights, at about a hundred-and-fiftieth: a small sentence encoder is 90 MB.
const WEIGHTS_BYTES: Range<usize> = 400_000..800_000;

/// Configuration, vocabulary and tokenizer, each; at a tenth.
const SMALL_FILE_BYTES: Range<usize> = 400..23_000;

/// Loading it.
const LOADING_MS: Range<u64> = 1_500..6_000;

pub(super) const ACTIVITY: Activity = Activity { name: "model-download", run };

fn run(session: &mut Session) {
    let hub = public("huggingface.co");
    let network = public("cdn-lfs.huggingface.co").behind(&["d1qzyf9j3q5t1h.cloudfront.net"]);
    let mut small = Vec::new();
    for file in ["config.json", "tokenizer.json", "vocab.txt", "modules.json"] {
        let size = session.dice.size(SMALL_FILE_BYTES);
        small.push(Call::get(format!("/encoders/small/resolve/main/{file}"), size));
    }
    session.visit(&Visit::https(&hub, &MODEL_HUB, &small));
    let weights = [Call::get("/repos/small/model.safetensors", session.dice.count(WEIGHTS_BYTES))];
    session.visit(&Visit::https(&network, &MODEL_HUB, &weights));
    session.wait(LOADING_MS);
}
