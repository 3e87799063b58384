#!/bin/sh
# What the command promises, through the command: same bytes from the cache, from an exported and re-imported one, locked, under another
# instruction set and without libm's FMA; a missing record named; two builds at once. Usage: end-to-end.sh BUILD
set -u
tunefarm=$(cd "$1" && pwd)/tunefarm
work=$(mktemp -d)
export TUNEFARM_LOG=error XDG_RUNTIME_DIR="$work/run" TUNEFARM_LOCKS="$work/locks"
mkdir -m 700 "$XDG_RUNTIME_DIR"
trap 'pkill -KILL -f "$work" 2>/dev/null; rm -rf "$work"' EXIT
passed=0 failed=0
ok() { passed=$((passed + 1)); echo "ok   $1"; }
bad() { failed=$((failed + 1)); echo "FAIL $1"; }
check() { name=$1; shift; if "$@" > "$work/log" 2>&1; then ok "$name"; else bad "$name: $(tail -n 1 "$work/log")"; fi; }
ends() { want=$1; shift; "$@" > "$work/log" 2>&1; got=$?; [ "$got" = "$want" ] || { echo "exit code $got, not $want" >> "$work/log"; return 1; }; }
number() { sed -n "s/.*\"$2\": *\([0-9]*\).*/\1/p" "$1" | head -n 1; }

model=$PWD/build/data/models/mnist/model.onnx # a dozen problems; else a whole network, which takes longer
[ -r "$model" ] || { model=$work/net.onnx; "$tunefarm" synth mobilenetv2 -o "$model" --seed 7; }
A="--cache $work/a --effort 1 --threads 1"

check "a build tunes and links" "$tunefarm" build "$model" -o "$work/1.engine" $A --lock "$work/net.lock" --json="$work/1.json"
check "a second build measures nothing" "$tunefarm" build "$model" -o "$work/2.engine" $A --json="$work/2.json"
[ "$(number "$work/2.json" measured)" = 0 ] && ok "its report says 0 measured" || bad "measured $(number "$work/2.json" measured)"
check "its bytes are the same" cmp "$work/1.engine" "$work/2.engine"
first=$(sed -n 's/.*"wall_s": *\([0-9]*\).*/\1/p' "$work/1.json") second=$(sed -n 's/.*"wall_s": *\([0-9.]*\).*/\1/p' "$work/2.json")
awk "BEGIN { exit !($first >= 10 * $second) }" && ok "and it is 10 times faster ($first s, $second s)" || bad "first $first s, second $second s"

check "the lock alone gives the same bytes" "$tunefarm" build "$model" -o "$work/3.engine" --cache "$work/none" --threads 1 --effort 1 --lock "$work/net.lock"
check "from another folder, too" cmp "$work/1.engine" "$work/3.engine"
sed 's/kc=/kc=1/' "$work/net.lock" > "$work/edited.lock"
check "an edited lock is refused with exit 9" ends 9 "$tunefarm" build "$model" -o "$work/x.engine" --cache "$work/none" --threads 1 --effort 1 --lock "$work/edited.lock"

check "records are exported" "$tunefarm" cache export -o "$work/team.bundle" --cache "$work/a"
check "and imported elsewhere" "$tunefarm" cache import "$work/team.bundle" --cache "$work/b"
B="--cache $work/b --effort 1 --threads 1 --cache-mode locked"
check "locked, in another process and folder" "$tunefarm" build "$model" -o "$work/4.engine" $B
check "the same bytes" cmp "$work/1.engine" "$work/4.engine"
check "locked, under the baseline instruction set" env TUNEFARM_ISA=baseline "$tunefarm" build "$model" -o "$work/5.engine" $B
check "the same bytes" cmp "$work/1.engine" "$work/5.engine"
check "locked, with libm's FMA masked" env GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2_Usable,-FMA_Usable,-AVX2,-FMA "$tunefarm" build "$model" -o "$work/6.engine" $B
check "the same bytes" cmp "$work/1.engine" "$work/6.engine"
check "the imported cache exports the same bundle" sh -c "'$tunefarm' cache export -o '$work/again.bundle' --cache '$work/b' && cmp '$work/team.bundle' '$work/again.bundle'"

check "a record is removed" "$tunefarm" cache prune --key "final|1|gemm" --cache "$work/b"
check "then locked ends with exit 3" ends 3 "$tunefarm" build "$model" -o "$work/y.engine" $B --json="$work/missing.json"
grep -q '"final|1|gemm' "$work/missing.json" && ok "and names the key" || bad "the missing key is not named"
[ ! -e "$work/y.engine" ] && ok "and leaves no engine" || bad "an engine was written"

C="--cache $work/c --effort 1 --threads 1"
"$tunefarm" build "$model" -o "$work/7.engine" $C --json="$work/7.json" > "$work/7.log" 2>&1 &
one=$!
"$tunefarm" build "$model" -o "$work/8.engine" $C --json="$work/8.json" > "$work/8.log" 2>&1 &
two=$!
wait $one && wait $two && ok "two builds at once complete" || bad "two builds at once: $(tail -n 1 "$work/7.log") / $(tail -n 1 "$work/8.log")"
check "with the same bytes" cmp "$work/7.engine" "$work/8.engine"
"$tunefarm" cache stats --cache "$work/c" > "$work/stats"
twice=$(awk '$1 == "stored" { s = $2 } $1 == "replaced" || $1 == "kept_older" { r += $2 } $1 == "records" { n = $2 } END { print s + r - n }' "$work/stats")
[ "$twice" = 0 ] && ok "and measured each problem once" || bad "$twice records were measured twice"
[ "$(pgrep -fc "tunefarm coordinator .*$work/c")" = 1 ] && ok "under one coordinator" || bad "$(pgrep -fc "tunefarm coordinator .*$work/c") coordinators"

check "the engine computes what the model says" "$tunefarm" run "$work/1.engine" --threads 1 --reference "$model" --relative-to-max --atol 1e-5 --duration 0
head -c 10000 "$work/1.engine" > "$work/cut.engine"
check "a truncated engine is refused" ends 1 "$tunefarm" run "$work/cut.engine" --duration 0
check "a model that is none is refused" ends 1 "$tunefarm" build "$work/1.engine" -o "$work/z.engine" --effort 0
check "usage errors end with exit 2" ends 2 "$tunefarm" build "$model" --efort 1

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
