"""Races: an engine against PyTorch on the same network with the same weights and inputs, turn by turn.

    peers.py race --model resnet50 --dtype f16|f32|tf32 --batch 8 --onnx FILE --engine FILE --tunefarm FILE --kind eager|compiled --seconds N
    peers.py agree --model resnet50 --dtype f16|f32 --batch 8 --onnx FILE --engine FILE --tunefarm FILE       (no GPU needed: PEERS_DEVICE=cpu)
    peers.py limits
    peers.py versions

One JSON object on the last line of stdout. Two times of every torch contender are told: `wall`, what `tunefarm run` also measures, from inputs in pinned
host memory to outputs in host memory, by the host's clock; `device`, its kernels alone, between events.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import torch

import networks

DTYPES = {"f32": torch.float32, "tf32": torch.float32, "f16": torch.float16}
DEVICE = os.environ.get("PEERS_DEVICE", "cuda")  # cpu: to test this file without a GPU; nothing is raced there
AGREES = {"f32": 2e-3, "tf32": 2e-2, "f16": 4e-2}  # largest difference over largest value


def precision_set(dtype):
    exact = dtype != "tf32"
    torch.backends.cuda.matmul.allow_tf32 = not exact
    torch.backends.cudnn.allow_tf32 = not exact
    torch.backends.cudnn.benchmark = True


def difference(ours, theirs):
    ours, theirs = ours.double(), theirs.double()
    largest = theirs.abs().max().item()
    worst = (ours - theirs).abs().max().item()
    return worst / largest if largest > 0 and worst == worst else float("inf")


class Torch:
    """One contender: call() leaves its outputs in self.outputs on the device."""

    def __init__(self, name, function, inputs):
        self.name, self.function = name, function
        self.pinned = [x.pin_memory() for x in inputs]
        self.inputs = [x.to(DEVICE) for x in inputs]
        if inputs[0].dim() == 4:  # images keep the format that the network was given
            self.inputs = [x.contiguous(memory_format=FORMAT[0]) for x in self.inputs]
        self.host = None

    def outputs(self):
        result = self.function(*self.inputs)
        return result if isinstance(result, tuple) else (result,)

    def wall(self):
        for to, source in zip(self.inputs, self.pinned):
            to.copy_(source, non_blocking=True)
        outputs = self.outputs()
        if self.host is None:
            self.host = [torch.empty(y.shape, dtype=y.dtype, pin_memory=True) for y in outputs]
        for to, source in zip(self.host, outputs):
            to.copy_(source, non_blocking=True)
        torch.cuda.synchronize()

    def measure(self, seconds):
        """(median wall us, median device us) of what fits into the time, at least five runs of each."""
        for _ in range(3):
            self.wall()
        wall, device = [], []
        end = time.perf_counter() + seconds / 2
        while time.perf_counter() < end or len(wall) < 5:
            begin = time.perf_counter()
            self.wall()
            wall.append((time.perf_counter() - begin) * 1e6)
        end = time.perf_counter() + seconds / 2
        while time.perf_counter() < end or len(device) < 5:
            a, b = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            a.record()
            self.outputs()
            b.record()
            b.synchronize()
            device.append(a.elapsed_time(b) * 1e3)
        return statistics.median(wall), statistics.median(device)


class Graph(Torch):
    """The eager network captured as a CUDA graph."""

    def __init__(self, name, function, inputs):
        super().__init__(name, function, inputs)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                super().outputs()
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.static = super().outputs()

    def outputs(self):
        self.graph.replay()
        return self.static


FORMAT = [torch.contiguous_format]


def format_choose(module, inputs):
    """Channels last where that is faster: torch is raced at its best. Returns the name of the format."""
    if inputs[0].dim() != 4:
        return "rows"
    times = {}
    for name, form in (("channels first", torch.contiguous_format), ("channels last", torch.channels_last)):
        FORMAT[0] = form
        module.to(memory_format=form)
        times[name] = Torch("", module, inputs).measure(0.2)[1]
    best = min(times, key=times.get)
    FORMAT[0] = torch.channels_last if best == "channels last" else torch.contiguous_format
    module.to(memory_format=FORMAT[0])
    return best


class Ours:
    """`tunefarm run` in a process of its own, once per round."""

    def __init__(self, options, inputs):
        self.options = options
        self.folder = tempfile.mkdtemp(prefix="peers-")
        self.words = [options.tunefarm, "run", options.engine]
        for name, tensor in inputs.items():
            path = os.path.join(self.folder, name + ".npy")
            networks.npy_write(path, tensor)
            self.words += ["--input", f"{name}={path}"]

    def run(self, *words):
        path = os.path.join(self.folder, "run.json")
        env = dict(os.environ, LD_LIBRARY_PATH=os.environ.get("TUNEFARM_LD_LIBRARY_PATH", ""))
        done = subprocess.run([*self.words, *words, f"--json={path}"], capture_output=True, text=True, env=env, timeout=120)
        if done.returncode:
            raise RuntimeError(f"tunefarm run: {done.stderr.strip().splitlines()[-1:]}")
        with open(path) as file:
            return json.load(file)

    def outputs(self, names):
        self.about = self.run("--duration", "0", "--output", self.folder)
        return [networks.npy_read(os.path.join(self.folder, name + ".npy")) for name in names]

    def measure(self, seconds):
        return self.run("--duration", str(seconds), "--warmup", "100")["latency_ms"]["median"] * 1e3


def summary(samples):
    return {"median": statistics.median(samples), "min": min(samples), "max": max(samples), "n": len(samples)}


def contenders(options, module, inputs):
    tensors = list(inputs.values())
    if options.kind == "eager":
        return [Torch("eager", module, tensors), Graph("eager in a graph", module, tensors)]
    begin = time.time()
    compiled = torch.compile(module, mode="max-autotune", fullgraph=True)
    contender = Torch("compiled", compiled, tensors)
    for _ in range(4):
        contender.wall()
    contender.compile_s = round(time.time() - begin, 1)
    return [contender]


def agreement(ours, module, inputs, names):
    with torch.inference_mode():
        theirs = module(*[x.to(DEVICE) for x in inputs.values()])
    theirs = theirs if isinstance(theirs, tuple) else (theirs,)
    return max(difference(a, b.cpu()) for a, b in zip(ours.outputs(names), theirs))


def both_sides(options):
    """(engine, module, inputs, what is known of how they agree)."""
    _, sources, names = networks.NETWORKS[options.model]
    torch.manual_seed(1)
    dtype = DTYPES[options.dtype]
    inputs = {name: source(options.batch, dtype) for name, source in sources.items()}
    precision_set(options.dtype)
    module = networks.network(options.model, options.onnx, dtype).to(DEVICE)
    ours = Ours(options, inputs)
    result = {"difference": agreement(ours, module, inputs, names), "section": ours.about.get("section"), "device": ours.about.get("device")}
    result["agrees"] = result["difference"] <= AGREES[options.dtype]
    return ours, module, inputs, result


def agree(options):
    return both_sides(options)[3]


def race(options):
    begin = time.monotonic()
    ours, module, inputs, result = both_sides(options)
    if not result["agrees"]:
        return result
    with torch.inference_mode():
        result["format"] = format_choose(module, list(inputs.values()))
        rivals = contenders(options, module, inputs)
        rounds = {"ours": [], **{rival.name: [] for rival in rivals}}
        device = {rival.name: [] for rival in rivals}
        while len(rounds["ours"]) < options.rounds and (len(rounds["ours"]) < 2 or time.monotonic() - begin < options.seconds):
            for rival in rivals if len(rounds["ours"]) % 2 else rivals[::-1]:  # A B, B A
                wall, kernels = rival.measure(0.6)
                rounds[rival.name].append(wall)
                device[rival.name].append(kernels)
            rounds["ours"].append(ours.measure(0.5))
    result["wall_us"] = {name: summary(samples) for name, samples in rounds.items()}
    result["device_us"] = {name: summary(samples) for name, samples in device.items()}
    result["ratio"] = {name: summary([theirs / our for theirs, our in zip(samples, rounds["ours"])]) for name, samples in rounds.items() if name != "ours"}
    result["compile_s"] = next((rival.compile_s for rival in rivals if hasattr(rival, "compile_s")), None)
    return result


# ---- limits as torch sees them: a check on ours, and 8-bit floats ----

def graph_us(work, calls, repeats=30):
    """Median device time of one work() in a graph of `calls` of it."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph, times = torch.cuda.CUDAGraph(), []
    with torch.cuda.graph(graph):
        for _ in range(calls):
            work()
    for i in range(repeats + 3):
        a, b = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        a.record()
        graph.replay()
        b.record()
        b.synchronize()
        if i >= 3:
            times.append(a.elapsed_time(b) * 1e3 / calls)
    return statistics.median(times)


