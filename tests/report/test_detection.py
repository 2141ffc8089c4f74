from itertools import permutations

import numpy as np
import pytest

from lib.report.detection import (
    calibration,
    flagged_counts,
    precision_curve,
    roc_curve,
    wrong_among_most_suspect,
)
from lib.wrong_labels.metrics import auroc

RNG = np.random.default_rng(5)
CASES = [(RNG.integers(0, 8, 50) / 7, RNG.random(50) < 0.3) for _ in range(10)]


@pytest.mark.parametrize("scores, wrong", CASES)
def test_curves_equal_counting_at_every_threshold(scores, wrong):
    false_positives, true_positives = roc_curve(scores, wrong)
    recall, precision = precision_curve(scores, wrong)
    assert (false_positives[0], true_positives[0]) == (0, 0)
    for t, threshold in enumerate(sorted(set(scores), reverse=True)):
        flagged = [bool(w) for value, w in zip(scores, wrong) if value >= threshold]
        assert true_positives[t + 1] == recall[t] == pytest.approx(sum(flagged) / wrong.sum())
        assert false_positives[t + 1] == pytest.approx((len(flagged) - sum(flagged)) / (~wrong).sum())
        assert precision[t] == pytest.approx(sum(flagged) / len(flagged))


@pytest.mark.parametrize("scores, wrong", CASES)
def test_the_area_below_the_roc_curve_is_the_auroc(scores, wrong):
    x, y = roc_curve(scores, wrong)
    area = sum((x[i + 1] - x[i]) * (y[i] + y[i + 1]) / 2 for i in range(len(x) - 1))
    assert area == pytest.approx(auroc(scores, wrong))


def test_wrong_labels_among_the_most_suspect():
    scores = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])[::-1]
    wrong = np.array([1, 1, 0, 1, 0, 0, 0, 0, 0, 0], bool)
    shares = (0.01, 0.2, 0.4, 1.0)
    assert [wrong_among_most_suspect(scores, wrong, s) for s in shares] == [(1, 1), (2, 2), (4, 3), (10, 3)]


def test_counts_at_each_distinct_score():
    counts = flagged_counts(np.array([0.5, 0.9, 0.5, 0.1]), np.array([1, 0, 0, 1], bool))
    assert counts.flagged.tolist() == [1, 3, 4] and counts.wrong.tolist() == [0, 1, 2]


def test_equal_scores_count_as_in_the_mean_of_all_orders():
    scores, wrong = np.array([1.0, 0.5, 0.5, 0.5, 0.0]), np.array([1, 1, 0, 0, 0], bool)
    tied = [sum(order[:1]) for order in permutations(wrong[1:4])]
    count, wrong_count = wrong_among_most_suspect(scores, wrong, 0.4)
    assert count == 2 and wrong_count == pytest.approx(1 + np.mean(tied))


def test_calibration_equals_counting_in_each_tenth():
    probability = np.concatenate([RNG.random(500), [0.0, 1.0]])
    wrong = RNG.random(502) < probability**2
    chosen = (probability < 0.2) | (probability >= 0.3)  # one tenth is empty
    estimated, true, counts = calibration(probability[chosen], wrong[chosen])
    for k, tenth in enumerate((0, 1, 3, 4, 5, 6, 7, 8, 9)):
        inside = [p == 1 or tenth <= 10 * p < tenth + 1 for p in probability] if tenth == 9 else [
            tenth <= 10 * p < tenth + 1 for p in probability
        ]  # fmt: skip
        assert counts[k] == sum(inside)
        assert estimated[k] == pytest.approx(probability[inside].mean())
        assert true[k] == pytest.approx(wrong[inside].mean())


def test_tenths_with_few_labels_are_left_out():
    probability = np.array([0.05] * 10 + [0.95] * 9)
    estimated, true, counts = calibration(probability, probability > 0.5)
    assert (estimated.tolist(), true.tolist(), counts.tolist()) == ([pytest.approx(0.05)], [0], [10])
