"""How well low weights find wrong labels, where it is known which are wrong.

A label is flagged as wrong when its weight is at or below a threshold; every threshold is a point
of the curves. All functions take weights [K] and wrong [K] (true: the label is wrong).
"""

from typing import NamedTuple

import numpy as np


class Thresholds(NamedTuple):
    """For each distinct weight, from the lowest on [T]: labels flagged, and wrong ones among them."""

    flagged: np.ndarray
    found: np.ndarray


def thresholds(weights: np.ndarray, wrong: np.ndarray) -> Thresholds:
    _, group, counts = np.unique(weights, return_inverse=True, return_counts=True)
    in_group = np.bincount(group, weights=np.asarray(wrong, float), minlength=len(counts))
    return Thresholds(np.cumsum(counts), np.cumsum(in_group))


def roc_curve(weights: np.ndarray, wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of the right labels flagged, and share of the wrong ones, from (0, 0) to (1, 1).

    Its area is ``lib.ignoring.weight_table.auroc``. Needs labels of both kinds.
    """
    flagged, found = thresholds(weights, wrong)
    right = flagged - found
    return np.append(0, right / right[-1]), np.append(0, found / found[-1])


def precision_curve(weights: np.ndarray, wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Recall (share of the wrong labels flagged), and precision (share of the flagged that are wrong)."""
    flagged, found = thresholds(weights, wrong)
    return found / found[-1], found / flagged


def wrong_among_most_ignored(weights: np.ndarray, wrong: np.ndarray, share: float) -> tuple[float, float]:
    """(labels, wrong ones among them) in the ``share`` with the lowest weights.

    Where equal weights straddle the end, the mean over all ways to order them.
    """
    flagged, found = thresholds(weights, wrong)
    count = max(1, round(share * len(weights)))
    return count, float(np.interp(count, np.append(0, flagged), np.append(0, found)))
