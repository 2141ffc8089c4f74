"""Reads what a run estimated of its own wrong labels."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from lib.dataset.annotations import MAX_COORDINATE
from lib.utils.errors import InputError
from lib.wrong_labels.estimate import Estimate


def read_estimate(path: Path, summary: dict[str, Any]) -> Estimate | None:
    """The estimate in the ``summary`` of a set of weights in results.json; None in runs that have none.

    Raises:
        InputError: It is not what a run writes; it names ``path``.
    """
    found = summary.get("wrong_labels")
    if not found:
        return None
    values = {field.name: found.get(field.name) for field in fields(Estimate)}
    kinds = values["kinds"]
    numbers = [value for name, value in values.items() if name not in ("kinds", "precision")]
    numbers += kinds.values() if isinstance(kinds, dict) else [None]
    numbers.append(values["precision"] if values["precision"] is not None else 0)  # None: nothing is flagged
    if not all(type(number) in (int, float) and abs(number) < MAX_COORDINATE for number in numbers):
        raise InputError(
            f"{path}: weights: wrong_labels: expected numbers for {', '.join(values)}, found {found!r:.80}"
        )
    if values["precision"] is None:
        values["precision"] = float("nan")
    return Estimate(**values)
