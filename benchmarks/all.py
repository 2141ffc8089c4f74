"""Run every benchmark of this folder except the evidence, one after the other, and tabulate the results.

    python benchmarks/all.py [--only nms,growth] [--repeat N] [--out benchmarks/results]

Writes speed.json and speed.md. If a benchmark fails, its last lines are printed and the others still run.
Results of benchmarks that are not run are kept. Use an otherwise idle machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.tables import rows, tables
from lib.utils.errors import InputError
from lib.utils.files import write_text
from lib.utils.log import format_duration

# In the order of the table; each writes its numbers with --json.
BENCHMARKS = ("step", "precision", "communication", "data", "evaluation", "nms", "growth")
HERE = Path(__file__).resolve().parent


def chosen(text: str | None, folder: Path) -> list[str]:
    """The benchmarks in ``folder`` that ``text`` names, all if it is None; InputError for an unknown one."""
    present = [name for name in BENCHMARKS if (folder / f"{name}.py").is_file()]
    wanted = text.split(",") if text else present
    for name in wanted:
        if name not in present:
            raise InputError(f"--only: there is no benchmark {name!r}; there are {', '.join(present)}")
    return [name for name in present if name in wanted]


def run(script: Path, options: list[str]) -> dict:
    """The results of one benchmark, with its run time and memory; RuntimeError if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "numbers.json"
        begun = time.monotonic()
        with open(Path(folder) / "log", "w+") as log:
            process = subprocess.Popen(
                [sys.executable, str(script), "--json", str(path), *options],
                stdout=log,
                stderr=log,
                cwd=HERE.parent,
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode or not path.exists():
                log.seek(0)
                raise RuntimeError("".join(log.readlines()[-15:]))
        # macOS counts bytes, Linux KiB; Linux includes this process, which is small.
        unit = 1 if sys.platform == "darwin" else 1024
        numbers = json.loads(path.read_text())
        numbers["run"] = {
            "seconds": round(time.monotonic() - begun, 1),
            "peak MiB of the process": round(usage.ru_maxrss * unit / 2**20),
        }
        return numbers


def markdown(results: dict[str, dict]) -> str:
    """All ratios in one table, then the results of each benchmark and its machine."""
    ratios = [
        [name, what, value]
        for name, numbers in results.items()
        for what, value in numbers.get("ratios", {}).items()
    ]
    text = ["# Speed\n", "Written by `make bench`. Seconds are medians.\n"]
    text += ["## Ratios\n", rows(["benchmark", "ratio", "value"], ratios)]
    for name, numbers in results.items():
        machine = ", ".join(f"{key} {value}" for key, value in numbers["machine"].items())
        own = {key: value for key, value in numbers.items() if key != "ratios"}
        text += [f"## benchmarks/{name}.py\n", f"On {machine}.\n", tables(own)]
    return "\n".join(text)


def write(results: dict[str, dict], folder: Path) -> None:
    """Write speed.json and speed.md."""
    write_text(folder / "speed.json", json.dumps(results, indent=2) + "\n")
    write_text(folder / "speed.md", markdown(results))


def main(argv: list[str] | None = None, here: Path = HERE) -> int:
    """Run the command; the exit code is 1 if a benchmark failed, 2 for invalid arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar="NAME,...", help=f"of {', '.join(BENCHMARKS)}; default: all there are")  # fmt: skip
    parser.add_argument("--repeat", type=int, help="rounds of each; default: each one's own")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch; default: 1")
    parser.add_argument(
        "--out", type=Path, default=HERE / "results", help="folder of speed.json and speed.md"
    )
    arguments = parser.parse_args(argv)
    options = ["--threads", str(arguments.threads)]
    options += ["--repeat", str(arguments.repeat)] if arguments.repeat else []
    try:
        names = chosen(arguments.only, here)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    path = arguments.out / "speed.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    failed = 0
    for number, name in enumerate(names, 1):
        print(f"[{number}/{len(names)}] benchmarks/{name}.py", flush=True)
        try:
            numbers = run(here / f"{name}.py", options)
            tables(numbers)
        except (RuntimeError, TypeError) as error:  # TypeError: results that are not a table
            failed += 1
            print(f"  failed:\n{error}", file=sys.stderr)
            continue
        print(f"  {format_duration(numbers['run']['seconds'])}", flush=True)
        results[name] = numbers
        results = {name: results[name] for name in BENCHMARKS if name in results}
        write(results, arguments.out)  # after each one, so that an interruption loses nothing
    if results:
        print(f"{arguments.out / 'speed.md'}, {path}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
