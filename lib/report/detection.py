"""Detection of wrong labels by high scores, where the wrong labels are known.

A label is flagged if its score is at or above a threshold; each threshold is a point of the curves. Of weights, the
scores are their negative. All functions take scores [K] and wrong [K] (true: the label is wrong).
"""

from typing import NamedTuple

import numpy as np

BINS, FEWEST = 10, 10  # of `calibration`


class FlaggedCounts(NamedTuple):
    """Counts at each of the T distinct scores as threshold, in decreasing order.

    flagged: [T] labels flagged.
    wrong: [T] wrong labels among them.
    """

    flagged: np.ndarray
    wrong: np.ndarray


def flagged_counts(scores: np.ndarray, wrong: np.ndarray) -> FlaggedCounts:
    """Count flagged and correctly flagged labels at each threshold."""
    _, group, counts = np.unique(-np.asarray(scores), return_inverse=True, return_counts=True)
    wrong_in_group = np.bincount(group, weights=np.asarray(wrong, float), minlength=len(counts))
    return FlaggedCounts(np.cumsum(counts), np.cumsum(wrong_in_group))


def roc_curve(scores: np.ndarray, wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rate [T + 1]: shares of the correct and of the wrong labels flagged.

    From (0, 0) to (1, 1); the area is ``lib.wrong_labels.metrics.auroc``. Needs labels of both kinds.
    """
    flagged, wrong_flagged = flagged_counts(scores, wrong)
    correct_flagged = flagged - wrong_flagged
    false_positive_rate = np.append(0, correct_flagged / correct_flagged[-1])
    return false_positive_rate, np.append(0, wrong_flagged / wrong_flagged[-1])


def precision_curve(scores: np.ndarray, wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Recall and precision [T]: share of the wrong labels flagged, share of flagged labels that are wrong."""
    flagged, wrong_flagged = flagged_counts(scores, wrong)
    return wrong_flagged / wrong_flagged[-1], wrong_flagged / flagged


def wrong_among_most_suspect(scores: np.ndarray, wrong: np.ndarray, share: float) -> tuple[int, float]:
    """Number of labels, and of wrong ones among them, in the ``share`` with the highest scores.

    If equal scores straddle the limit, the second number is the mean over all orders of the tied labels.
    """
    flagged, wrong_flagged = flagged_counts(scores, wrong)
    count = max(1, round(share * len(scores)))
    return count, float(np.interp(count, np.append(0, flagged), np.append(0, wrong_flagged)))


def calibration(probability: np.ndarray, wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimated against true share of wrong labels, in BINS equal bins of their probability of being wrong.

    Args:
        probability: [K] in [0, 1].
        wrong: [K].

    Returns:
        Mean probability, share of wrong labels, and number of labels, of each bin with at least FEWEST of them.
    """
    bins = np.minimum((np.asarray(probability) * BINS).astype(int), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    enough = counts >= FEWEST
    sums = [np.bincount(bins, np.asarray(values, float), BINS)[enough] for values in (probability, wrong)]
    return sums[0] / counts[enough], sums[1] / counts[enough], counts[enough]
