"""Monitor a long run: memory and open files of the training process and its workers. Linux only.

    python benchmarks/soak.py --minutes 20 --json output/soak.json

Trains ours2 on the built-in data (created if missing) for the given time, with workers, timed checkpoints and a
validation every other epoch, then stops it with SIGTERM and checks its exit code. Growth is the slope of a line
through the samples of the last three quarters, in MiB (or files) per hour, with its standard error; samples are
first averaged in twenty blocks, since successive ones are correlated.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.tables import tables
from benchmarks.timing import benchmark_parser, write_numbers
from lib.synthetic.generate import make_people

ROOT = Path(__file__).resolve().parents[1]
BLOCKS = 20


def children(pid: int) -> list[int]:
    """Process ids of the children of ``pid``; none if it has ended."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def sample(pid: int) -> dict[str, float] | None:
    """Private memory in MiB and number of open files of a process; None if it has ended."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        files = len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return None
    # Proportional memory (PSS) would change as workers come and go.
    private = sum(int(line.split()[1]) for line in rollup if line.startswith("Private_"))
    return {"MiB": private / 1024, "files": files}


def watch(process: subprocess.Popen, seconds: float, every: float) -> list[dict]:
    """Sample ``process`` and its workers every ``every`` seconds, until it ends or ``seconds`` have passed."""
    samples, begun = [], time.monotonic()
    while (now := time.monotonic() - begun) < seconds and process.poll() is None:
        main = sample(process.pid)
        workers = [values for pid in children(process.pid) if (values := sample(pid))]
        if main is not None:
            samples.append({"seconds": now, "MiB": main["MiB"], "files": main["files"], "workers": len(workers),
                          "MiB of the largest worker": max((w["MiB"] for w in workers), default=0.0),
                          "files of the largest worker": max((w["files"] for w in workers), default=0)})  # fmt: skip
        time.sleep(every)
    return samples


def growth(samples: list[dict], what: str) -> dict[str, float]:
    """First and last level of the column ``what``, and its growth per hour."""
    settled = [row for row in samples if row["seconds"] >= samples[-1]["seconds"] / 4]
    hours = np.array([row["seconds"] / 3600 for row in settled])
    values = np.array([row[what] for row in settled], float)
    blocks = min(BLOCKS, len(settled))
    x, y = (np.array([part.mean() for part in np.array_split(a, blocks)]) for a in (hours, values))
    slope, start = np.polyfit(x, y, 1)
    residual = y - (slope * x + start)
    error = np.sqrt((residual**2).sum() / max(blocks - 2, 1) / ((x - x.mean()) ** 2).sum())
    return {"what": what, "first block": y[0], "last block": y[-1], "an hour": slope, "standard error": error}


def main() -> int:
    """Run the command; the exit code is 1 if the run ended by itself or not as SIGTERM should end it."""
    parser = benchmark_parser(__doc__, repeat=1)
    parser.add_argument("--minutes", type=float, default=20, help="default: 20")
    parser.add_argument("--every", type=float, default=5, help="seconds between two samples; default: 5")
    parser.add_argument("--output", type=Path, default=ROOT / "output/soak", help="the run's folder")
    parser.add_argument("--cfg", type=Path, default=ROOT / "experiments/demo/people.yaml", metavar="FILE")
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="any setting")
    arguments = parser.parse_args()
    if not (ROOT / "data/people").exists():
        make_people(ROOT / "data/people")
    settings = {"TRAIN.END_EPOCH": "1000000", "WORKERS": "2", "LBI.SCHEDULE": "together", "LBI.FREEZE_WEIGHTS_EPOCH": "0",
                "TRAIN.SAVE_EVERY_MINUTES": "0.5", "THREADS": str(arguments.threads),
                "OUTPUT_DIR": str(arguments.output), "LOG_DIR": str(arguments.output / "log")}  # fmt: skip
    overrides = [text for pair in settings.items() for text in pair] + arguments.overrides
    command = [sys.executable, str(ROOT / "pose_estimation/main.py"), "--cfg", str(arguments.cfg), "--ours2"]
    arguments.output.mkdir(parents=True, exist_ok=True)
    with open(arguments.output / "terminal.log", "w") as log:
        process = subprocess.Popen([*command, *overrides], stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)
        samples = watch(process, 60 * arguments.minutes, arguments.every)
        if process.poll() is not None:
            print(f"the run ended by itself: see {arguments.output / 'terminal.log'}", file=sys.stderr)
            return 1
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=600)
    measured = [name for name in samples[0] if name not in ("seconds", "workers")]
    numbers = {
        "minutes": arguments.minutes,
        "exit code after SIGTERM": code,
        "growth": [growth(samples, name) for name in measured],
    }
    print(tables(numbers))
    write_numbers(arguments.json, {**numbers, "samples": samples})
    return int(code != 128 + signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
