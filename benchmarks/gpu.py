"""Run the GPU tests and measure training on one CUDA device, in a few minutes and one report.

    python benchmarks/gpu.py --out output/gpu [--only step,floor] [--minutes 8.5]

Every part is a process with its own time limit; NAME.json has its results, NAME.txt its output. gpu.md and
gpu.json are written after every part, so finished parts survive an interruption. With --only, the results of
the other parts are kept.

parts, the most valuable first:
  tests     pytest -m gpu tests/gpu
  step      time and memory of a step: ResNet-50, 256x192, 32 people in each batch
  syncs     where a step makes the host wait for the device
  demo      the three modes of the demo, compared with the README's results
  loader    samples per second of the data loader
  floor     rates of the device, operations and bytes of a step
  whole     part step for hypergradients along the whole network, and unrolled
  graphs    a step as a CUDA graph
  kernels   the longest kernels of a step
  compile   a step with TRAIN.COMPILE
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

from benchmarks.gpu_case import STEPS
from benchmarks.tables import rows, tables
from benchmarks.timing import machine
from lib.utils.errors import InputError
from lib.utils.files import write_text

HERE = Path(__file__).resolve().parent
MIN_SECONDS = 15  # no part is started with less time left


@dataclass(frozen=True)
class Part:
    """A part of the benchmark.

    script: file in this folder that measures the part; None for pytest.
    limit: time limit in seconds.
    """

    name: str
    script: str | None
    limit: int

    def command(self, out: Path, options: argparse.Namespace) -> list[str]:
        """The command line that runs the part and writes its results to the folder ``out``."""
        if self.script is None:
            return [
                sys.executable, "-m", "pytest", "-q", "-m", "gpu", "tests/gpu", "-p", "no:cacheprovider",
                "-o", "junit_family=xunit1", f"--junitxml={out / self.name}.xml",
            ]  # fmt: skip
        command = [sys.executable, str(HERE / self.script), self.name]
        command += ["--file", str(out / f"{self.name}.json"), "--device", options.device]
        return command + ["--tiny"] * options.tiny


PARTS = (
    Part("tests", None, 135),
    Part("step", "gpu_step.py", 130),
    Part("syncs", "gpu_waits.py", 30),
    Part("demo", "gpu_data.py", 150),
    Part("loader", "gpu_data.py", 60),
    Part("floor", "gpu_floor.py", 70),
    Part("whole", "gpu_step.py", 150),
    Part("graphs", "gpu_step.py", 60),
    Part("kernels", "gpu_step.py", 40),
    Part("compile", "gpu_step.py", 150),
)


def run(part: Part, out: Path, limit: float, options: argparse.Namespace) -> dict:
    """Run one part for at most ``limit`` seconds; its state, duration and results."""
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
            kill_group(process)
    numbers = read_numbers(part, out)
    return {"state": state, "seconds": round(time.monotonic() - begun, 1), "numbers": numbers}


def kill_group(process: subprocess.Popen) -> None:
    """Kill ``process`` and all processes that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def read_numbers(part: Part, out: Path) -> dict:
    """The results that a part has written so far, even if it failed or was stopped; empty if there are none."""
    if part.script is None:
        report = out / f"{part.name}.xml"
        return summarize_tests(ElementTree.parse(report).getroot()) if report.exists() else {}
    file = out / f"{part.name}.json"
    return json.loads(file.read_text()) if file.exists() else {}


def summarize_tests(root: ElementTree.Element) -> dict:
    """Counts, failures and recorded properties of the tests in pytest's JUnit report."""
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
        for entry in case.iter("property"):
            recorded.append({"test": name, "what": entry.get("name"), "value": entry.get("value")})
    return {"counts": counts, "failed": failed, "recorded": recorded}


# The report


def measured_steps(parts: dict) -> list[dict]:
    """The rows of the parts that measure steps, of those that have a time."""
    numbers = (parts.get(name, {}).get("numbers", {}) for name in ("step", "whole"))
    return [row for part in numbers for row in part.get("steps", []) if row.get("ms")]


def bounds(parts: dict) -> list[dict]:
    """Lower bounds on the time of each measured step: ms of its arithmetic and of its memory traffic at the
    device's measured rates, and their ratios to the measured time.

    Args:
        parts: {name: result of `run`}.
    """
    floor, measured, table = parts.get("floor", {}).get("numbers", {}), {}, []
    for row in measured_steps(parts):
        measured.setdefault((row["precision"], row["step"]), row["ms"])
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


