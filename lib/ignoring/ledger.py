"""The ignoring weights for people: every source keypoint with its weight, in a table."""

import csv
import io
from pathlib import Path

import numpy as np

from lib.core.errors import InputError
from lib.dataset.annotations import Annotations
from lib.utils.files import write_text

COLUMNS = ("annotation_id", "image", "joint", "weight", "times_seen", "target_weight")


def write_ledger(path: str | Path, people: Annotations, weights: np.ndarray, seen: np.ndarray) -> None:
    """Write ``ignoring_weights.csv``: a row for every person and joint, in the annotations' order.

    weights, seen: [N, J], the weight and how often the keypoint was in a batch. ``target_weight``
    is 1 where the joint is labelled; the weight of another means nothing.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    names = people.mapping.names
    images = [Path(picture).name for picture in people.pictures]
    for i in range(len(people)):
        for j, name in enumerate(names):
            rows.writerow(
                (
                    people.ids[i], images[people.picture[i]], name, f"{weights[i, j]:.6f}",
                    seen[i, j], int(people.visible[i, j]),
                )
            )  # fmt: skip
    write_text(path, text.getvalue())


def read_ledger(path: str | Path, people: Annotations) -> np.ndarray:
    """The weights [N, J] of a table that ``write_ledger`` wrote for ``people``.

    Raises InputError where the table is missing or belongs to other people.
    """
    shape = people.visible.shape
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        weights = np.array([float(row["weight"]) for row in rows]).reshape(shape)
        same = [int(row["annotation_id"]) for row in rows] == np.repeat(people.ids, shape[1]).tolist()
    except OSError as error:
        raise InputError(f"{path}: cannot read the weights ({error.strerror})") from None
    except (KeyError, TypeError, ValueError):
        same = False
    if not same:
        raise InputError(f"{path}: not the weights of these {shape[0]} people with {shape[1]} joints")
    return weights


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