def product_f8(n):
    a, b = (torch.randn(n, n, device=DEVICE).to(torch.float8_e4m3fn) for _ in range(2))
    one = torch.ones((), device=DEVICE)
    return lambda: torch._scaled_mm(a, b.t(), scale_a=one, scale_b=one, out_dtype=torch.bfloat16, use_fast_accum=True)


def product(n, dtype):
    a, b = (torch.randn(n, n, device=DEVICE, dtype=dtype) for _ in range(2))
    out = torch.empty_like(a)
    return lambda: torch.mm(a, b, out=out)


def limits(options):
    rows, missing = [], []

    def add(what, size, make, amount, unit, calls):
        try:
            us = graph_us(make(), calls)
            rows.append({"what": what, "size": size, "us": us, "value": amount / us, "unit": unit})
        except Exception as error:  # not every device has every type
            missing.append({"what": what, "why": str(error).splitlines()[0][:200]})

    for mib in (64, 1024):
        n = mib << 20

        def copy():
            a = torch.randn(n // 4, device=DEVICE)
            b = torch.empty_like(a)
            return lambda: b.copy_(a)
        add("copy by torch", n, copy, 2 * n * 1e-3, "GB/s", 4)
    torch.backends.cuda.matmul.allow_tf32 = False
    for n in (4096, 8192):
        add("matrix product f16 by torch", n, lambda: product(n, torch.float16), 2 * n**3 * 1e-6, "TFLOP/s", 4)
        add("matrix product f8 by torch", n, lambda: product_f8(n), 2 * n**3 * 1e-6, "TFLOP/s", 4)
    return {"rows": rows, "missing": missing}


def versions(options):
    result = {"torch": torch.__version__, "cuda": torch.version.cuda, "gpu": torch.cuda.is_available()}
    result["cudnn"] = torch.backends.cudnn.version() if torch.cuda.is_available() else None
    try:
        import triton
        result["triton"] = triton.__version__
    except ImportError:
        result["triton"] = None
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("race", "agree", "limits", "versions"))
    for name in ("model", "dtype", "onnx", "engine", "tunefarm", "kind"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    result = {"race": race, "agree": agree, "limits": limits, "versions": versions}[options.what](options)
    print(json.dumps(result))
    return 0 if result.get("agrees", True) else 1


if __name__ == "__main__":
    sys.exit(main())
