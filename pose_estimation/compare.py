"""Print a table of finished runs: PCKh (or PCK) on the test set, time per step, paths of logs and results.

    python pose_estimation/compare.py RUN [RUN ...]

RUN: the folder of a run, its results.json, or a folder of runs. Runs of the same mode are told apart by the
settings that differ, or by their folders.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.config.loader import load_config
from lib.config.schema import Config
from lib.report.names import run_names
from lib.report.results import DETECTION, MEASURES, columns_of, groups_of, measure_of, read_results, rows_of
from lib.utils.errors import InputError


def table(header: list[str], rows: list[list[str]]) -> str:
    """Format a table: the first column aligned to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]

    def line(row: list[str]) -> str:
        return "  ".join(
            cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(zip(row, widths))
        )

    return "\n".join([line(header), line(["-" * width for width in widths]), *map(line, rows)])


def log_root(log: str) -> Path:
    """The folder for tensorboard: that of all runs on the same data, from a run's log folder."""
    path = Path(log)  # LOG_DIR/data/network/settings/mode
    return path.parents[2] if len(path.parts) > 3 else path


def curves_of(run: dict[str, Any], path: Path) -> str:
    """The log folder of the run with the results ``path``; a run that was moved aside took its own along."""
    log, folder, was = Path(run["log"]), path.parent.name, Path(run["output"]).name
    return str(log.with_name(folder)) if folder.startswith(f"{was}.") else run["log"]


def results_files(given: Path) -> tuple[list[Path], list[Path]]:
    """The results.json of a run's folder, or else those of the runs in the folder ``given``; a file is itself.

    Returns:
        The files, and the folders in ``given`` of runs that have none yet.

    Raises:
        InputError: A folder has none.
    """
    if not given.is_dir():
        return [given], []
    own = given / "results.json"
    if own.exists():
        return [own], []
    found = sorted(given.glob("*/results.json"))
    if not found:
        raise InputError(
            f"{given}: neither it nor a folder in it has a results.json; expected a finished run"
        )
    started = sorted(path.parent for path in given.glob("*/config.yaml"))
    return found, [folder for folder in started if folder / "results.json" not in found]


def config_beside(path: Path) -> Config | None:
    """The settings of the run with the results ``path``; None if they are not there or of another version."""
    try:
        return load_config(path.with_name("config.yaml"))
    except InputError:
        return None


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a folder, or a results.json")
    try:
        found = [results_files(given) for given in parser.parse_args(argv).runs]
        paths = [path for files, _ in found for path in files]
        runs = [read_results(path) for path in paths]
        groups = groups_of(runs)
        folders = [path.parent if path.name == "results.json" else path for path in paths]
        names = run_names(folders, runs, list(map(config_beside, paths)))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    measure = MEASURES[measure_of(runs[0])]
    print(f"\n{measure} on the test set, percent; {DETECTION}")
    rows = [row for run, name in zip(runs, names) for row in rows_of(run, name, groups)]
    print(table(list(columns_of(groups)), rows))
    print(f"\n{len(runs)} runs, seeds {', '.join(sorted({str(run['seed']) for run in runs}))}")
    for run, name, path in zip(runs, names, paths):
        print(f"{name}: {path}, curves in {curves_of(run, path)}")
    for folder in (folder for _, folders in found for folder in folders):
        print(f"{folder}: left out, as it has no results.json: not finished")
    for root in dict.fromkeys(log_root(run["log"]) for run in runs):
        print(f"curves and images: tensorboard --logdir {root}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
