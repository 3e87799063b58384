"""The models of the phases: written by `tunefarm synth` on this machine, kept in the work folder, and what is built of them."""
import json
import os

import tiny

# name: (synth's words, batches that are tuned and raced, seconds that build and reference take, about)
SYNTH = {
    "mlp": ([], (1, 8, 32), 5),
    "resnet50": ([], (1, 8, 32), 15),
    "bert-base": (["--seq", "128"], (1, 8, 32), 30),
    "mobilenetv2": ([], (1,), 10),
    "vit-b16": ([], (1,), 40),
    "gpt2": (["--seq", "64"], (1,), 30),
}
RACED = ("mlp", "resnet50", "bert-base")
DTYPES = ("f32", "f16")
# Largest error allowed, as a share of the largest value: what rounding every layer to the type may add up to.
TOLERANCE = {"f32": 1e-4, "f16": 2e-2}


def file_model(machine, name):
    """A model that comes with the bundle."""
    return machine.program(os.path.join("build/data/models", name, "model.onnx"))


def model(machine, name, dtype, batch):
    """`tiny`, or one of synth's. Its path; raises with synth's words."""
    if name != "tiny":
        return synth_model(machine, name, dtype, batch)
    path = os.path.join(machine.work, "tiny.onnx")
    tiny.write(path)
    return path


def synth_model(machine, name, dtype, batch):
    folder = os.path.join(machine.work, "models")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"{name}-{dtype}-b{batch}.onnx")
    if os.path.exists(path):
        return path
    result = machine.tunefarm("synth", name, "-o", path, "--dtype", dtype, "--batch", str(batch), *SYNTH[name][0], timeout=180)
    if result.code != 0:
        raise RuntimeError(f"synth {name}: {result.last()}")
    return path


def engine_path(machine, name, dtype, batch, kind):
    folder = os.path.join(machine.work, "engines")
    os.makedirs(folder, exist_ok=True)
    return os.path.join(folder, f"{name}-{dtype}-b{batch}.{kind}.engine")


def json_of(path):
    with open(path) as file:
        return json.load(file)


def build(machine, model, engine, timeout, *options):
    """(result, report): the report is {} when there is none."""
    report = engine + ".json"
    if os.path.exists(report):
        os.remove(report)
    result = machine.tunefarm("build", model, "-o", engine, "--target", machine.target(), f"--json={report}", *options, timeout=timeout)
    try:
        return result, json_of(report)
    except (OSError, ValueError):
        return result, {}


def host_steps(report):
    """(how many steps are left to the host, what they are) of a build's first target."""
    target = (report.get("targets") or [{}])[0]
    names = [layer["onnx"] or layer["name"] for layer in target.get("layers", []) if layer.get("place") == "host"]
    return target.get("host_steps"), names
