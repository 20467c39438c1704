#!/bin/sh
# Fuzzes every target for FUZZ_SECONDS each (default 300). Further arguments are folders with
# captures that seed the `capture` target. Needs a nightly toolchain and cargo-fuzz.
set -eu
cd "$(dirname "$0")"

if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "fuzzing needs a nightly toolchain: rustup toolchain install nightly" >&2
    exit 1
fi
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz

seconds="${FUZZ_SECONDS:-300}"
for target in $(cargo +nightly fuzz list --fuzz-dir .); do
    mkdir -p "corpus/$target"
    seeds=""
    [ ! -d "seeds/$target" ] || seeds="seeds/$target"
    [ "$target" != capture ] || seeds="$seeds $*"
    echo "== $target, $seconds s"
    # shellcheck disable=SC2086
    cargo +nightly fuzz run --fuzz-dir . "$target" "corpus/$target" $seeds -- \
        -max_total_time="$seconds" -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
        2>"corpus/$target.log" || { tail -n 40 "corpus/$target.log"; exit 1; }
    grep -E 'number_of_executed_units|average_exec_per_sec|peak_rss_mb' "corpus/$target.log"
done
