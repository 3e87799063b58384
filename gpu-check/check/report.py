"""What a phase leaves behind: PHASE.json, which is also its state, and PHASE.md, made from it.

A phase is a list of items, each with a key. An item is run once: its verdict is written at once, and a later call on the same machine with the
same bundle goes on behind it. Verdicts:

    pass, fail      it ran
    skip            it does not apply here, and says why
    not run         something it needs is absent here, and what
    later           the time was over: the next call takes it up
"""
import json
import os
import threading
import time

SCHEMA = 1
KEPT = ("pass", "skip")  # the rest is tried again by the next call


class Phase:
    def __init__(self, name, out, identity, machine, seconds, fresh, only=None):
        self.name, self.out, self.identity, self.machine = name, out, identity, machine
        self.end = time.monotonic() + seconds
        self.lock, self.only = threading.Lock(), only
        self.items = [] if fresh else self._earlier()

    def _path(self, kind):
        return os.path.join(self.out, f"{self.name}.{kind}")

    def _earlier(self):
        try:
            with open(self._path("json")) as file:
                data = json.load(file)
        except (OSError, ValueError):
            return []
        if data.get("schema") != SCHEMA or data.get("identity") != self.identity:
            return []  # another bundle or another machine
        return [item for item in data.get("items", []) if item.get("verdict") in KEPT]

    def left(self):
        return self.end - time.monotonic()

    def find(self, key):
        return next((item for item in self.items if item["key"] == key), None)

    def put(self, key, verdict, why="", seconds=0.0, **data):
        with self.lock:
            self.items = [item for item in self.items if item["key"] != key]
            self.items.append({"key": key, "verdict": verdict, "why": why, "seconds": round(seconds, 2), "data": data})
            self.save()
            print(f"[{self.name}] {verdict:8}{key}{': ' + why if why else ''}", flush=True)

    def run(self, key, work, least=5):
        """Runs work() -> (verdict, why, data) unless the item is done or not asked for, or fewer than `least` seconds are left."""
        if self.find(key) or (self.only and not self.only.search(key)):
            return
        if self.left() < least:
            self.put(key, "later", f"fewer than {least:.0f} s were left")
            return
        begin = time.monotonic()
        try:
            verdict, why, data = work()
        except Exception as error:  # a broken item costs itself only
            verdict, why, data = "fail", f"{type(error).__name__}: {error}"[:400], {}
        self.put(key, verdict, why, time.monotonic() - begin, **data)

    def counts(self):
        result = {}
        for item in self.items:
            result[item["verdict"]] = result.get(item["verdict"], 0) + 1
        return result

    def save(self):
        os.makedirs(self.out, exist_ok=True)
        data = {"schema": SCHEMA, "phase": self.name, "identity": self.identity, "machine": self.machine, "counts": self.counts(),
                "items": self.items}
        write(self._path("json"), json.dumps(data, indent=1, sort_keys=True) + "\n")

    def finish(self, tables):
        """Writes the Markdown: the machine, then `tables`, a list of (title, header, rows), then every item that did not pass."""
        self.save()
        text = [f"# gpu-check: {self.name}", "", *machine_lines(self.machine), ""]
        for title, header, rows in tables:
            text += [f"## {title}", "", *table(header, rows), ""]
        rest = [(item["key"], item["verdict"], item["why"]) for item in self.items if item["verdict"] != "pass"]
        if rest:
            text += ["## What did not pass or did not run", "", *table(("item", "verdict", "why"), rest), ""]
        text.append(f"Verdicts: {', '.join(f'{count} {verdict}' for verdict, count in sorted(self.counts().items())) or 'none'}.")
        write(self._path("md"), "\n".join(text) + "\n")


def write(path, text):
    with open(path + ".new", "w") as file:
        file.write(text)
    os.replace(path + ".new", path)


def cell(value):
    if value is None:
        return "not measured"
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def table(header, rows):
    if not rows:
        return ["Not measured."]
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return lines + ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows]


def machine_lines(machine):
    device = machine.get("device") or {}
    lines = [f"Device: {device.get('name', 'none')}, {device.get('uuid', 'no UUID')}; `{device.get('device_class', 'no class')}`."]
    if machine.get("fake"):
        lines.append("**A stand-in for a driver: figures of time mean nothing.**")
    libraries = machine.get("libraries", {})
    lines.append("Libraries: " + ", ".join(f"{name} {what.get('version') or 'absent'}" for name, what in sorted(libraries.items())) + ".")
    if machine.get("clocks"):
        lines.append("Clocks before the phase: " + ", ".join(f"{name} {value}" for name, value in machine["clocks"].items()) + ".")
    lines.append(f"Host: {machine.get('cpu', '?')}, {machine.get('cores', '?')} cores, glibc {machine.get('glibc', '?')}; "
                 f"tunefarm {machine.get('tunefarm', '?')}, commit {machine.get('commit', '?')}.")
    return lines
