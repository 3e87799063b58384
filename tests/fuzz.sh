#!/bin/sh
# Runs each fuzzer for SECONDS on its regression corpus (tests/corpus/NAME), two at a time; closes with the count line.
# Usage: fuzz.sh SECONDS FUZZER…
seconds=$1
shift
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
for fuzzer in "$@"; do echo "$fuzzer"; done | xargs -P 2 -I{} sh -c '
  name=$(basename "$1"); work=$2/$name.corpus; mkdir -p "$work"
  TMPDIR=$2 "$1" -max_total_time="$3" -timeout=20 -rss_limit_mb=4096 -print_final_stats=1 -artifact_prefix="$2/$name-" "$work" \
    $(ls -d tests/corpus/"${name%-fuzz}" 2>/dev/null) > "$2/$name.log" 2>&1 && echo ok > "$2/$name.verdict"
' _ {} "$logs" "$seconds"
passed=0 failed=0
for fuzzer in "$@"; do
  name=$(basename "$fuzzer")
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$logs/$name.log")
  if [ -f "$logs/$name.verdict" ]; then
    echo "ok   $name: ${runs:-?} runs in $seconds s"
    passed=$((passed + 1))
  else
    echo "FAIL $name"
    tail -n 40 "$logs/$name.log"
    mkdir -p build/fuzz/failures
    cp "$logs/$name-"* build/fuzz/failures/ 2>/dev/null
    failed=$((failed + 1))
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
