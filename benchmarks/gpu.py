"""What the project does on one CUDA device, tests first, in some minutes and one table.

    python benchmarks/gpu.py --out output/gpu [--only step,floor] [--minutes 8.5]

Every part is a process with a time limit of its own: NAME.json has its numbers, NAME.txt its words, its
traceback among them where it fails. gpu.md and gpu.json are written after every part, so that what is done
survives a stop. With --only, the other parts stay as gpu.json has them.
tests: pytest -m gpu tests/gpu.   step: time and memory at ResNet-50, 256x192, 32 people in each batch.
floor: rates of the device, and the work of a step.   syncs: where the host waits for the device.
loader: samples a second.   demo: the built-in data's three modes against README.md's.
kernels, graphs, compile: where the time goes, and what a CUDA graph and torch.compile make of it.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from benchmarks.tables import rows, tables
from benchmarks.timing import machine
from lib.utils.errors import InputError
from lib.utils.files import write_text

HERE = Path(__file__).resolve().parent
LEAST = 15  # seconds: with less left no part begins
# TrainingBatches that a step takes
BATCHES = {"baseline2": 2, "ours1": 3, "ours2": 3, "ours5": 3}


@dataclass(frozen=True)
class Part:
    """script: of this folder, which has the part; none for pytest.   limit: seconds."""

    name: str
    script: str | None
    limit: int

    def command(self, out: Path, options: argparse.Namespace) -> list[str]:
        if self.script is None:
            return [
                sys.executable, "-m", "pytest", "-q", "-m", "gpu", "tests/gpu", "-p", "no:cacheprovider",
                "-o", "junit_family=xunit1", f"--junitxml={out / self.name}.xml",
            ]  # fmt: skip
        words = [str(HERE / self.script), self.name, "--file", str(out / f"{self.name}.json")]
        words += ["--device", options.device, *(["--tiny"] if options.tiny else [])]
        return [sys.executable, *words]


PARTS = (
    Part("tests", None, 130),
    Part("demo", "gpu_data.py", 170),
    Part("floor", "gpu_step.py", 80),
    Part("syncs", "gpu_step.py", 40),
    Part("step", "gpu_step.py", 180),
    Part("loader", "gpu_data.py", 45),
    Part("kernels", "gpu_step.py", 40),
    Part("graphs", "gpu_step.py", 40),
    Part("compile", "gpu_step.py", 150),
)


def run(part: Part, out: Path, limit: float, options: argparse.Namespace) -> dict:
    """Run one part; its state, seconds and numbers."""
    for kind in () if options.resume else ("json", "xml"):
        (out / f"{part.name}.{kind}").unlink(missing_ok=True)
    begun = time.monotonic()
    environment = os.environ | {"LBI_TEST_DEVICE": options.device, "PYTHONUNBUFFERED": "1"}
    with open(out / f"{part.name}.txt", "w") as log:
        process = subprocess.Popen(
            part.command(out, options), cwd=HERE.parent, stdout=log, stderr=log, env=environment,
            start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait(limit)
            state = "done" if code == 0 else f"failed (exit {code})"
        except subprocess.TimeoutExpired:
            state = f"stopped after {limit:.0f} s"
        finally:
            end(process)
    numbers = numbers_of(part, out)
    return {"state": state, "seconds": round(time.monotonic() - begun, 1), "numbers": numbers}


def end(process: subprocess.Popen) -> None:
    """With all the processes that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def numbers_of(part: Part, out: Path) -> dict:
    """What a part has left, also where it did not come to its end."""
    if part.script is None:
        report = out / f"{part.name}.xml"
        return of_tests(ElementTree.parse(report).getroot()) if report.exists() else {}
    file = out / f"{part.name}.json"
    return json.loads(file.read_text()) if file.exists() else {}


def of_tests(root: ElementTree.Element) -> dict:
    """From pytest's junit file: counts, what failed, and the properties that tests recorded."""
    suite = root if root.tag == "testsuite" else root.find("testsuite")
    counts = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    counts["passed"] = counts["tests"] - counts["failures"] - counts["errors"] - counts["skipped"]
    failed, recorded = [], []
    for case in suite.iter("testcase"):
        name = case.get("name", "").replace("|", "/")
        problem = next((child for child in case if child.tag in ("failure", "error")), None)
        if problem is not None:
            message = " ".join(problem.get("message", "").split()).replace("|", "/")[:160]
            failed.append({"test": f"{case.get('classname', '').rpartition('.')[2]}: {name}", "why": message})
        for known in case.iter("property"):
            recorded.append({"test": name, "what": known.get("name"), "value": known.get("value")})
    return {"counts": counts, "failed": failed, "recorded": recorded}


# The page


