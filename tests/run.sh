#!/bin/sh
# Runs every test: Rust (units and integration), the dashboard's, the browser's. Ends with a line
# that counts them, and fails in CI if any was skipped.
set -eu
cd "$(dirname "$0")/.."

rm -f target/skipped-tests
cargo build --locked -p egret --features docker,kubernetes,kafka
cargo test --locked --workspace --no-fail-fast --features egret-notify/kafka
(cd dashboards && npm test --silent)
(cd tests/browser && npm test --silent)

if [ -s target/skipped-tests ]; then
    echo "these tests were SKIPPED:"
    cat target/skipped-tests
    [ -z "${CI:-}" ] || exit 1
fi
echo "all tests passed"
