"""Reads results.json of a finished run and turns it into rows of the results table."""

from pathlib import Path

from lib.dataset.annotations import MAX_COORDINATE, read_json
from lib.utils.errors import InputError

# {key in results.json: its name}; a run is ranked by the first of them that it has.
MEASURES = {"PCKh": "PCKh@0.5", "PCK": "PCK@0.1 of the box"}
GROUPS = ("Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Mean", "Mean@0.1")  # of PCKh

DETECTION = "AUROC, AP: how well the scores tell wrong labels from right ones"  # if these are known


def read_results(path: str | Path) -> dict:
    """Read and check results.json. Raises InputError if it is not the results of a run."""
    results = read_json(Path(path))
    try:
        _check(results)
    except (KeyError, TypeError, AttributeError):
        raise InputError(
            f"{path}: not the results of a run; expected valid values of mode, seed, test, output and log"
        ) from None
    return results


def measure_of(results: dict) -> str:
    """The first of ``MEASURES`` that the run was tested with; PCKh if there is none."""
    return next((measure for measure in MEASURES if measure in results["test"]), "PCKh")


def groups_of(runs: list[dict]) -> tuple[str, ...]:
    """The keys of the test results that are columns of a table of ``runs``.

    Raises:
        InputError: The runs were tested with different joints or measures.
    """
    measures = sorted({measure_of(run) for run in runs})
    groups = {GROUPS if measures == ["PCKh"] else tuple(run["test"][measure_of(run)]) for run in runs}
    if len(groups) > 1 or len(measures) > 1:
        raise InputError(
            f"these runs cannot share a table: they have other joints or measures ({', '.join(measures)})"
        )
    return groups.pop()


def columns_of(groups: tuple[str, ...]) -> tuple[str, ...]:
    """Column titles of the results table, for the cells of `rows_of`."""
    return ("mode", *groups, "ms/step", "AUROC", "AP")


def _check(results: dict) -> None:
    """KeyError, TypeError or AttributeError unless ``results`` can be what a run wrote."""
    tests = [results["test"], *([results["source_model"]["test"]] if results.get("source_model") else [])]
    measure = measure_of(results)
    numbers = [value for test in tests for value in test[measure].values()]
    numbers.append(results.get("seconds_per_step"))
    for summary in (results.get("weights") or {}).values():
        for measured in (summary, summary.get("wrong_labels") or {}):
            numbers += [measured.get("auroc"), measured.get("average_precision")]
    counts = [results["seed"], results.get("steps"), results.get("best_epoch"), results["test"].get("people")]
    results["test"][measure]["Mean"]  # KeyError if it is missing
    if (
        not all(isinstance(results[name], str) for name in ("mode", "output", "log"))
        or not all(n is None or isinstance(n, int | float) and abs(n) < MAX_COORDINATE for n in numbers)
        or not all(n is None or isinstance(n, int) for n in counts)
    ):
        raise TypeError
    if results.get("retrained"):
        _check(results["retrained"])


def rows_of(results: dict, name: str, groups: tuple[str, ...] = GROUPS) -> list[list[str]]:
    """The rows of a run in the results table.

    Args:
        results: Content of results.json.
        name: First cell of the first row.
        groups: Keys of the test results, see `groups_of`.

    Returns:
        A row of ``columns_of(groups)`` for the target model; one for the source model, if any; and the
        same rows for the run retrained without the ignored labels, if any (LBI.RETRAIN).
    """

    def cells(name: str, test: dict, *others: str) -> list[str]:
        values = (test[measure_of(results)].get(group) for group in groups)
        return [name, *("-" if v is None else f"{v:.1f}" for v in values), *others]

    seconds = results.get("seconds_per_step")
    step = "-" if seconds is None else f"{1000 * seconds:.0f}"
    rows = [cells(name, results["test"], step, *_detection(results))]
    if results.get("source_model"):
        rows.append(cells("  its source model", results["source_model"]["test"], "", "", ""))
    if results.get("retrained"):
        rows += rows_of(results["retrained"], "  retrained", groups)
    return rows


def _detection(results: dict) -> list[str]:
    """AUROC and average precision of the scores, or of the weights of a run without scores; "-" if unknown.

    They are those of the first set of weights that has any.
    """
    for summary in (results.get("weights") or {}).values():
        measured = summary.get("wrong_labels") or summary
        if measured.get("auroc") is not None:
            figures = measured["auroc"], measured.get("average_precision")
            return ["-" if value is None else f"{value:.2f}" for value in figures]
    return ["-", "-"]