def bounds(found: dict) -> list[dict]:
    """Of each measured step whose work is known: ms at the device's rates, and their shares of its time."""
    floor, steps = (found.get(name, {}).get("numbers", {}) for name in ("floor", "step"))
    measured = {}
    for row in steps.get("steps", []):
        measured.setdefault((row["precision"], row["step"]), row.get("ms"))
    table = []
    for work in floor.get("work of a step", []):
        ms = measured.get((work["precision"], work["step"]))
        if not ms:
            continue
        matrix = 1000 * work["TFLOP"] / floor["matrix TFLOP/s"][work["precision"].split("+")[0]]
        moving = 1000 * work["GB"] / floor["copy GB/s"]
        table.append({
            "precision": work["precision"], "step": work["step"], "ms": ms, "ms of arithmetic": matrix,
            "ms of memory": moving, "arithmetic / measured": matrix / ms, "memory / measured": moving / ms,
        })  # fmt: skip
    return table


def appetite(found: dict, people: int = 32) -> list[dict]:
    """Samples a second that the measured steps take."""
    steps = found.get("step", {}).get("numbers", {}).get("steps", [])
    return [
        {
            "precision": row["precision"],
            "step": row["step"],
            "samples/s": 1000 * people * BATCHES[row["step"]] / row["ms"],
        }
        for row in steps
        if row["step"] in BATCHES and "ms" in row
    ]


def page(report: dict) -> str:
    """gpu.md."""
    found = report["parts"]
    about = ", ".join(f"{key} {value}" for key, value in report["machine"].items())
    text = ["# On one CUDA device\n", f"Written by `benchmarks/gpu.py`, on {about}.\n"]
    text += [
        rows(
            ["part", "state", "seconds"],
            [[name, one["state"], one["seconds"]] for name, one in found.items()],
        )
    ]
    for title, table in (("What bounds a step", bounds(found)), ("Samples that steps take", appetite(found))):
        if table and not report["tiny"]:
            text += [f"## {title}\n", tables({"": table}).removeprefix("### \n\n")]
    for name, one in found.items():
        if one["numbers"]:
            text += [f"## {name}\n", tables(one["numbers"])]
    return "\n".join(text)


def write(report: dict, out: Path) -> None:
    write_text(out / "gpu.json", json.dumps(report, indent=2) + "\n")
    write_text(out / "gpu.md", page(report))


def about_machine() -> dict:
    """timing.machine(), and versions of what is beneath torch."""
    found = machine() | {"CUDA": str(torch.version.cuda), "cuDNN": str(torch.backends.cudnn.version())}
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory
        found["memory of the device, MiB"] = memory // 2**20
        asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        try:
            found["driver"] = subprocess.run(asked, capture_output=True, text=True).stdout.split("\n")[0]
        except OSError:
            found["driver"] = "unknown"
    return found


def chosen(text: str | None, parts: tuple[Part, ...]) -> list[Part]:
    """InputError for a part that there is not."""
    known = {part.name: part for part in parts}
    wanted = text.split(",") if text else list(known)
    for name in wanted:
        if name not in known:
            raise InputError(f"--only: there is no part {name!r}; there are {', '.join(known)}")
    return [part for name, part in known.items() if name in wanted]


def parse(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for all that is written")
    parser.add_argument("--only", metavar="PART,...", help="default: all")
    parser.add_argument("--minutes", type=float, default=8.5, help="for all parts; default: 8.5")
    parser.add_argument("--resume", action="store_true", help="keep the rows that the step part has already")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: with --tiny")
    parser.add_argument("--tiny", action="store_true", help="everything small, to see that it runs")
    return parser.parse_args(words)


def main(words: list[str] | None = None, parts: tuple[Part, ...] = PARTS) -> int:
    """The exit code: 1 where a part did not come to its end, 2 for what cannot be used."""
    begun, options = time.monotonic(), parse(words)
    try:
        wanted = chosen(options.only, parts)
        if not (options.device == "cpu" and options.tiny or torch.cuda.is_available()):
            raise InputError("benchmarks/gpu.py needs a CUDA device, and torch finds none")
        if options.device == "cpu" and not options.tiny:
            raise InputError("--device cpu is for --tiny only")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    kept = out / "gpu.json"
    known = json.loads(kept.read_text())["parts"] if kept.exists() else {}
    report = {"machine": about_machine(), "tiny": options.tiny, "parts": known}
    for part in wanted:
        left = 60 * options.minutes - (time.monotonic() - begun)
        if left < LEAST:
            one = {"state": "not begun: no time left", "seconds": 0, "numbers": {}}
        else:
            one = run(part, out, min(part.limit, left), options)
        known[part.name] = one
        report["parts"] = known = {p.name: known[p.name] for p in parts if p.name in known}
        write(report, out)
        print(f"{part.name}: {one['state']}, {one['seconds']} s", flush=True)
    print(f"{out / 'gpu.md'}, {kept}")
    return int(any(known[part.name]["state"] != "done" for part in wanted))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a part ends with this process
    sys.exit(main())
