"""correct: every test tagged needs:gpu, the bundle's ONNX cases, and whole models against their operators' references."""
import os
import re
from concurrent.futures import ThreadPoolExecutor

import models
from machine import BUNDLE

LINE = re.compile(r"^(ok  |FAIL|skip) (\S+) \((\d+) ms\)(?:: (.*))?$")
TOUR = re.compile(r"^(\w+): (\d+) of (\d+) problems, (\d+) variants of (\d+) tactics, (\d+) texts compiled, (\d+) refused, worst error (\S+)")


def tests_of(machine):
    """[(module, test)] of all tagged tests."""
    found = []
    folder = machine.program("test")
    for module in sorted(os.listdir(folder)):
        result = machine.run([os.path.join(folder, module), "--tagged", "needs:gpu", "--list"], 30)
        found += [(module, line.split()[0]) for line in result.out.splitlines() if line.strip()]
    return found


def tour_of(text):
    for line in text.splitlines():
        match = TOUR.match(line)
        if match:
            names = ("family", "reached", "problems", "variants", "tactics", "texts", "refused")
            values = [match.group(1)] + [int(match.group(i)) for i in range(2, 8)]
            return {**dict(zip(names, values)), "worst_share": float(match.group(8))}
    return {}


def test_run(machine, module, name, seconds, environment):
    """One test by its exact name; names that contain it are run along and judged by themselves."""
    env = {"TUNEFARM_GPU_SECONDS": str(max(5, int(seconds) - 20)), **environment}
    result = machine.run([machine.program(f"test/{module}"), "--tagged", "needs:gpu", name], seconds, env, BUNDLE)
    data = tour_of(result.out)
    for line in result.out.splitlines():
        match = LINE.match(line)
        if match and match.group(2) == name:
            why = match.group(4) or ""
            complaint = "; ".join(line for line in result.err.splitlines() if ".c:" in line)[:400]
            if match.group(1) == "ok  ":
                if data and data["reached"] < data["problems"]:
                    why = f"{data['reached']} of {data['problems']} problems in the time there was"
                return "pass", why, data
            return ("skip", why, data) if match.group(1) == "skip" else ("fail", complaint or why, data)
    return ("fail" if not result.timed_out else "later"), result.last(), data


def case_run(machine, name, seconds):
    result = machine.tunefarm("test", machine.program(f"build/data/models/{name}"), "--target", machine.about["device"]["device_class"],
                              "--relative-to-max", "--atol", "1e-4", timeout=seconds)
    return ("pass" if result.code == 0 else "fail"), ("" if result.code == 0 else result.last()), {}


def model_run(machine, name, dtype, seconds):
    model = models.model(machine, name, dtype, 1)
    engine = models.engine_path(machine, name, dtype, 1, "default")
    built, report = models.build(machine, model, engine, seconds / 2, "--effort", "0", "--cache-mode", "off")
    count, names = models.host_steps(report)
    data = {"host_steps": count, "host_names": names[:64]}
    if built.code != 0:
        return "fail", f"build: {built.last()}", data
    path = engine + ".run.json"
    result = machine.tunefarm("run", engine, "--reference", model, "--relative-to-max", "--atol", str(models.TOLERANCE[dtype]), "--rtol",
                              "0", "--duration", "0", f"--json={path}", timeout=seconds)
    if result.timed_out:
        return "later", "the reference took longer than the time there was", data
    if os.path.exists(path):
        ran = models.json_of(path)
        data.update(check=ran.get("check"), section=ran.get("section"), device=ran.get("device"))
        if ran.get("device") == "cpu":
            return "fail", "the engine ran on the CPU", data
    return ("pass" if result.code == 0 else "fail"), ("" if result.code == 0 else result.last()), data


def side_by_side(options):
    return 1 if options.small else max(1, min(4, (os.cpu_count() or 2) // 3))


def tests(phase, machine, options):
    env = {"TUNEFARM_GPU_STRIDE": "999", "TUNEFARM_GPU_PROBLEMS": "7"} if options.small else {}
    wanted = [(module, name) for module, name in tests_of(machine)]
    if not wanted:
        phase.put("tests", "fail", "the bundle has no tests tagged needs:gpu")
    if options.small:  # the emulator runs the families' own tests in `make test`
        wanted = [(m, n) for m, n in wanted if not n.startswith("gpu_family_") or n[11:] in ("map", "softmax", "pool")]
    share = 0.55 * phase.left()

    def one(test):
        seconds = min(300, phase.left() - 20, share if not options.small else 60)
        phase.run(f"test {test[0]} {test[1]}", lambda: test_run(machine, test[0], test[1], seconds, env), 25)

    with ThreadPoolExecutor(max_workers=side_by_side(options)) as pool:
        list(pool.map(one, wanted))


def run(phase, machine, options):
    tests(phase, machine, options)
    if os.path.exists(models.file_model(machine, "mnist")):
        phase.run("onnx mnist", lambda: case_run(machine, "mnist", min(120, phase.left())), 10)
    nets = [("tiny", "f32")] if options.small else [(name, dtype) for dtype in models.DTYPES for name in options.models or models.SYNTH]

    def one(net):
        least = 5 if options.small else 15 + models.SYNTH[net[0]][2]
        phase.run(f"model {net[0]} {net[1]}", lambda: model_run(machine, *net, min(240, phase.left())), least)

    with ThreadPoolExecutor(max_workers=side_by_side(options)) as pool:  # nothing is timed here
        list(pool.map(one, nets))
    tours = [(d["family"], f"{d['reached']} of {d['problems']}", d["variants"], d["tactics"], d["texts"], d["refused"], d["worst_share"])
             for d in (item["data"] for item in phase.items) if "family" in d]
    rows = [(item["key"][6:], item["verdict"], (item["data"].get("check") or {}).get("max_rel_to_max"), item["data"].get("host_steps"),
             ", ".join(item["data"].get("host_names", [])[:6])) for item in phase.items if item["key"].startswith("model ")]
    phase.finish([("Tactics against the reference", ("family", "problems", "variants", "tactics", "texts", "refused",
                                                     "worst error / tolerance"), tours),
                  ("Models against the reference", ("model", "verdict", "largest error / largest value", "host steps", "which"), rows)])