def throughput(parts: dict, people: int = 32) -> list[dict]:
    """Samples per second of each measured step, whose batches have ``people`` samples."""
    batches = {name: 2 if name == "baseline2" else 3 for name in STEPS}
    return [
        {
            "precision": row["precision"],
            "step": row["step"],
            "samples/s": 1000 * people * batches[row["step"]] / row["ms"],
        }
        for row in measured_steps(parts)
        if row["step"] in batches
    ]


def page(report: dict) -> str:
    """The content of gpu.md."""
    parts = report["parts"]
    about = ", ".join(f"{key} {value}" for key, value in report["machine"].items())
    text = ["# On one CUDA device\n", f"Written by `benchmarks/gpu.py`, on {about}.\n"]
    text += [
        rows(
            ["part", "state", "seconds"],
            [[name, part["state"], part["seconds"]] for name, part in parts.items()],
        )
    ]
    for title, table in (
        ("What bounds a step", bounds(parts)),
        ("Samples that steps take", throughput(parts)),
    ):
        if table and not report["tiny"]:
            text += [f"## {title}\n", tables({"": table}).removeprefix("### \n\n")]
    for name, part in parts.items():
        if part["numbers"]:
            text += [f"## {name}\n", tables(part["numbers"])]
    return "\n".join(text)


def write(report: dict, out: Path) -> None:
    """Write gpu.json and gpu.md into the folder ``out``."""
    write_text(out / "gpu.json", json.dumps(report, indent=2) + "\n")
    write_text(out / "gpu.md", page(report))


def about_machine() -> dict:
    """timing.machine(), and the versions of CUDA, cuDNN and the driver."""
    description = machine() | {"CUDA": str(torch.version.cuda), "cuDNN": str(torch.backends.cudnn.version())}
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory
        description["memory of the device, MiB"] = memory // 2**20
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        try:
            description["driver"] = subprocess.run(query, capture_output=True, text=True).stdout.split("\n")[
                0
            ]
        except OSError:
            description["driver"] = "unknown"
    return description


def chosen(text: str | None, parts: tuple[Part, ...]) -> list[Part]:
    """The ``parts`` that ``text`` names, all if it is None; InputError for an unknown one."""
    by_name = {part.name: part for part in parts}
    wanted = text.split(",") if text else list(by_name)
    for name in wanted:
        if name not in by_name:
            raise InputError(f"--only: there is no part {name!r}; there are {', '.join(by_name)}")
    return [part for name, part in by_name.items() if name in wanted]


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--only", metavar="PART,...", help="default: all")
    parser.add_argument(
        "--minutes", type=float, default=8.5, help="time limit for all parts together; default: 8.5"
    )
    parser.add_argument(
        "--resume", action="store_true", help="parts step and whole: keep the rows that were measured before"
    )
    parser.add_argument(
        "--device", choices=("cuda", "cpu"), default="cuda", help="cpu: only with --tiny; default: cuda"
    )
    parser.add_argument(
        "--tiny",
        action="store_true",
        help="a tiny network and few repetitions, to check that everything runs",
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None, parts: tuple[Part, ...] = PARTS) -> int:
    """Run the command; the exit code is 1 if a part did not finish, 2 for invalid input."""
    begun, options = time.monotonic(), parse(argv)
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
    path = out / "gpu.json"
    results = json.loads(path.read_text())["parts"] if path.exists() else {}
    report = {"machine": about_machine(), "tiny": options.tiny, "parts": results}
    for part in wanted:
        left = 60 * options.minutes - (time.monotonic() - begun)
        if left < MIN_SECONDS:
            result = {"state": "not begun: no time left", "seconds": 0, "numbers": {}}
        else:
            result = run(part, out, min(part.limit, left), options)
        results[part.name] = result
        report["parts"] = results = {p.name: results[p.name] for p in parts if p.name in results}
        write(report, out)
        print(f"{part.name}: {result['state']}, {result['seconds']} s", flush=True)
    print(f"{out / 'gpu.md'}, {path}")
    return int(any(results[part.name]["state"] != "done" for part in wanted))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # runs the `finally` that kills the part
    sys.exit(main())
