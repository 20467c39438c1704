#!/bin/sh
# Compares egret with other tools on the captures below the folder $1 (see README.md) and writes
# the table to RESULTS.md.
set -eu
cd "$(dirname "$0")/../.."

data="${1:-}"
if [ ! -d "$data" ]; then
    echo "name the folder with the captures: make conformance DATA=FOLDER (tests/conformance/README.md)" >&2
    exit 2
fi
results=tests/conformance/RESULTS.md
{
    echo "# Conformance"
    echo
    echo "Made by \`make conformance\` with $(tshark --version 2>/dev/null | head -n 1)."
    echo "README.md beside this file says what is compared with what, and how."
    echo
    target/python/bin/python tests/conformance/compare.py "$data"
} >"$results.new"
mv "$results.new" "$results"
cat "$results"
