#!/bin/sh
# The GPU bundle on the fake driver, in an empty environment and a folder of its own: its promises, its phases, its refusals.
# Usage: gpu-bundle.sh BUILD
set -u
build=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
ok() { passed=$((passed + 1)); echo "ok   $1"; }
bad() { failed=$((failed + 1)); echo "FAIL $1"; }
check() { name=$1; shift; if "$@" > "$work/log" 2>&1; then ok "$name"; else bad "$name: $(tail -n 3 "$work/log" | tr '\n' ' ')"; fi; }
ends() { want=$1; shift; "$@"; got=$?; [ "$got" = "$want" ] || { echo "exit code $got, not $want"; return 1; }; }

python=$(python3 -c 'import sys; print(sys.executable)') || { echo "0 passed, 0 failed, 1 skipped"; exit 0; }
cp -r "$build/gpu-bundle" "$work/bundle"
cd "$work" || exit 1
fake="TUNEFARM_LIBCUDA=$work/bundle/libfakecuda.so TUNEFARM_LIBNVRTC=$work/bundle/libfakenvrtc.so"
about="TUNEFARM_FAKE_CUDA=sm=90,product=fake,mem=2g"
# Only what is named here: no folder of the checkout, no library path, no settings.
bare() { env -i PATH=/usr/bin:/bin HOME="$work" PYTHON="$python" TUNEFARM_FAKE_CACHE="${TUNEFARM_FAKE_CACHE:-$build/fake-cubins}" "$@"; }
gpu_check() { bare $fake $about sh bundle/gpu-check.sh --small --work "$work/w" "$@"; }
outputs() { "$python" -B "$build/gpu-bundle-verify.py" "$@"; }
cp "$OLDPWD/tests/gpu-bundle-verify.py" "$build/gpu-bundle-verify.py" 2> /dev/null

[ "$(du -sk --apparent-size bundle | cut -f1)" -le 40960 ] && ok "the bundle is under 40 MiB" || bad "the bundle has $(du -sk bundle | cut -f1) KiB"
check "its files are those of its list" sh -c "cd bundle && grep '\./' MANIFEST | b2sum -l 256 --quiet -c"
linked() { # every library is the bundle's own, the C library's, or the C++ library's
  for file in bundle/bin/* bundle/test/*; do
    bare ldd "$file" | awk -v own="$work/bundle/" '$2 == "=>" && index($3, own) != 1 && $1 !~ /^(libc|libm|libdl|libpthread|librt|libresolv|libstdc\+\+|libgcc_s)\.so/ { print FILENAME, $0; bad = 1 } END { exit bad }' || return 1
  done
}
check "its programs take their libraries out of it" linked

check "correct passes on the fake driver" gpu_check correct --seconds 150
check "its report is well-formed" outputs correct out pass
check "tune passes, and exports what it measured" gpu_check tune --seconds 150
check "its report is well-formed" outputs tune out pass
check "its records are there" outputs records out pass
cp out/correct.json before.json
check "a second call has nothing left to do" gpu_check correct tune --seconds 150
check "and keeps what was done" outputs same before.json out/correct.json
[ "$(find out -type f | wc -l)" = 6 ] && ok "two files per phase" || bad "in out: $(ls out | tr '\n' ' ')"

check "limits and speed say what is not measured" gpu_check limits speed --seconds 60
check "their reports are well-formed" outputs limits out pass
check "the races are not" outputs speed out "not run"
check "sanitize is not run" gpu_check sanitize
check "its report says so" outputs sanitize out "not run"

about="TUNEFARM_FAKE_CUDA=sm=90,fault=nodevice"
check "without a device it ends with exit 5" ends 5 gpu_check correct --out none
check "and the report says why" outputs correct none "not run"
about="TUNEFARM_FAKE_CUDA=sm=90,product=fake,mem=2g,fault=launch@3"
check "a device that fails is a failure" ends 1 gpu_check correct --out faulty --seconds 100
check "and the report names it" outputs correct faulty fail
check "an unknown phase is a usage error" ends 2 gpu_check corect
check "a tiny budget leaves work for later, exit 75" ends 75 gpu_check correct --out short --seconds 1

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
