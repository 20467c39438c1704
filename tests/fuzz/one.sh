#!/bin/sh
# Fuzzes the target $1, whose program is in the folder $2, for $3 seconds; further arguments seed
# `capture`. What libFuzzer says is in corpus/TARGET.log, what it found in artifacts/TARGET.
set -eu
target="$1" programs="$2" seconds="$3"
shift 3
[ "$target" = capture ] || set --

mkdir -p "corpus/$target" "artifacts/$target"
if "$programs/$target" "corpus/$target" "$@" -artifact_prefix="artifacts/$target/" \
    -max_total_time="$seconds" -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
    2>"corpus/$target.log"; then
    verdict="no finding"
else
    # Of a finding, or from whoever ended it.
    verdict="ended with status $?"
fi
# One write, so that two that end at once do not mix.
echo "$target: $verdict in $seconds s; $(sed -n 's/^stat:://p' "corpus/$target.log" |
    grep -E 'number_of_executed_units|average_exec_per_sec|peak_rss_mb' | tr -s ' ' | paste -sd ',' -)"
[ "$verdict" = "no finding" ] || { tail -n 40 "corpus/$target.log"; exit 1; }
