#!/bin/sh
# Tries every fault on a running egret and writes what happened to tests/FAULTS.md.
set -eu
cd "$(dirname "$0")/.."

rm -rf target/faults target/delivery-faults target/storm
cargo build --locked -p egret --features docker,kubernetes,kafka
cargo test --locked -p egret-tests --test it -- faults:: recovery::
cargo test --locked -p egret-notify --test receivers -- faults::
# The optimized binary, because a hundred thousand incidents in a minute are many.
cargo build --locked --release -p egret
EGRET_BINARY="$PWD/target/release/egret" EGRET_STORM=100000 \
    cargo test --locked -p egret-tests --test it -- storm::
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
    cat <<'HEAD'

## Alerts on their way

What was done to a receiver, or to Egret while it delivered, and what became of the alerts. Each row is a test of
`notify/tests/receivers/faults.rs`, on simulated time, or of `tests/it/faults/delivery.rs`, and fails where one does not
arrive, or those of an incident come in another order. *Again* are those that came more than once, always under the same
id: where a receiver has taken an alert and could not say so, nobody else can know.

| fault | what was done | alerts | arrived | again | how |
|---|---|---:|---:|---:|---|
HEAD
    cat target/delivery-faults/*
    cat <<'HEAD'

## A storm

A hundred thousand incidents in a minute, each in a session and about a destination of its own. The pager may be called
five times in ten minutes; each page says how many incidents it tells of. The SIEM is a file, synced for each alert.

| incidents | in the store | in the SIEM | pages, each with its number of incidents | waiting for the next page | memory before, MiB | most memory, MiB |
|---:|---:|---:|---|---:|---:|---:|
HEAD
    cat target/storm/*
} >tests/FAULTS.md
echo "wrote tests/FAULTS.md"
