"""The ignoring weights for people: every source keypoint with its weight, the most ignored first."""

import csv
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lib.dataset.annotations import Annotations
from lib.utils.errors import InputError
from lib.utils.files import write_atomically, write_text

COLUMNS = ("rank", "annotation_id", "image", "joint", "weight", "times_seen", "target_weight")


class WeightTable(NamedTuple):
    """weights: [N, J] in [0, 1].   seen: [N, J] how often the keypoint was in a batch."""

    weights: np.ndarray
    seen: np.ndarray


def write_weight_table(path: str | Path, people: Annotations, weights: np.ndarray, seen: np.ndarray) -> None:
    """Write the table ``path`` (.csv) and beside it the same as arrays (.npz).

    weights, seen: [N, J], the weight and how often the keypoint was in a batch. In the table a row
    for every person and joint: labelled ones (``target_weight`` 1) by rank, 1 the most ignored;
    then the others, whose weight means nothing, without a rank. The arrays are weights, seen,
    visible [N, J], annotation_ids [N] and joints [J], the names.
    """
    path = Path(path)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    names = people.mapping.names
    images = [_as_text(Path(image).name) for image in people.image_paths]
    labelled = int((people.visible > 0).sum())
    order = np.argsort(np.where(people.visible > 0, weights, np.inf), axis=None, kind="stable")
    for place, keypoint in enumerate(order.tolist(), start=1):
        i, j = divmod(keypoint, len(names))
        rows.writerow(
            (
                place if place <= labelled else "", people.ids[i], images[people.image_index[i]], names[j],
                f"{weights[i, j]:.6f}", seen[i, j], int(people.visible[i, j] > 0),
            )
        )  # fmt: skip
    write_text(path, text.getvalue())
    arrays = {
        "weights": weights,
        "seen": seen,
        "visible": people.visible > 0,
        "annotation_ids": people.ids,
        "joints": np.array(names, dtype=np.str_),
    }
    write_atomically(path.with_suffix(".npz"), lambda file: np.savez_compressed(file, **arrays))


def _as_text(name: str) -> str:
    """``name``, quoted where a program that opens tables would take it for a formula and compute it."""
    return f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name


def read_weight_table(path: str | Path, people: Annotations) -> WeightTable:
    """What ``write_weight_table`` wrote for ``people``, from its .csv or its .npz.

    Raises InputError where the file is missing or belongs to other people.
    """
    path = Path(path)
    try:
        ledger = _read_arrays(path, people) if path.suffix == ".npz" else _read_table(path, people)
    except OSError as error:
        raise InputError(f"{path}: cannot read the weights ({error.strerror or error})") from None
    except InputError:
        raise
    except Exception:  # a damaged archive or table may raise anything
        ledger = None
    shape = people.visible.shape
    if ledger is None or not ((ledger.weights >= 0) & (ledger.weights <= 1)).all():
        raise InputError(f"{path}: not the weights of these {shape[0]} people with {shape[1]} joints")
    return ledger


def index_by_id(people: Annotations) -> dict[int, int]:
    """Where each annotation id stands. Raises InputError where two annotations have the same id."""
    position = {number: i for i, number in enumerate(people.ids.tolist())}
    if len(position) < len(people):
        numbers, counts = np.unique(people.ids, return_counts=True)
        raise InputError(f"annotation {numbers[counts > 1][0]} is there twice, so its weights are ambiguous")
    return position


def _read_table(path: Path, people: Annotations) -> WeightTable:
    """Rows in any order; KeyError or ValueError where they are not one for each keypoint."""
    shape = people.visible.shape
    persons = index_by_id(people)
    joints = {name: j for j, name in enumerate(people.mapping.names)}
    weights, seen, rows = np.zeros(shape), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            place = persons[int(row["annotation_id"])], joints[row["joint"]]
            weights[place], seen[place] = float(row["weight"]), int(row["times_seen"])
            rows[place] += 1
    if (rows != 1).any():
        raise ValueError("keypoints that are missing or given twice")
    return WeightTable(weights, seen)


def _read_arrays(path: Path, people: Annotations) -> WeightTable:
    with np.load(path, allow_pickle=False) as arrays:
        weights, seen = arrays["weights"], arrays["seen"]
        ids, joints = arrays["annotation_ids"].tolist(), arrays["joints"].tolist()
    if ids != people.ids.tolist() or joints != list(people.mapping.names):
        raise ValueError("other people or joints")
    if not weights.shape == seen.shape == people.visible.shape:
        raise ValueError("other shapes")
    return WeightTable(weights.astype(np.float64), seen.astype(np.int64))


def auroc(weights: np.ndarray, wrong: np.ndarray) -> float:
    """Chance that a right label has a higher weight than a wrong one (ties count half): both [K].

    0.5 is guessing, 1 finds every wrong label first. NaN where all are right or all are wrong.
    """
    wrong = np.asarray(wrong, bool)
    count_right, count_wrong = int((~wrong).sum()), int(wrong.sum())
    if not count_right or not count_wrong:
        return float("nan")
    _, inverse, counts = np.unique(weights, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[~wrong].sum() - count_right * (count_right + 1) / 2) / (count_right * count_wrong))
