"""sanitize: compute-sanitizer over each kernel family on small problems, one tool after another."""
import glob
import os
import re
import shutil

from correct import tests_of
from machine import BUNDLE

TOOLS = ("memcheck", "racecheck", "synccheck", "initcheck")
SUMMARY = re.compile(r"(ERROR SUMMARY: (\d+) errors?|RACECHECK SUMMARY: (\d+) hazards?[^\n]*)")
UNSUPPORTED = ("not supported", "Unable to", "Failed to initialize", "Internal Sanitizer Error", "no attach")
PLACES = ("/usr/local/cuda*/bin/compute-sanitizer", "/usr/local/cuda*/compute-sanitizer/compute-sanitizer",
          "/opt/nvidia/*/compute-sanitizer", "/opt/nvidia/*/*/compute-sanitizer")


def tool_find():
    return shutil.which("compute-sanitizer") or next((path for place in PLACES for path in sorted(glob.glob(place)) if os.access(path, os.X_OK)), None)


def verdict_of(result):
    """A hazard or an error counts whatever the exit code says."""
    text = result.out + result.err
    found = [int(match.group(2) or match.group(3)) for match in SUMMARY.finditer(text)]
    if result.timed_out:
        return "later", "no end in the time there was", {}
    if any(found):
        line = next((line.strip() for line in text.splitlines() if line.startswith("=========") and ("Invalid" in line or "Race" in line or
                                                                                                    "Error" in line or "Uninit" in line)), "")
        return "fail", f"{max(found)} findings; {line}"[:400], {"findings": max(found)}
    bad = next((word for word in UNSUPPORTED if word in text), None)
    if not found or bad:
        return "not run", f"the tool does not work here: {(bad and next(l for l in text.splitlines() if bad in l)) or result.last()}"[:300], {}
    if result.code != 0:
        return "fail", result.last(), {"findings": 0}
    return "pass", "", {"findings": 0}


def one(machine, tool, name, module, test, seconds):
    env = {"TUNEFARM_GPU_STRIDE": "48", "TUNEFARM_GPU_PROBLEMS": "2", "TUNEFARM_GPU_SECONDS": str(max(5, int(seconds) - 15))}
    words = [tool, "--tool", name, "--target-processes", "all", "--error-exitcode", "9", machine.program(f"test/{module}"), "--tagged",
             "needs:gpu", test]
    return verdict_of(machine.run(words, seconds, env, BUNDLE))


def run(phase, machine, options):
    tool = None if machine.fake() else tool_find()
    families = [(m, t) for m, t in tests_of(machine) if t.startswith("gpu_family_")]
    for name in TOOLS:
        for module, test in families:
            key = f"{name} {test[11:]}"
            if not tool:
                phase.put(key, "not run", "the driver is a stand-in" if machine.fake() else "compute-sanitizer was not found")
                continue
            seconds = min(90, phase.left() - 5)
            phase.run(key, lambda: one(machine, tool, name, module, test, seconds), 25)
    rows = []
    for _, test in families:
        items = [phase.find(f"{name} {test[11:]}") for name in TOOLS]
        rows.append((test[11:], *(item["verdict"] if item else None for item in items)))
    phase.finish([("Findings by family", ("family", *TOOLS), rows)])
