"""What a report of gpu-check.sh must have. Usage: gpu-bundle-verify.py PHASE OUT VERDICT | same FILE FILE | sanitizer CHECK
The phase must have an item of that verdict; when it is `pass` none may have failed or wait. `sanitizer` holds the words of a tool that CI does not
have against what the folder CHECK makes of them."""
import json
import os
import sys

VERDICTS = {"pass", "fail", "skip", "not run", "later"}


def must(condition, text):
    if not condition:
        sys.exit(text)


def read(path):
    with open(path) as file:
        return json.load(file)


def machine_check(machine, ran):
    must(isinstance(machine.get("libraries"), dict), "no libraries")
    for key in ("tunefarm", "commit", "glibc", "python"):
        must(machine.get(key), f"machine: no {key}")
    if ran:
        for key in ("name", "uuid", "device_class"):
            must(machine["device"].get(key), f"device: no {key}")
        must(machine["libraries"]["cuda"]["version"], "no version of the driver")


def report_check(phase, out, verdict):
    report = read(os.path.join(out, f"{phase}.json"))
    must(report["schema"] == 1 and report["phase"] == phase, "another schema or phase")
    items = report["items"]
    must(items and all(set(item) == {"key", "verdict", "why", "seconds", "data"} for item in items), "items lack something")
    must(len({item["key"] for item in items}) == len(items), "a key stands twice")
    must(all(item["verdict"] in VERDICTS for item in items), "an unknown verdict")
    must(all(item["why"] for item in items if item["verdict"] != "pass"), "a verdict without its reason")
    machine_check(report["machine"], report["machine"]["device"] is not None)
    got = [item["verdict"] for item in items]
    must(verdict in got, f"no item is `{verdict}`: {got}")
    must(verdict != "pass" or not {"fail", "later"} & set(got), f"not all passed: {[(i['key'], i['why']) for i in items if i['verdict'] in ('fail', 'later')]}")
    if verdict == "pass":
        CONTENTS.get(phase, lambda items: None)(items)
    if phase != "records":
        with open(os.path.join(out, f"{phase}.md")) as file:
            text = file.read()
        must(text.startswith(f"# gpu-check: {phase}\n") and "Device: " in text and "Verdicts: " in text, "the Markdown lacks its parts")


def correct(items):
    tours = [item["data"] for item in items if "family" in item["data"]]
    must(len(tours) >= 3 and all(t["variants"] > 0 and 0 <= t["worst_share"] <= 1 and t["reached"] == t["problems"] for t in tours), f"tours: {tours}")
    net = next((item["data"] for item in items if item["key"] == "model tiny f32"), {})
    must(net.get("check", {}).get("passed") and net["host_steps"] == 0 and net["device"] != "cpu", f"tiny: {net}")


def tune(items):
    for item in items:
        data = item["data"]
        must(data["measured"] > 0 and data["variants_timed"] > 0, f"nothing was measured: {data}")
        must(data["second_measured"] == 0 and data["same_bytes"] is True, f"the second build: {data}")
        must(data["host_steps"] == 0, f"steps on the host: {data['host_names']}")


def records(items):
    must(items[0]["data"]["records"] > 0 and items[0]["data"]["bytes"] > 100, f"records: {items[0]['data']}")


def limits(items):
    rows = [row for item in items for row in item["data"].get("rows", [])]
    must({"copy by a kernel", "read by a kernel", "empty kernels in a graph", "matrix product f16"} <= {row["what"] for row in rows}, "limits are missing")
    must(all(row["value"] > 0 and row["n"] >= 3 and row["unit"] for row in rows), "a row lacks its figures")


# exit code, timed out, what compute-sanitizer prints; the verdict, a part of the reason
SANITIZER = (
    (0, False, "========= COMPUTE-SANITIZER\n========= ERROR SUMMARY: 0 errors\n", "pass", ""),
    (9, False, "========= Invalid __global__ write of size 4 bytes\n=========     at k+0x10\n========= ERROR SUMMARY: 3 errors\n", "fail", "3 findings; ========= Invalid"),
    (0, False, "========= ERROR SUMMARY: 0 errors\n========= ERROR SUMMARY: 1 error\n", "fail", "1 findings"),
    (9, False, "========= RACECHECK SUMMARY: 2 hazards displayed (1 error, 1 warning)\n", "fail", "2 findings"),
    (0, False, "========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)\n", "pass", ""),
    (1, False, "========= Error: Device not supported. Please refer to the manual\n========= ERROR SUMMARY: 0 errors\n", "not run", "Device not supported"),
    (127, False, "cannot open shared object file\n", "not run", "does not work here"),
    (1, False, "FAIL gpu_family_map (3 ms)\n========= ERROR SUMMARY: 0 errors\n", "fail", ""),
    (-1, True, "", "later", "no end"),
)


def sanitizer(folder):
    sys.path.insert(0, folder)
    import machine
    import sanitize
    for code, timed_out, text, verdict, part in SANITIZER:
        got, why, _ = sanitize.verdict_of(machine.Result(code, text, "", 1.0, timed_out))
        must(got == verdict and part in why, f"{text!r}: {got}, {why}")


CONTENTS = {"correct": correct, "tune": tune, "records": records, "limits": limits}

if sys.argv[1] == "same":
    first, second = (read(path)["items"] for path in sys.argv[2:4])
    must(sorted(map(str, first)) == sorted(map(str, second)), "items were run again")
elif sys.argv[1] == "sanitizer":
    sanitizer(sys.argv[2])
else:
    report_check(*sys.argv[1:4])
