"""gpu-check.sh [PHASE...] [options]: checks and measures tunefarm on the GPU of this machine.

Phases: correct sanitize tune records speed limits; all of them without a name; tune brings records along. Each begins nothing new after --seconds,
leaves PHASE.json and PHASE.md (records: records.json and records.bundle) in --out, and goes on there when it is called again.

Exit code: 0 all that ran passed; 1 something failed; 2 usage; 5 no GPU can be used; 75 there was more to do than time: call it again.
"""
import argparse
import os
import re
import sys
import time

import correct
import limits
import sanitize
import speed
import tune
from machine import BUNDLE, Machine
from report import Phase

PHASES = {"correct": correct.run, "sanitize": sanitize.run, "tune": tune.run, "records": tune.records, "speed": speed.run, "limits": limits.run}
MOST_SECONDS = 460


def arguments():
    parser = argparse.ArgumentParser(prog="gpu-check.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("phases", nargs="*", metavar="PHASE", help=" ".join(PHASES))
    parser.add_argument("--out", default=os.environ.get("OUT", "out"), help="where reports go ($OUT, else ./out)")
    parser.add_argument("--work", default=os.environ.get("GPU_CHECK_WORK", os.path.join(BUNDLE, "work")),
                        help="models, engines, caches (work/ in the bundle)")
    parser.add_argument("--seconds", type=float, default=420, help=f"per phase, {MOST_SECONDS} at most (420)")
    parser.add_argument("--device", help="UUID or number of the GPU (0)")
    parser.add_argument("--models", type=lambda text: text.split(","), help="only these of the synth models")
    parser.add_argument("--only", type=re.compile, metavar="REGEX", help="only items whose key it is found in, such as 'resnet50 f16'")
    parser.add_argument("--effort", type=int, default=2, choices=range(1, 5), help="of the phase tune (2)")
    parser.add_argument("--small", action="store_true", help="a small covering set and tiny models: for the fake driver")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier calls have done")
    options = parser.parse_args()
    unknown = [name for name in options.phases if name not in PHASES]
    if unknown:
        parser.error(f"no phase `{unknown[0]}`; there are {' '.join(PHASES)}")
    if not 0 < options.seconds <= MOST_SECONDS:
        parser.error(f"--seconds {options.seconds:g} is not between 0 and {MOST_SECONDS}")
    names = options.phases or list(PHASES)
    options.phases = [name for name in PHASES if name in names or (name == "records" and "tune" in names)]
    return options


def phase_run(name, machine, options, why):
    if not why:
        machine.about["clocks"] = machine.clocks()
    phase = Phase(name, options.out, machine.identity(), machine.about, options.seconds, options.fresh, options.only)
    begin = time.monotonic()
    if why:
        phase.items = []
        phase.put(name, "not run", f"no GPU can be used: {why}")
        phase.finish([])
    else:
        try:
            PHASES[name](phase, machine, options)
        finally:
            machine.leftovers_end()
    return phase.counts(), time.monotonic() - begin


def summary_print(results, options):
    words = ("pass", "fail", "skip", "not run", "later")
    print(f"\n{'phase':10}" + "".join(f"{word:>9}" for word in words) + f"{'seconds':>9}")
    for name, (counts, seconds) in results.items():
        print(f"{name:10}" + "".join(f"{counts.get(word, 0):9}" for word in words) + f"{seconds:9.0f}")
    print(f"reports: {os.path.abspath(options.out)}")


def main():
    options = arguments()
    options.out, options.work = os.path.abspath(options.out), os.path.abspath(options.work)
    os.makedirs(options.out, exist_ok=True)
    os.makedirs(options.work, exist_ok=True)
    if options.device:
        os.environ["CUDA_VISIBLE_DEVICES"] = options.device
    machine = Machine(options.work)
    why = machine.look()
    device = machine.about.get("device") or {}
    print(f"gpu-check: {device.get('name', 'no GPU')} {device.get('uuid', why)}", flush=True)
    results = {name: phase_run(name, machine, options, why) for name in options.phases}
    summary_print(results, options)
    totals = {word: sum(counts.get(word, 0) for counts, _ in results.values()) for word in ("fail", "later")}
    return 5 if why else 1 if totals["fail"] else 75 if totals["later"] else 0


if __name__ == "__main__":
    sys.exit(main())
