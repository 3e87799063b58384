#!/bin/sh
# Puts the GPU bundle together and proves what it promises: only glibc is taken from the machine, none newer than 2.35, and it is small.
# Usage: make-bundle.sh BUILD BUNDLE MOST_MIB; BUNDLE_GLIBC=own: for this machine alone where its glibc is newer than what bundles are made on (the tests).
set -eu
build=$1 bundle=$2 most_mib=$3
newest_glibc=2.35 made_on=2.36
newer() { printf '%s\n' "$@" | sort -V | tail -n 1; }
if [ "${BUNDLE_GLIBC:-}" = own ]; then
  own=$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)
  [ "$(newer "$own" $made_on)" = $made_on ] || newest_glibc=$own
fi
rm -rf "$bundle"
mkdir -p "$bundle/bin" "$bundle/test" "$bundle/lib" "$bundle/fallback" "$bundle/check" "$bundle/build/data/models"

cp "$build"/bundle/bin/* "$bundle/bin/"
cp "$build"/bundle/test/* "$bundle/test/"
for library in libfakecuda.so libfakenvrtc.so libfakecublaslt.so; do strip -o "$bundle/$library" "$build/$library"; done
cp gpu-check/gpu-check.sh "$bundle/"
cp gpu-check/check/*.py "$bundle/check/"
cp docs/gpu-check.md "$bundle/README.md"
[ ! -r build/data/models/mnist/model.onnx ] || cp -r build/data/models/mnist "$bundle/build/data/models/"

# Everything the programs are linked with, and what that is linked with, but for the C library. The C++ library and the compiler's own come
# from the machine where it has them, since the CUDA libraries use them, too; ours are for a machine that has none.
ldd "$bundle"/bin/* "$bundle"/test/* "$bundle"/libfake*.so | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u |
  while read -r library; do
    case $(basename "$library") in
    libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.* | libresolv.so.* | libutil.so.* | libanl.so.*) ;;
    libstdc++.so.* | libgcc_s.so.*) cp -L "$library" "$bundle/fallback/" ;;
    *) cp -L "$library" "$bundle/lib/" ;;
    esac
  done
chmod 644 "$bundle"/lib/* "$bundle"/fallback/*
strip --strip-unneeded "$bundle"/lib/* "$bundle"/fallback/*

# What a file wants of glibc, newest first; a format that only newer linkers know counts as newer than all.
wanted() {
  objdump -p "$1" | sed -n '/^Version References/,/^$/p' | grep -oE 'GLIBC_(ABI_[A-Z_]+|[0-9.]+)' | sed 's/GLIBC_ABI.*/GLIBC_99/; s/GLIBC_//' | sort -uVr | head -n 1
}
for file in "$bundle"/bin/* "$bundle"/test/* "$bundle"/lib/* "$bundle"/libfake*.so; do
  version=$(wanted "$file")
  [ "$(newer "$newest_glibc" "${version:-0}")" = "$newest_glibc" ] || {
    echo "$file needs GLIBC_$version; the bundle promises to run with $newest_glibc: make it on Debian 12 or Ubuntu 22.04" >&2
    exit 1
  }
done
cxx=$(for file in "$bundle"/bin/* "$bundle"/test/* "$bundle"/lib/*; do objdump -p "$file"; done | grep -oE 'GLIBCXX_[0-9.]+' | sort -uV | tail -n 1)

{
  echo "tunefarm $("$build/bundle/bin/tunefarm" --version | cut -d' ' -f2)"
  echo "commit $(git rev-parse --short=12 HEAD 2> /dev/null || echo unknown)"
  echo "libstdcxx ${cxx:-none}"
  echo "fallback_glibc $(for file in "$bundle"/fallback/*; do wanted "$file"; done | sort -V | tail -n 1)"
  (cd "$bundle" && find . -type f ! -name 'MANIFEST*' | LC_ALL=C sort | xargs b2sum -l 256)
} > "$bundle/MANIFEST.new"
mv "$bundle/MANIFEST.new" "$bundle/MANIFEST"

kib=$(du -sk --apparent-size "$bundle" | cut -f1)
[ "$kib" -le $((most_mib * 1024)) ] || { echo "$bundle has $((kib / 1024)) MiB, $most_mib at most" >&2; exit 1; }
echo "$bundle: $((kib / 1024)).$((kib % 1024 * 10 / 1024)) MiB, $(find "$bundle" -type f | wc -l) files, glibc up to $newest_glibc, $cxx"
