"""The machine: how the bundle's programs are run here, and what is written beside every figure."""
import ctypes
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time

BUNDLE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Result:
    def __init__(self, code, out, err, seconds, timed_out):
        self.code, self.out, self.err, self.seconds, self.timed_out = code, out, err, seconds, timed_out

    def last(self):
        """The last line that says something."""
        lines = [line.strip() for line in (self.err + "\n" + self.out).splitlines() if line.strip()]
        words = [line for line in lines if "error" in line.lower()] or lines
        return "no end in time" if self.timed_out else (words[-1][:400] if words else f"exit code {self.code}")


def manifest():
    """The head of MANIFEST: names and values before the list of files."""
    head = {}
    with open(os.path.join(BUNDLE, "MANIFEST")) as file:
        for line in file:
            words = line.split()
            if len(words) == 2 and "/" not in words[1]:
                head[words[0]] = words[1]
    return head


def manifest_digest():
    import hashlib
    with open(os.path.join(BUNDLE, "MANIFEST"), "rb") as file:
        return hashlib.blake2b(file.read(), digest_size=16).hexdigest()


def version_of(text):
    return tuple(int(word) for word in text.split("_")[-1].split(".") if word.isdigit())


def system_cxx():
    """The newest GLIBCXX version of this machine's own C++ library; () when it has none."""
    try:
        library = ctypes.CDLL("libstdc++.so.6")
    except OSError:
        return ()
    del library
    with open("/proc/self/maps") as file:
        path = next((line.split()[-1] for line in file if "libstdc++.so" in line), None)
    if not path:
        return ()
    import re
    with open(path, "rb") as file:
        found = re.findall(rb"GLIBCXX_(\d+(?:\.\d+)+)", file.read())
    return max((tuple(int(n) for n in v.split(b".")) for v in found), default=())


class Machine:
    def __init__(self, work, device=None):
        self.work, self.head = work, manifest()
        self.device = device
        self.env = self._environment()
        self.about = {}

    def _environment(self):
        env = dict(os.environ)
        cache = os.path.join(self.work, "home")
        os.makedirs(cache, exist_ok=True)
        env.update(XDG_CACHE_HOME=cache, XDG_CONFIG_HOME=cache, TUNEFARM_LOCKS=os.path.join(self.work, "locks"),
                   TUNEFARM_FAKE_CACHE=env.get("TUNEFARM_FAKE_CACHE", os.path.join(self.work, "fake-cubins")))
        env.setdefault("HOME", self.work)
        env.setdefault("VIRTUAL_ENV", sys.prefix)  # NVIDIA's wheels are looked for there
        if self.fake():  # NVIDIA's libraries cannot run on a stand-in for their driver
            env.setdefault("TUNEFARM_LIBCUBLASLT", "/nonexistent")
            env.setdefault("TUNEFARM_LIBNVML", "/nonexistent")
        wanted = version_of(self.head.get("libstdcxx", ""))
        if system_cxx() < wanted:  # none here, or too old: the bundle's own, for our programs alone
            env["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, [os.path.join(BUNDLE, "fallback"), env.get("LD_LIBRARY_PATH")]))
        return env

    def fake(self):
        return "fake" in os.path.basename(os.environ.get("TUNEFARM_LIBCUDA", ""))

    def program(self, name):
        return os.path.join(BUNDLE, name)

    def run(self, words, timeout, env=None, cwd=None):
        """Runs a program in a session of its own, which is ended with everything in it after `timeout` seconds."""
        begin = time.monotonic()
        child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=cwd or self.work,
                                 env={**self.env, **(env or {})}, start_new_session=True, text=True, errors="replace")
        try:
            out, err = child.communicate(timeout=max(1, timeout))
            return Result(child.returncode, out, err, time.monotonic() - begin, False)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            out, err = child.communicate()
            return Result(-1, out or "", err or "", time.monotonic() - begin, True)

    def tunefarm(self, *words, timeout=60, env=None):
        return self.run([self.program("bin/tunefarm"), *words], timeout, env)

    def look(self):
        """Fills `about`; returns why no GPU can be used here, or ''."""
        result = self.tunefarm("doctor", "--quick", "--json", "--cache", os.path.join(self.work, "cache"))
        try:
            doctor = json.loads(result.out)
        except ValueError:
            return f"tunefarm doctor: {result.last()}"
        gpu = doctor.get("gpu", {})
        devices = gpu.get("devices", [])
        chosen = next((d for d in devices if self.device in (None, d["uuid"], str(d["ordinal"]))), None)
        cpu = doctor.get("cpu", {})
        self.about = {"device": chosen, "fake": self.fake(), "libraries": gpu.get("libraries", {}), "clocks": self.clocks(),
                      "cpu": cpu.get("name"), "cores": cpu.get("cores_allowed"), "glibc": platform.libc_ver()[1],
                      "kernel": platform.release(), "python": platform.python_version(), "tunefarm": self.head.get("tunefarm"),
                      "commit": self.head.get("commit")}
        if chosen:
            return ""
        cuda = gpu.get("libraries", {}).get("cuda", {})
        return cuda.get("why") or (f"there is no GPU `{self.device}`" if devices else "the driver has no device")

    def clocks(self):
        """What nvidia-smi reads, {} without it. Nothing is set."""
        tool = shutil.which("nvidia-smi")
        if not tool or self.fake():
            return {}
        names = "clocks.sm,clocks.mem,clocks.max.sm,clocks.max.mem,power.draw,power.limit,temperature.gpu,driver_version"
        which = ["-i", self.device] if self.device else ["-i", "0"]
        result = self.run([tool, *which, f"--query-gpu={names}", "--format=csv,noheader"], 20)
        values = [word.strip() for word in result.out.strip().split("\n")[0].split(",")]
        return dict(zip(names.split(","), values)) if result.code == 0 else {}

    def identity(self):
        """What a state belongs to: this bundle, this device, these libraries."""
        device = self.about.get("device") or {}
        libraries = self.about.get("libraries", {})
        versions = {name: libraries.get(name, {}).get("version") for name in ("cuda", "nvrtc", "cublaslt", "nvml")}
        return {"bundle": manifest_digest(), "uuid": device.get("uuid"), "class": device.get("device_class"), "versions": versions}

    def sm(self):
        words = ((self.about.get("device") or {}).get("device_class") or "").split()
        return next((int(word[3:]) for word in words if word.startswith("sm:")), 0)

    def target(self):
        return f"cuda-sm{self.sm()}"

    def leftovers(self):
        """Processes over our own folders: coordinators that wait to idle, their workers."""
        marks = {os.path.join(self.work, name).encode() for name in ("cache", "imported")}
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"tunefarm") and marks & set(words):
                found.append(int(name))
        return found

    def leftovers_end(self):
        """Ends what a phase left running, and waits until it is gone."""
        for number in self.leftovers():
            try:
                os.kill(number, signal.SIGTERM)
            except OSError:
                pass
        end = time.monotonic() + 10
        while self.leftovers() and time.monotonic() < end:
            time.sleep(0.1)
