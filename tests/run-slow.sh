#!/bin/sh
# The slow tests: those tagged slow, builds whose processes are killed, the sanitizer runs, each fuzzer for 30 s. What failed is told once
# more at the end, and how long each part took. Usage: run-slow.sh BUILD BINARY…
build=$1
shift
TUNEFARM_FAILURES=$(mktemp)
export TUNEFARM_FAILURES
trap 'rm -f "$TUNEFARM_FAILURES"' EXIT
passed=0 failed=0 times=
part() { # NAME COMMAND…
  name=$1 begin=$(date +%s)
  shift
  if "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "== $name failed" >> "$TUNEFARM_FAILURES"
  fi
  times="$times${times:+, }$name $(($(date +%s) - begin)) s"
}
part "slow tests" env GPU_BUNDLE=all sh tests/run.sh --slow "$build" "$@" tests/chaos.sh tests/gpu-bundle.sh
part "AddressSanitizer" make --no-print-directory asan-test DEPS=no
part "ThreadSanitizer" make --no-print-directory tsan-test DEPS=no
part "fuzzers" make --no-print-directory fuzz FUZZ_SECONDS="${FUZZ_SECONDS:-30}" DEPS=no
cat "$TUNEFARM_FAILURES"
echo "$times"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
