"""results.json of a finished run, and its rows in a table of runs."""

from pathlib import Path

from lib.dataset.annotations import MAX_COORDINATE, read_json
from lib.utils.errors import InputError

# What a number of each measure says; the first that a run has is the one that it is judged by.
MEASURES = {"PCKh": "PCKh@0.5", "PCK": "PCK@0.1 of the box"}
GROUPS = ("Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Mean", "Mean@0.1")


def read_results(path: str | Path) -> dict:
    """What a run wrote at its end; InputError where it is not that."""
    results = read_json(Path(path))
    try:
        _check(results)
    except (KeyError, TypeError, AttributeError):
        raise InputError(
            f"{path}: not the results of a run: it needs mode, seed, test, output and log"
        ) from None
    return results


def measure_of(results: dict) -> str:
    """Which of ``MEASURES`` the run was tested by; KeyError where by none."""
    return next((measure for measure in MEASURES if measure in results["test"]), "PCKh")


def groups_of(runs: list[dict]) -> tuple[str, ...]:
    """The numbers that ``runs`` share a table of. Raises InputError where they have different ones."""
    measures = sorted({measure_of(run) for run in runs})
    groups = {GROUPS if measures == ["PCKh"] else tuple(run["test"][measure_of(run)]) for run in runs}
    if len(groups) > 1 or len(measures) > 1:
        raise InputError(
            f"these runs have no table in common: they have other joints or measures ({', '.join(measures)})"
        )
    return groups.pop()


def columns_of(groups: tuple[str, ...]) -> tuple[str, ...]:
    return ("mode", *groups, "ms/step", "AUROC")


def _check(results: dict) -> None:
    """KeyError, TypeError or AttributeError where ``results`` can't be what a run wrote."""
    tested = [results["test"], *([results["source_model"]["test"]] if results.get("source_model") else [])]
    weights = (results.get("weights") or {}).values()
    measure = measure_of(results)
    numbers = [value for found in tested for value in found[measure].values()]
    numbers += [results.get("seconds_per_step"), *(summary.get("auroc") for summary in weights)]
    counts = [results["seed"], results.get("steps"), results.get("best_epoch"), results["test"].get("people")]
    results["test"][measure]["Mean"]
    if (
        not all(isinstance(results[name], str) for name in ("mode", "output", "log"))
        or not all(n is None or isinstance(n, int | float) and abs(n) < MAX_COORDINATE for n in numbers)
        or not all(n is None or isinstance(n, int) for n in counts)
    ):
        raise TypeError
    if results.get("retrained"):
        _check(results["retrained"])


def rows_of(results: dict, name: str, groups: tuple[str, ...] = GROUPS) -> list[list[str]]:
    """A row of ``columns_of(groups)`` for the target model, for the source model where there is one, and the same
    for the run without the ignored labels where LBI.RETRAIN asked for it."""

    def cells(name: str, found: dict, step: str, auroc: str) -> list[str]:
        values = (found[measure_of(results)].get(group) for group in groups)
        return [name, *("-" if v is None else f"{v:.1f}" for v in values), step, auroc]

    seconds = results.get("seconds_per_step")
    step = "-" if seconds is None else f"{1000 * seconds:.0f}"
    known = [w["auroc"] for w in (results.get("weights") or {}).values() if w.get("auroc") is not None]
    rows = [cells(name, results["test"], step, f"{known[0]:.2f}" if known else "-")]
    if results.get("source_model"):
        rows.append(cells("  its source model", results["source_model"]["test"], "", ""))
    if results.get("retrained"):
        rows += rows_of(results["retrained"], "  retrained", groups)
    return rows
