#!/bin/sh
# Runs the phases of the GPU check on this machine: correct sanitize tune records speed limits. `gpu-check.sh --help` says more, README.md
# all of it. Only Python 3 is needed beside a CUDA driver; what else is absent is said and left out.
here=$(cd "$(dirname "$0")" && pwd) || exit 2
python=${PYTHON:-$(command -v python3)}
[ -n "$python" ] || { echo "gpu-check: there is no python3 on this machine (PYTHON can name one)" >&2; exit 2; }
exec "$python" -B "$here/check/main.py" "$@"
