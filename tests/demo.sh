#!/bin/sh
# The main job, start to end, on this machine: `make demo`. Usage: demo.sh BUILD
set -eu
export LC_ALL=C
build=$(cd "$1" && pwd)
tunefarm=$build/tunefarm
work=$build/demo
rm -rf "$work"
mkdir -p "$work"
export XDG_CACHE_HOME="$work/cache" XDG_RUNTIME_DIR="$work/runtime"
mkdir -p -m 700 "$XDG_CACHE_HOME" "$XDG_RUNTIME_DIR"
say() { printf '\n== %s\n' "$*"; }
value() { sed -n "s/.*\"$2\": *\"\{0,1\}\([^\",]*\).*/\1/p" "$1" | head -n 1; }
cd "$work"

say "1. a model: ResNet-50 as an exporter writes it, seeded weights"
"$tunefarm" synth resnet50 -o resnet50.onnx

say "2. tuned by measurement on this machine's cores"
"$tunefarm" build resnet50.onnx -o resnet50.engine --effort 1 --json=first.json

say "3. checked against the references of its operators, timed"
"$tunefarm" run resnet50.engine --reference resnet50.onnx --relative-to-max --atol 1e-5 --duration 2

say "4. built again: everything comes from the cache, nothing is measured, the bytes are the same"
"$tunefarm" build resnet50.onnx -o again.engine --effort 1 --json=second.json
cmp resnet50.engine again.engine
[ "$(value second.json measured)" = 0 ]
printf "first build %.1f s, second %.1f s, same digest %s…\n" "$(value first.json wall_s)" "$(value second.json wall_s)" "$(value second.json digest | cut -c1-16)"

say "5. a second model on two single-core workers over TCP"
"$tunefarm" synth mobilenetv2 -o mobilenetv2.onnx
"$tunefarm" coordinator --cache "$work/farm" --listen tcp://127.0.0.1:7417 --workers none --idle-exit 20 &
"$tunefarm" worker --connect tcp://127.0.0.1:7417 --cores 0 &
"$tunefarm" worker --connect tcp://127.0.0.1:7417 --cores 1 &
"$tunefarm" build mobilenetv2.onnx -o mobilenetv2.engine --farm tcp://127.0.0.1:7417 --threads 1 --effort 1 --json=farm.json
"$tunefarm" drain --farm tcp://127.0.0.1:7417 || true
"$tunefarm" run mobilenetv2.engine --threads 1 --duration 2
wait

say "done: engines, reports and caches are in $work"
