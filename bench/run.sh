#!/bin/sh
# Times kernels against what this machine's cores can do, and the synth models at the default's and the tuned choice. Usage: run.sh BUILD
set -eu
tunefarm=$1/tunefarm
work=$1/bench
mkdir -p "$work"
"$tunefarm" doctor
echo
while read -r problem; do
  case $problem in '' | '#'*) continue ;; esac
  "$tunefarm" bench "$problem" --tune --threads 1
done < bench/problems.txt
for model in mlp mobilenetv2 resnet50 bert-base; do
  [ -f "$work/$model.onnx" ] || "$tunefarm" synth "$model" -o "$work/$model.onnx"
  for effort in 0 2; do
    "$tunefarm" build "$work/$model.onnx" -o "$work/$model.engine" --effort "$effort" 2> "$work/$model.log" || { cat "$work/$model.log"; exit 1; }
    printf 'effort %s  ' "$effort"
    "$tunefarm" run "$work/$model.engine" --duration 3 2>&1 | head -n 3
  done
done
