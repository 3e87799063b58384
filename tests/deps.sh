#!/bin/sh
# The distribution packages that tunefarm is built and tested with. `deps.sh show` lists them, `deps.sh install` adds what is missing.
packages="gcc g++ make ccache binutils libzmq3-dev liblmdb-dev libjansson-dev libsodium-dev libzstd-dev libonnx-testdata xz-utils procps python3 clang libclang-rt-dev"

missing=
for package in $packages; do
  version=$(dpkg-query -W -f '${Status} ${Version}' "$package" 2>/dev/null | sed -n 's/^install ok installed //p')
  [ "$1" = show ] && printf '%-12s%s\n' "package" "$package ${version:-missing}"
  [ -n "$version" ] || missing="$missing $package"
done
[ "$1" = install ] && [ -n "$missing" ] || exit 0

if ! command -v apt-get > /dev/null; then
  echo "these are missing and there is no apt-get here; install what they hold:$missing" >&2
  exit 1
fi
sudo=
if [ "$(id -u)" != 0 ]; then sudo=sudo; fi
echo "installing with ${sudo:+sudo }apt-get:$missing   (DEPS=no refrains)"
$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing > /dev/null
