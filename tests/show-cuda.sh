#!/bin/sh
# What of CUDA is found here. Nothing of it is needed to build: libraries are opened at run time, `tunefarm doctor` says which ones.
line() { printf '%-12s%s\n' "$1" "$2"; }

# The first file that matches one of the patterns, the dynamic linker's names first.
library() {
  found=$(ldconfig -p 2>/dev/null | sed -n "s|^[[:space:]]*$1[^ ]* .*=> ||p" | head -n 1)
  for folder in "$CUDA_HOME/lib64" "$CUDA_PATH/lib64" /usr/local/cuda/lib64 /usr/local/cuda/lib /usr/local/cuda/targets/x86_64-linux/lib \
      /usr/local/cuda-*/lib64 /usr/local/cuda-*/lib /usr/local/nvidia/lib64 /usr/lib/wsl/lib; do
    for file in "$folder/$1"*; do
      [ -n "$found" ] || [ ! -e "$file" ] || found=$file
    done
  done
  line "$2" "${found:-not found}"
}

header=
for root in "$CUDA_HOME" "$CUDA_PATH" /usr/local/cuda /usr/local/cuda-*; do
  [ -n "$header" ] || [ ! -e "$root/include/cuda.h" ] || header=$root/include/cuda.h
done
version=$([ -z "$header" ] || sed -n 's/^#define CUDA_VERSION *\([0-9]*\).*/\1/p' "$header")
if [ -n "$header" ]; then
  line cuda.h "$header ($((version / 1000)).$((version % 1000 / 10)))"
else
  line cuda.h "not found: what is declared here is not compared with it"
fi
library libcuda.so.1 driver
library libnvrtc.so nvrtc
library libcublasLt.so cublaslt
library libnvidia-ml.so.1 nvml
