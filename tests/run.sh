#!/bin/sh
# Runs test programs one after another and closes with one line that adds up theirs, above it once more what failed. A program is a test
# binary or a script (NAME.sh, called with BUILD and, for slow tests, the rounds of its own). Usage: run.sh [--slow] BUILD PROGRAM…
flags=
[ "$1" = --slow ] && { flags=--slow; shift; }
build=$1
shift
# What the emulator's compiler made is kept for the next run, of any build: the newest 4096 files, some 150 MB.
TUNEFARM_FAKE_CACHE=${TUNEFARM_FAKE_CACHE:-$PWD/build/fake-cubins}
export TUNEFARM_FAKE_CACHE
mkdir -p "$TUNEFARM_FAKE_CACHE"
(cd "$TUNEFARM_FAKE_CACHE" && ls -t | tail -n +4097 | xargs -r rm -f)
out=$(mktemp)
failures=$(mktemp)
trap 'rm -f "$out" "$failures"' EXIT
passed=0 failed=0 skipped=0
for program in "$@"; do
  echo "== $(basename "$program")"
  case $program in
  *.sh) sh "$program" "$build" 2>&1 | tee "$out" ;;
  *) "$program" $flags 2>&1 | tee "$out" ;;
  esac
  grep -q '^FAIL' "$out" && { echo "-- $(basename "$program")" && grep -a -B 6 '^FAIL' "$out" | tail -n 60; } >> "$failures"
  line=$(tail -n 1 "$out" | grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$') || {
    line="0 passed, 1 failed, 0 skipped"
    { echo "-- $(basename "$program") ended without its count:" && tail -n 6 "$out"; } >> "$failures"
  }
  passed=$((passed + $(echo "$line" | cut -d' ' -f1)))
  failed=$((failed + $(echo "$line" | cut -d' ' -f3)))
  skipped=$((skipped + $(echo "$line" | cut -d' ' -f5)))
done
[ "$failed" = 0 ] || cat "$failures"
[ -z "$TUNEFARM_FAILURES" ] || cat "$failures" >> "$TUNEFARM_FAILURES"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
