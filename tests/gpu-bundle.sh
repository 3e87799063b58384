#!/bin/sh
# The GPU bundle on the fake driver, in an empty environment and a folder of its own: its promises, its phases, its refusals.
# Usage: gpu-bundle.sh BUILD; GPU_BUNDLE=all in the environment: the phases that take longer, too.
set -u
[ -d "$1/gpu-bundle" ] || { echo "skip gpu-bundle: \`make gpu-bundle\` has not made it in $1"; echo "0 passed, 0 failed, 1 skipped"; exit 0; }
root=$PWD build=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
ok() { passed=$((passed + 1)); echo "ok   $1"; }
bad() { failed=$((failed + 1)); echo "FAIL $1"; }
check() { name=$1; shift; if "$@" > "$work/log" 2>&1; then ok "$name"; else bad "$name: $(grep -vE '\] (pass|skip) ' "$work/log" | tail -n 12 | tr '\n' ';')"; fi; }
ends() { want=$1; shift; "$@"; got=$?; [ "$got" = "$want" ] || { echo "exit code $got, not $want"; return 1; }; }

python=$(python3 -c 'import sys; print(sys.executable)')
cp -r "$build/gpu-bundle" "$work/bundle"
cd "$work" || exit 1
# Only what is named here: no folder of the checkout, no library path, no settings.
bare() { env -i PATH=/usr/bin:/bin HOME="$work" PYTHON="$python" TUNEFARM_FAKE_CACHE="$build/fake-cubins" "$@"; }
fake="TUNEFARM_LIBCUDA=$work/bundle/libfakecuda.so TUNEFARM_LIBNVRTC=$work/bundle/libfakenvrtc.so TUNEFARM_LIBCUBLASLT=$work/bundle/libfakecublaslt.so"
about=TUNEFARM_FAKE_CUDA=sm=90,product=fake,mem=2g
gpu_check() { bare $fake $about sh bundle/gpu-check.sh --small --work "$work/w" "$@"; }
report() { "$python" -B "$root/tests/gpu-bundle-verify.py" "$@"; }

kib=$(du -sk --apparent-size bundle | cut -f1)
[ "$kib" -le 40960 ] && ok "the bundle is under 40 MiB ($((kib / 1024)))" || bad "the bundle has $kib KiB"
check "its files are those of its list" sh -c "cd bundle && grep ' \./' MANIFEST | b2sum -l 256 --quiet -c"
linked() { # every library is the bundle's own, the C library's, or the C++ library's
  for file in bundle/bin/* bundle/test/*; do
    bare ldd "$file" > "$work/ldd" || return 1
    awk -v own="$work/" '$2 == "=>" && index($3, own) != 1 && $1 !~ /^(libc|libm|libdl|libpthread|librt|libresolv|libstdc\+\+|libgcc_s)\.so/ { print; bad = 1 } END { exit bad }' "$work/ldd" || return 1
  done
}
check "its programs take their libraries out of it" linked

check "it understands compute-sanitizer" report sanitizer bundle/check
check "correct passes on the fake driver" gpu_check correct --seconds 300
check "its report is well-formed" report correct out pass
cp out/correct.json before.json
check "a second call has nothing left to do" gpu_check correct --seconds 60
check "and keeps what was done" report same before.json out/correct.json
check "limits says what is not measured" gpu_check limits --seconds 100
check "its report is well-formed" report limits out pass
if [ "${GPU_BUNDLE:-}" = all ]; then
  check "tune passes, and exports what it measured" gpu_check tune --seconds 400
  check "its report is well-formed" report tune out pass
  check "its records are there" report records out pass
  check "speed times the engine and says what is not raced" gpu_check speed --seconds 100
  check "its report is well-formed" report speed out pass
  check "sanitize is not run on a stand-in" gpu_check sanitize
  check "its report says so" report sanitize out "not run"
  if "$python" -c 'import torch' 2> /dev/null; then # both sides of a race are the same network
    check "a network is written" bare bundle/bin/tunefarm synth mlp -o mlp.onnx --batch 2
    check "and built" bare bundle/bin/tunefarm build mlp.onnx -o mlp.engine --effort 0 --target cpu --cache-mode off
    check "torch computes the same" bare PEERS_DEVICE=cpu "$python" -B bundle/check/peers.py agree --model mlp --dtype f32 --batch 2 --onnx mlp.onnx \
      --engine mlp.engine --tunefarm bundle/bin/tunefarm
  fi
  about=TUNEFARM_FAKE_CUDA=sm=90,product=fake,mem=2g,fault=launch@3
  check "a device that fails is a failure" ends 1 gpu_check correct --out faulty --seconds 300
  check "and the report names it" report correct faulty fail
fi
[ "$(find out -type f | sed 's/.*\///; s/\..*//' | sort | uniq -c | awk '$1 > 2' | wc -l)" = 0 ] && ok "two files per phase" || bad "in out: $(ls out | tr '\n' ' ')"

about=TUNEFARM_FAKE_CUDA=sm=90,fault=nodevice
check "without a device it ends with exit 5" ends 5 gpu_check correct --out none
check "and the report says why" report correct none "not run"
about=TUNEFARM_FAKE_CUDA=sm=90
check "an unknown phase is a usage error" ends 2 gpu_check corect
check "a tiny budget leaves work for later, exit 75" ends 75 gpu_check correct --out short --seconds 1

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
