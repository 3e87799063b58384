#!/bin/sh
# Kills processes of a real build with SIGKILL, again and again: worker, measuring child, coordinator, builder. After each round the build, or
# its rerun, must complete, a further build must measure nothing and give the same bytes, and the store must verify. Usage: chaos.sh BUILD [ROUNDS]
set -u
tunefarm=$1/tunefarm
rounds=${2:-50}
model=build/data/models/mnist/model.onnx
if [ ! -r "$model" ]; then
  echo "skip chaos: $model is not there (make test-data)"
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
fi
work=$(mktemp -d)
export XDG_CACHE_HOME="$work/cache" XDG_RUNTIME_DIR="$work/run" TUNEFARM_LOCKS="$work/locks" TUNEFARM_LOG=error
mkdir -p -m 700 "$XDG_CACHE_HOME" "$XDG_RUNTIME_DIR"
trap 'pkill -KILL -f "$work" 2>/dev/null; rm -rf "$work"' EXIT

# Processes of one role that belong to this test: by their command lines, which all carry its folder.
role_pids() {
  case $1 in
  builder) pgrep -f "tunefarm build .*$work" ;;
  coordinator) pgrep -f "tunefarm coordinator .*$work" ;;
  child) pgrep -f "tunefarm worker .*--measuring-child" | while read -r pid; do grep -qz "$work" "/proc/$pid/environ" 2> /dev/null && echo "$pid"; done ;;
  worker) pgrep -f "tunefarm worker --connect .*$work" ;;
  esac
}
number() { sed -n "s/.*\"$2\": *\([0-9]*\).*/\1/p" "$1" | head -n 1; }
build() { "$tunefarm" build "$model" -o "$1" --effort 1 --json="$1.json" > "$1.log" 2>&1; }
seed=12345
random() { seed=$(((seed * 1103515245 + 12345) % 2147483648)); echo $((seed / 65536 % $1)); }

counter() { "$tunefarm" cache stats 2> /dev/null | sed -n "s/^$1  *//p"; }

passed=0 failed=0 kills=0 again=0
round=0
while [ "$round" -lt "$rounds" ]; do
  round=$((round + 1))
  case $(random 4) in 0) role=builder ;; 1) role=coordinator ;; 2) role=child ;; *) role=worker ;; esac
  pkill -KILL -f "$work"
  sleep 0.1
  rm -rf "${XDG_CACHE_HOME:?}"/*
  build "$work/first" &
  builder=$!
  sleep "$(random 4).$(random 10)$(random 10)"
  victims=$(role_pids $role)
  for pid in $victims; do kill -KILL "$pid" 2>/dev/null && kills=$((kills + 1)); done
  wait "$builder"
  code=$?
  if [ "$code" != 0 ] && ! build "$work/first"; then
    echo "FAIL round $round ($role): neither the build ($code) nor its rerun completed: $(tail -n 1 "$work/first.log")"
    failed=$((failed + 1))
    continue
  fi
  if ! build "$work/second" || [ "$(number "$work/second.json" measured)" != 0 ] || ! cmp -s "$work/first" "$work/second"; then
    echo "FAIL round $round ($role): the next build measured $(number "$work/second.json" measured) or gave other bytes"
    failed=$((failed + 1))
    continue
  fi
  repeated=$(($(counter stored) + $(counter replaced) + $(counter kept_older) - $(counter records)))
  again=$((again + repeated))
  if [ "$repeated" -gt 16 ]; then # one job's variants of one worker, and a final
    echo "FAIL round $round ($role): $repeated records were measured twice"
    failed=$((failed + 1))
    continue
  fi
  if ! "$tunefarm" cache verify > "$work/verify" 2>&1; then
    echo "FAIL round $round ($role): $(tail -n 1 "$work/verify")"
    failed=$((failed + 1))
    continue
  fi
  passed=$((passed + 1))
done
echo "chaos: $kills processes killed in $rounds rounds, $again records measured twice"
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
