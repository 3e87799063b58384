#!/bin/sh
# Runs test binaries one after another and closes with one line that adds up theirs. Usage: run.sh [--slow] BINARY…
flags=
[ "$1" = --slow ] && { flags=--slow; shift; }
passed=0 failed=0 skipped=0
for binary in "$@"; do
  echo "== $(basename "$binary")"
  out=$(mktemp)
  "$binary" $flags 2>&1 | tee "$out"
  line=$(tail -n 1 "$out" | grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$') || line="0 passed, 1 failed, 0 skipped"
  rm -f "$out"
  passed=$((passed + $(echo "$line" | cut -d' ' -f1)))
  failed=$((failed + $(echo "$line" | cut -d' ' -f3)))
  skipped=$((skipped + $(echo "$line" | cut -d' ' -f5)))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
