"""Print a table of finished runs: PCKh (or PCK) on the test set, time per step, paths of logs and results.

python pose_estimation/compare.py RESULTS.json [RESULTS.json ...]
"""

import argparse
import sys
from pathlib import Path

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.report.results import MEASURES, columns_of, groups_of, measure_of, read_results, rows_of
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


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", nargs="+", metavar="RESULTS.json", help="results.json of a run's output")
    try:
        runs = [read_results(path) for path in parser.parse_args(argv).results]
        groups = groups_of(runs)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    measure = MEASURES[measure_of(runs[0])]
    print(
        f"\n{measure} on the test set, percent; "
        "AUROC: how well the weights separate wrong labels from correct ones"
    )
    print(table(list(columns_of(groups)), [row for run in runs for row in rows_of(run, run["mode"], groups)]))
    print(f"\n{len(runs)} runs, seeds {', '.join(sorted({str(run['seed']) for run in runs}))}")
    for run in runs:
        print(f"{run['mode']}: {run['output']}/results.json, curves in {run['log']}")
    print(f"curves and images: tensorboard --logdir {log_root(runs[0]['log'])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
