"""One table of finished runs: PCKh on the test set, time per step, and where logs and results lie.

python pose_estimation/compare.py RESULTS.json [RESULTS.json ...]
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.core.errors import InputError
from lib.dataset.annotations import read_json

GROUPS = ("Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Mean", "Mean@0.1")


def read_results(path: str) -> dict:
    results = read_json(Path(path))
    try:
        results["test"]["PCKh"]["Mean"], results["mode"], results["seed"], results["output"], results["log"]
    except (KeyError, TypeError):
        raise InputError(
            f"{path}: not the results of a run: it needs mode, seed, test, output and log"
        ) from None
    return results


def rows_of(results: dict) -> list[list[str]]:
    """A row for the target model and, where there is one, for the source model."""

    def cells(name: str, found: dict, step: str, auroc: str) -> list[str]:
        values = (found["PCKh"].get(group) for group in GROUPS)
        return [name, *("-" if v is None else f"{v:.1f}" for v in values), step, auroc]

    seconds = results.get("seconds_per_step")
    step = "-" if seconds is None else f"{1000 * seconds:.0f}"
    known = [w["auroc"] for w in (results.get("weights") or {}).values() if w.get("auroc") is not None]
    rows = [cells(results["mode"], results["test"], step, f"{known[0]:.2f}" if known else "-")]
    if results.get("source_model"):
        rows.append(cells("  its source model", results["source_model"]["test"], "", ""))
    return rows


def table(header: list[str], rows: list[list[str]]) -> str:
    """Columns as wide as their widest cell, the first to the left, the rest to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]

    def line(row: list[str]) -> str:
        return "  ".join(
            cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(zip(row, widths))
        )

    return "\n".join([line(header), line(["-" * width for width in widths]), *map(line, rows)])


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", nargs="+", metavar="RESULTS.json")
    try:
        runs = [read_results(path) for path in parser.parse_args(words).results]
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(
        "\nPCKh@0.5 on the test set, percent; AUROC: how well the weights tell wrong labels from right ones"
    )
    header = ["mode", *GROUPS, "ms/step", "AUROC"]
    print(table(header, [row for run in runs for row in rows_of(run)]))
    print(f"\n{len(runs)} runs, seeds {', '.join(sorted({str(run['seed']) for run in runs}))}")
    for run in runs:
        print(f"{run['mode']}: {run['output']}/results.json, curves in {run['log']}")
    boards = Path(runs[0]["log"]).parents[2] if len(Path(runs[0]["log"]).parts) > 3 else Path(runs[0]["log"])
    print(f"curves and pictures: tensorboard --logdir {boards}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
