#!/bin/sh
# The slow tests: those tagged slow, builds whose processes are killed, the sanitizer runs, each fuzzer for 30 s. Usage: run-slow.sh BUILD BINARY…
build=$1
shift
failed=0
GPU_BUNDLE=all sh tests/run.sh --slow "$build" "$@" tests/chaos.sh tests/gpu-bundle.sh || failed=$((failed + 1))
make --no-print-directory asan-test DEPS=no || failed=$((failed + 1))
make --no-print-directory tsan-test DEPS=no || failed=$((failed + 1))
make --no-print-directory fuzz FUZZ_SECONDS="${FUZZ_SECONDS:-30}" DEPS=no || failed=$((failed + 1))
echo "$((4 - failed)) passed, $failed failed"
[ "$failed" = 0 ]
