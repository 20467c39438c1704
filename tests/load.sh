#!/bin/sh
# Loads a gateway as fast as this machine can, LOAD_SECONDS each time (60), and writes what was seen
# and what was known to be lost to tests/LOAD.md.
set -eu
cd "$(dirname "$0")/.."

rm -rf target/load
cargo build --release --locked -p egret
EGRET_BINARY="$PWD/target/release/egret" EGRET_LOAD_SECONDS="${LOAD_SECONDS:-60}" \
    cargo test --locked -p egret-tests --test it -- overload::
{
    cat <<HEAD
# Load

A gateway between network namespaces on one machine of $(nproc) cores: iperf3 (TCP, one stream) and
tcpreplay (\`--topspeed\`, a mix of small and large packets in 7,000 flows) send through it at once, as
fast as they can, while \`egret run\` captures at its inner interface, stores and serves. Senders,
receivers, kernel and egret share the cores. Made by \`make load\`; each row is a test of
\`tests/it/overload.rs\` that fails unless, to the packet,

- received + dropped by the kernel = passed, by the interface's own counters,
- with the large buffer: the ledger says the same, passed on + lost by reason = received, and
- with the small one: the stored gaps, and the gaps that the incident about the upload names,
  are all that the kernel dropped, although the incident opened before most of it was lost.

| kernel buffer | threads | seconds | packets passed | thousand/s | Gbit/s | received | dropped by the kernel | told as gaps | named by the incident |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|
HEAD
    cat target/load/*
} >tests/LOAD.md
echo "wrote tests/LOAD.md"
