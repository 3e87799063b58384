"""tune: builds for this device with a farm of its own; a second build measures nothing and has the same bytes. records: what was measured, as a
bundle that any cache takes in."""
import filecmp
import json
import os
import shutil

import models


def cache(machine):
    return os.path.join(machine.work, "cache")


def work_of(options):
    """(name, dtype, batch) in the order of what is wanted first."""
    if options.small:
        return [("tiny", "f32", 1)]
    names = [name for name in options.models or models.RACED]
    batches = sorted({batch for name in names for batch in models.SYNTH[name][1]})
    return [(name, dtype, batch) for batch in batches for dtype in ("f16", "f32") for name in names if batch in models.SYNTH[name][1]]


def first_target(report):
    return (report.get("targets") or [{}])[0]


def one(machine, name, dtype, batch, effort, seconds):
    model = models.model(machine, name, dtype, batch)
    engine = models.engine_path(machine, name, dtype, batch, "tuned")
    again = models.engine_path(machine, name, dtype, batch, "again")
    options = ("--cache", cache(machine), "--effort", str(effort))
    built, report = models.build(machine, model, engine, seconds, *options)
    target = first_target(report)
    count, names = models.host_steps(report)
    data = {key: target.get(key) for key in ("device_class", "problems", "hits", "measured", "variants_timed", "failed", "device_s", "estimated_ms",
                                             "tuning")}
    data.update(wall_s=report.get("wall_s"), host_steps=count, host_names=names[:64], effort=effort)
    if built.timed_out:
        return "later", "measuring took longer than the time there was; what was measured is kept", data
    if built.code != 0:
        return "fail", f"build: {built.last()}", data
    second, repeat = models.build(machine, model, again, seconds, *options, "--compare", "0")
    if second.code != 0:
        return "fail", f"second build: {second.last()}", data
    measured, same = first_target(repeat).get("measured"), filecmp.cmp(engine, again, shallow=False)
    data.update(second_wall_s=repeat.get("wall_s"), second_measured=measured, same_bytes=same)
    os.remove(again)
    if measured != 0 or not same:
        return "fail", f"the second build measured {measured} and its bytes are {'the same' if same else 'others'}", data
    if not target.get("measured") and not target.get("hits"):
        return "fail", "nothing was measured: the engine rests on estimates", data
    return "pass", "", data


def run(phase, machine, options):
    for name, dtype, batch in work_of(options):
        effort = options.effort if batch == 1 and not options.small else 1
        phase.run(f"{name} {dtype} b{batch}", lambda: one(machine, name, dtype, batch, effort, phase.left() - 5), 10 if options.small else 30)
    rows = []
    for item in phase.items:
        d = item["data"]
        tuning = d.get("tuning") or {}
        rows.append((item["key"], item["verdict"], d.get("problems"), d.get("measured"), d.get("variants_timed"), d.get("failed"),
                     d.get("device_s"), d.get("wall_s"), d.get("second_wall_s"), tuning.get("default_ms"), tuning.get("tuned_ms"),
                     tuning.get("ratio"), d.get("host_steps")))
    phase.finish([("Builds", ("model", "verdict", "problems", "measured", "variants", "failed", "device s", "wall s", "second build s",
                              "default ms", "tuned ms", "ratio", "host steps"), rows)])


def records(phase, machine, options):
    """One file out beside the report's JSON: records.bundle."""
    path = os.path.join(phase.out, "records.bundle")

    def export():
        if not os.path.isdir(cache(machine)):
            return "not run", "nothing was tuned here yet", {}
        result = machine.tunefarm("cache", "export", "-o", path, "--cache", cache(machine), timeout=60)
        if result.code != 0:
            return "fail", f"export: {result.last()}", {}
        fresh = os.path.join(machine.work, "imported")
        shutil.rmtree(fresh, ignore_errors=True)
        result = machine.tunefarm("cache", "import", path, "--cache", fresh, timeout=60)
        if result.code != 0:
            return "fail", f"import: {result.last()}", {}
        stats = json.loads(machine.tunefarm("cache", "stats", "--json", "--cache", fresh).out)
        data = {"bytes": os.path.getsize(path), "records": stats["records"]}
        return ("pass", "", data) if data["records"] else ("not run", "nothing was measured here yet", data)

    phase.items = []  # always anew: the cache may have grown
    phase.run("records", export, 5)
    phase.save()
