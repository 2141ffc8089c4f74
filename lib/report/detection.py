"""Detection of wrong labels by low weights, where the wrong labels are known.

A label is flagged if its weight is at or below a threshold; each threshold is a point of the curves.
All functions take weights [K] and wrong [K] (true: the label is wrong).
"""

from typing import NamedTuple

import numpy as np


class FlaggedCounts(NamedTuple):
    """Counts at each of the T distinct weights as threshold, in increasing order.

    flagged: [T] labels flagged.
    wrong: [T] wrong labels among them.
    """

    flagged: np.ndarray
    wrong: np.ndarray


def flagged_counts(weights: np.ndarray, wrong: np.ndarray) -> FlaggedCounts:
    """Count flagged and correctly flagged labels at each threshold."""
    _, group, counts = np.unique(weights, return_inverse=True, return_counts=True)
    wrong_in_group = np.bincount(group, weights=np.asarray(wrong, float), minlength=len(counts))
    return FlaggedCounts(np.cumsum(counts), np.cumsum(wrong_in_group))


def roc_curve(weights: np.ndarray, wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rate [T + 1]: shares of the correct and of the wrong labels flagged.

    From (0, 0) to (1, 1); the area is ``lib.wrong_labels.metrics.auroc``. Needs labels of both kinds.
    """
    flagged, wrong_flagged = flagged_counts(weights, wrong)
    correct_flagged = flagged - wrong_flagged
    false_positive_rate = np.append(0, correct_flagged / correct_flagged[-1])
    return false_positive_rate, np.append(0, wrong_flagged / wrong_flagged[-1])


def precision_curve(weights: np.ndarray, wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Recall and precision [T]: share of the wrong labels flagged, share of flagged labels that are wrong."""
    flagged, wrong_flagged = flagged_counts(weights, wrong)
    return wrong_flagged / wrong_flagged[-1], wrong_flagged / flagged


def wrong_among_most_ignored(weights: np.ndarray, wrong: np.ndarray, share: float) -> tuple[int, float]:
    """Number of labels, and of wrong ones among them, in the ``share`` with the lowest weights.

    If equal weights straddle the limit, the second number is the mean over all orders of the tied labels.
    """
    flagged, wrong_flagged = flagged_counts(weights, wrong)
    count = max(1, round(share * len(weights)))
    return count, float(np.interp(count, np.append(0, flagged), np.append(0, wrong_flagged)))
