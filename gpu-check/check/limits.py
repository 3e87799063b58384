"""limits: what the device can do at best, by tunefarm-gpu-limits; PyTorch as a check and for 8-bit floats."""
import json

import speed


def ours(machine, seconds, small):
    words = ["--largest", "1", "--repeats", "3", "--product", "32"] if small else []
    path = machine.work + "/limits.json"
    result = machine.run([machine.program("bin/tunefarm-gpu-limits"), "--seconds", str(max(5, int(seconds - 20))), "--json", path, *words], seconds)
    try:
        with open(path) as file:
            data = json.load(file)
    except (OSError, ValueError):
        return "fail", result.last(), {}
    return ("pass" if result.code == 0 and data["rows"] else "fail"), ("" if result.code == 0 else result.last()), data


def torchs(machine, seconds):
    why = speed.torch_absent(machine)
    if why:
        return "not run", f"not measured: {why}", {}
    result, data = speed.peers(machine, ["limits"], seconds)
    return ("pass", "", data) if data else ("fail", result.last(), {})


def run(phase, machine, options):
    phase.run("by tunefarm", lambda: ours(machine, min(300, phase.left()), options.small), 15)
    phase.run("by torch", lambda: torchs(machine, min(150, phase.left())), 15)
    rows, missing = [], []
    for item in phase.items:
        rows += [(r["what"], r["size"], r["us"], r.get("spread"), r.get("n"), r["value"], r["unit"]) for r in item["data"].get("rows", [])]
        missing += [(m["what"], m["why"]) for m in item["data"].get("missing", [])]
    phase.finish([("Limits (medians of device time)", ("what", "bytes or size", "us", "spread", "samples", "value", "unit"), rows),
                  ("Not measured", ("what", "why"), missing)] if missing else
                 [("Limits (medians of device time)", ("what", "bytes or size", "us", "spread", "samples", "value", "unit"), rows)])
