"""speed: tuned engines against PyTorch, turn by turn (peers.py); without PyTorch the engines alone."""
import json
import os
import sys

import models

RACES = [(kind, name, dtype, batch) for batch in (1, 8, 32) for dtype in ("f16", "f32", "tf32") for kind in ("eager", "compiled")
         for name in models.RACED]


def stored(dtype):
    return "f32" if dtype == "tf32" else dtype  # tf32 is a way to compute with f32 files; ours computes f32


def peers(machine, words, seconds):
    """(result, its last line as JSON or None). Torch keeps the machine's own libraries; ours go to `tunefarm` alone."""
    mine = machine.env.get("LD_LIBRARY_PATH", "")
    env = {"TUNEFARM_LD_LIBRARY_PATH": mine, "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", ""),
           "TORCHINDUCTOR_CACHE_DIR": os.path.join(machine.work, "inductor"), "TRITON_CACHE_DIR": os.path.join(machine.work, "triton")}
    result = machine.run([sys.executable, "-B", machine.program("check/peers.py"), *words], seconds, env)
    try:
        return result, json.loads(result.out.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return result, None


def torch_absent(machine):
    """Why there are no races here, or ''; puts torch's versions into the machine's description."""
    if machine.fake():
        return "the driver is a stand-in"
    result, versions = peers(machine, ["versions"], 90)
    if not versions:
        return "no PyTorch here" if "No module named 'torch'" in result.err else f"PyTorch: {result.last()}"
    for name in ("torch", "cudnn", "triton"):
        machine.about["libraries"][name] = {"version": versions.get(name)}
    return "" if versions.get("gpu") else "PyTorch sees no GPU"


def ours(machine, engine, seconds, small):
    if not os.path.exists(engine):
        return "not run", "no tuned engine: run the phase `tune` first", {}
    path = engine + ".speed.json"
    words = ["--duration", "0.2"] if small else ["--duration", "2"]
    runs = []
    for _ in range(2 if small else 3):
        result = machine.tunefarm("run", engine, *words, f"--json={path}", timeout=seconds)
        if result.code != 0:
            return "fail", result.last(), {}
        runs.append(models.json_of(path))
    medians = sorted(run["latency_ms"]["median"] for run in runs)
    data = {"median_ms": medians[len(medians) // 2], "min_ms": medians[0], "max_ms": medians[-1], "runs": len(runs), "section": runs[0].get("section"),
            "device": runs[0].get("device"), "memory": runs[0].get("memory"), "clocks_after": machine.clocks()}
    return ("fail" if data["device"] == "cpu" else "pass"), ("the engine ran on the CPU" if data["device"] == "cpu" else ""), data


def race(machine, kind, name, dtype, batch, seconds):
    engine = models.engine_path(machine, name, stored(dtype), batch, "tuned")
    if not os.path.exists(engine):
        return "not run", "no tuned engine: run the phase `tune` first", {}
    words = ["race", "--model", name, "--dtype", dtype, "--batch", str(batch), "--onnx", models.synth_model(machine, name, stored(dtype), batch),
             "--engine", engine, "--tunefarm", machine.program("bin/tunefarm"), "--kind", kind, "--seconds", str(max(10, seconds - 30))]
    result, data = peers(machine, words, seconds)
    if data is None:
        return ("later" if result.timed_out else "fail"), result.last(), {}
    data["clocks_after"] = machine.clocks()
    if not data.get("agrees"):
        return "fail", f"the outputs differ by {data.get('difference'):.3g} of the largest: it is not the same network", data
    return "pass", "", data


def rows_of(phase):
    rows = []
    for item in phase.items:
        data = item["data"]
        for peer, ratio in (data.get("ratio") or {}).items():
            our, their = data["wall_us"]["ours"], data["wall_us"][peer]
            rows.append((item["key"], peer, our["median"], f"{our['min']:.4g} to {our['max']:.4g}", their["median"],
                         f"{their['min']:.4g} to {their['max']:.4g}", data["device_us"][peer]["median"], ratio["median"],
                         f"{ratio['min']:.3g} to {ratio['max']:.3g}", our["n"], data.get("format"), data.get("difference")))
    return rows


def run(phase, machine, options):
    why = torch_absent(machine)
    if options.small:
        alone = [("tiny", "f32", 1)]
    else:
        alone = [(name, dtype, batch) for batch in (1, 8, 32) for dtype in models.DTYPES for name in models.RACED]
    if why:
        phase.put("races against PyTorch", "not run", f"not measured: {why}")
    for name, dtype, batch in alone if why else []:
        engine = models.engine_path(machine, name, dtype, batch, "tuned")
        phase.run(f"ours {name} {dtype} b{batch}", lambda: ours(machine, engine, min(60, phase.left()), options.small), 10)
    for kind, name, dtype, batch in [] if why else RACES:
        if options.models and name not in options.models:
            continue
        least = 40 if kind == "eager" else 120
        phase.run(f"{kind} {name} {dtype} b{batch}", lambda: race(machine, kind, name, dtype, batch, min(260, phase.left() - 5)), least)
    single = [(item["key"][5:], item["data"].get("median_ms"), item["data"].get("min_ms"), item["data"].get("max_ms"), item["data"].get("runs"))
              for item in phase.items if item["key"].startswith("ours ") and "median_ms" in item["data"]]
    phase.finish([("Races (host memory to host memory, medians of rounds; ratio over 1: ours is faster)",
                   ("race", "peer", "ours us", "range", "peer us", "range", "peer's kernels us", "ratio", "range", "rounds", "torch's format",
                    "difference"), rows_of(phase)),
                  ("Engines alone", ("engine", "median ms", "least", "most", "runs"), single)])
