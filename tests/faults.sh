#!/bin/sh
# Tries every fault on a running egret and writes what happened to tests/FAULTS.md.
set -eu
cd "$(dirname "$0")/.."

rm -rf target/faults
cargo build --locked -p egret --features docker,kubernetes
cargo test --locked -p egret-tests --test it -- faults:: recovery::
{
    cat <<'HEAD'
# Faults

What was done to a running egret, and what became of what was written or sent meanwhile. Made by
`make faults` on one machine; each row is a test of `tests/it/faults` or `tests/it/recovery.rs` that
fails when its sums do not add up: written = stored + unreadable, every event in the store once, and
the sums per minute and hour saying the same. *Unreadable* is what nobody could have read: cut off before it was
looked at, or sent while no egret ran.

| fault | what was done | written | stored | unreadable | how egret told of it |
|---|---|---:|---:|---:|---|
HEAD
    cat target/faults/*
} >tests/FAULTS.md
echo "wrote tests/FAULTS.md"
