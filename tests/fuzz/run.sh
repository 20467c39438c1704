#!/bin/sh
# Fuzzes every target for FUZZ_SECONDS each (default 300), FUZZ_JOBS at a time (default: as many as
# there are cores), or only FUZZ_TARGETS. Arguments are folders with captures that seed the
# `capture` target. Needs a nightly toolchain and cargo-fuzz.
set -eu
cd "$(dirname "$0")"

if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "fuzzing needs a nightly toolchain: rustup toolchain install nightly" >&2
    exit 1
fi
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz

cargo +nightly fuzz build --fuzz-dir .
triple="$(cargo +nightly -vV | sed -n 's/^host: //p')"
: "${FUZZ_TARGETS:=$(cargo +nightly fuzz list --fuzz-dir .)}"

# A finding ends its target alone; xargs tells of it when the others have had their time.
# shellcheck disable=SC2086
printf '%s\n' $FUZZ_TARGETS | xargs -P "${FUZZ_JOBS:-$(nproc)}" -I{} \
    ./one.sh {} "target/$triple/release" "${FUZZ_SECONDS:-300}" "$@"
