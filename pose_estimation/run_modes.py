"""Train several modes with the same settings side by side, each in a process of its own.

    python pose_estimation/run_modes.py --cfg experiments/demo/people.yaml --modes baseline2,ours1,ours2 [KEY VALUE ...]

Every line starts with the name of its mode. A mode whose results.json is newer than the YAML file is not trained
again. Small networks use several cores best in this way: one process per mode and few threads for each.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.config.loader import load_config, parse_overrides
from lib.config.run_paths import RunPaths
from lib.ignoring.modes import MODES
from lib.utils.errors import InputError

MAIN = Path(__file__).resolve().with_name("main.py")


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command's arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cfg", required=True, type=Path, metavar="FILE", help="YAML file of settings")
    parser.add_argument(
        "--modes",
        required=True,
        metavar="MODE,...",
        help=f"of {', '.join(MODES)}; the longest first is fastest",
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), metavar="N", help="modes side by side; default: the cores"
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="any setting, for all modes")
    return parser


def results_path(cfg: Path, mode: str, overrides: list[str]) -> Path:
    """Where main.py writes the results.json of a mode."""
    config = load_config(cfg, parse_overrides(overrides))
    return RunPaths.for_transfer(config, cfg, mode).output / "results.json"


def is_finished(results: Path, cfg: Path) -> bool:
    """True if ``results`` exists and is newer than the settings in ``cfg``."""
    return results.exists() and results.stat().st_mtime > cfg.stat().st_mtime


class SideBySide:
    """Runs command lines at the same time, and prints their output line by line, with a name before each."""

    def __init__(self, jobs: int, width: int):
        self.jobs, self.width = jobs, width
        self.printing = threading.Lock()
        self.running: list[subprocess.Popen] = []

    def run(self, commands: dict[str, list[str]]) -> dict[str, int]:
        """Run all of ``commands`` {name: command line}; {name: exit code}.

        After Ctrl-C, which every process gets, or SIGTERM, which is passed on, it waits until the running ones
        have saved their state.
        """
        pool = ThreadPoolExecutor(self.jobs)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        try:
            return dict(zip(commands, pool.map(self._run, commands, commands.values())))
        except SystemExit:
            for process in self.running:
                process.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def _run(self, name: str, command: list[str]) -> int:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        self.running.append(process)
        for line in process.stdout or ():
            with self.printing:
                print(f"{name.ljust(self.width)} | {line}", end="", flush=True)
        return process.wait()


def train_modes(arguments: argparse.Namespace) -> int:
    """Train what is missing; the exit code of the first mode that failed, else 0."""
    modes = arguments.modes.split(",")
    if unknown := set(modes) - set(MODES):
        raise InputError(f"--modes: {', '.join(sorted(unknown))} is not among {', '.join(MODES)}")
    if arguments.jobs < 1:
        raise InputError(f"--jobs is {arguments.jobs}, expected at least 1")
    cfg, overrides = arguments.cfg, arguments.overrides
    missing = [mode for mode in modes if not is_finished(results_path(cfg, mode, overrides), cfg)]
    jobs = min(arguments.jobs, len(missing)) or 1
    # The cores are shared out, unless THREADS is given.
    threads = ["THREADS", str(max(1, (os.cpu_count() or 1) // jobs))]
    threads = [] if "THREADS" in overrides else threads
    commands = {
        mode: [sys.executable, "-u", str(MAIN), "--cfg", str(cfg), f"--{mode}", *overrides, *threads]
        for mode in missing
    }
    codes = SideBySide(jobs, max(map(len, modes))).run(commands)
    failed = {mode: code for mode, code in codes.items() if code}
    for mode, code in failed.items():
        print(f"error: {mode} ended with exit code {code}, see its lines above", file=sys.stderr)
    return next(iter(failed.values()), 0)


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code."""
    try:
        return train_modes(build_parser().parse_intermixed_args(argv))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
