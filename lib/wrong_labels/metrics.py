"""How well a score finds wrong labels, where it is known which ones are wrong; higher scores are more suspect."""

from dataclasses import dataclass

import numpy as np

from lib.ignoring.ranking import ranked_keypoints

FIRST = 100  # labels that a person may look through in one go


@dataclass(frozen=True)
class Detection:
    """How well a method finds wrong labels; None where a figure is not defined.

    auroc, ap: see `auroc` and `average_precision`, over all labels.
    auroc_within: mean, over the joints that have right and wrong labels, of the AUROC among the joint's own.
        Knowing which joints are often wrong does not raise it.
    precision_100: share of wrong labels among the first 100 (of all, if there are fewer).
    precision, recall: of the labels that the method itself calls wrong.
    flagged: the share of labels that it calls wrong.
    """

    auroc: float | None
    ap: float | None
    auroc_within: float | None
    precision_100: float | None
    precision: float | None
    recall: float | None
    flagged: float | None


def detection(
    scores: np.ndarray, wrong: np.ndarray, labelled: np.ndarray, flagged: np.ndarray | None = None
) -> Detection:
    """The figures of one ranking of N instances with J joints.

    Args:
        scores: [N, J], higher is more suspect. Equal ones are in pseudo-random order where the order counts.
        wrong: [N, J] bool, the labels that are wrong.
        labelled: [N, J] bool, the keypoints that have a label; the others do not count.
        flagged: [N, J] bool, what the method calls wrong; None if it has no threshold of its own.
    """
    scores = np.asarray(scores, np.float64)
    order = ranked_keypoints(scores, labelled, np.arange(len(scores)))[:FIRST]
    precision = recall = share = None
    if flagged is not None:
        found = (flagged & wrong)[labelled].sum()
        precision, recall = _share(found, flagged[labelled].sum()), _share(found, wrong[labelled].sum())
        share = _share(flagged[labelled].sum(), labelled.sum())
    return Detection(
        auroc=_known(auroc(scores[labelled], wrong[labelled])),
        ap=_known(average_precision(scores[labelled], wrong[labelled])),
        auroc_within=_known(auroc_within(scores, wrong, labelled)),
        precision_100=_share(wrong.ravel()[order].sum(), len(order)),
        precision=precision,
        recall=recall,
        flagged=share,
    )


def auroc(scores: np.ndarray, wrong: np.ndarray) -> float:
    """Area under the ROC curve of the scores as a detector of wrong labels.

    Equals the probability that a wrong label has a higher score than a correct one, ties counted
    half: U / (n_correct n_wrong) with the Mann-Whitney statistic U of the wrong labels, computed
    from average ranks (Mann and Whitney 1947; Hanley and McNeil, Radiology 1982).

    Args:
        scores: [K], higher is more suspect; of ignoring weights, their negative.
        wrong: [K] true for a wrong label.

    Returns:
        0.5 for chance, 1 if every wrong label has a higher score than every correct one; NaN if all
        labels are correct or all are wrong.
    """
    # scipy.stats takes two seconds to import, more than all else that a report needs.
    from scipy.stats import rankdata

    wrong = np.asarray(wrong, bool)
    count_correct, count_wrong = int((~wrong).sum()), int(wrong.sum())
    if not count_correct or not count_wrong:
        return float("nan")
    ranks = rankdata(scores)
    u = ranks[wrong].sum() - count_wrong * (count_wrong + 1) / 2
    return float(u / (count_correct * count_wrong))


def auroc_within(scores: np.ndarray, wrong: np.ndarray, labelled: np.ndarray) -> float:
    """Mean of each joint's own AUROC, over the joints with correct and wrong labels; NaN if there are none.

    Args:
        scores: [N, J], higher is more suspect.
        wrong: [N, J] bool, the labels that are wrong.
        labelled: [N, J] bool, the keypoints that have a label.
    """
    of_joint = [auroc(scores[seen, j], wrong[seen, j]) for j, seen in enumerate(np.asarray(labelled).T)]
    defined = [value for value in of_joint if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")


def average_precision(scores: np.ndarray, wrong: np.ndarray) -> float:
    """Average precision of the highest scores as a detector of wrong labels.

    The sum over thresholds of (increase in recall) x precision, without interpolation; equal scores share
    a threshold, so their order does not count (as scikit-learn's ``average_precision_score``).

    Args:
        scores: [K], higher is more suspect; of ignoring weights, their negative.
        wrong: [K] true for a wrong label.

    Returns:
        The share of wrong labels for chance, 1 for a perfect ranking; NaN if no label is wrong.
    """
    wrong = np.asarray(wrong, bool)
    if not wrong.any():
        return float("nan")
    values, group = np.unique(-np.asarray(scores), return_inverse=True)
    found = np.cumsum(np.bincount(group.ravel(), wrong.ravel(), len(values)))
    flagged = np.cumsum(np.bincount(group.ravel(), minlength=len(values)))
    return float((np.diff(found, prepend=0) * found / flagged).sum() / found[-1])


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
