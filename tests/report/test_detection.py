from itertools import permutations

import numpy as np
import pytest

from lib.report.detection import flagged_counts, precision_curve, roc_curve, wrong_among_most_ignored
from lib.wrong_labels.metrics import auroc

RNG = np.random.default_rng(5)
CASES = [(RNG.integers(0, 8, 50) / 7, RNG.random(50) < 0.3) for _ in range(10)]


@pytest.mark.parametrize("weights, wrong", CASES)
def test_curves_equal_counting_at_every_threshold(weights, wrong):
    false_positives, true_positives = roc_curve(weights, wrong)
    recall, precision = precision_curve(weights, wrong)
    assert (false_positives[0], true_positives[0]) == (0, 0)
    for t, threshold in enumerate(sorted(set(weights))):
        flagged = [bool(w) for value, w in zip(weights, wrong) if value <= threshold]
        assert true_positives[t + 1] == recall[t] == pytest.approx(sum(flagged) / wrong.sum())
        assert false_positives[t + 1] == pytest.approx((len(flagged) - sum(flagged)) / (~wrong).sum())
        assert precision[t] == pytest.approx(sum(flagged) / len(flagged))


@pytest.mark.parametrize("weights, wrong", CASES)
def test_the_area_below_the_roc_curve_is_the_auroc(weights, wrong):
    x, y = roc_curve(weights, wrong)
    area = sum((x[i + 1] - x[i]) * (y[i] + y[i + 1]) / 2 for i in range(len(x) - 1))
    assert area == pytest.approx(auroc(-weights, wrong))


def test_wrong_labels_among_the_most_ignored():
    weights = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    wrong = np.array([1, 1, 0, 1, 0, 0, 0, 0, 0, 0], bool)
    shares = (0.01, 0.2, 0.4, 1.0)
    assert [wrong_among_most_ignored(weights, wrong, s) for s in shares] == [(1, 1), (2, 2), (4, 3), (10, 3)]


def test_counts_at_each_distinct_weight():
    counts = flagged_counts(np.array([0.5, 0.1, 0.5, 0.9]), np.array([1, 0, 0, 1], bool))
    assert counts.flagged.tolist() == [1, 3, 4] and counts.wrong.tolist() == [0, 1, 2]


def test_equal_weights_count_as_in_the_mean_of_all_orders():
    weights, wrong = np.array([0.0, 0.5, 0.5, 0.5, 1.0]), np.array([1, 1, 0, 0, 0], bool)
    tied = [sum(order[:1]) for order in permutations(wrong[1:4])]
    count, wrong_count = wrong_among_most_ignored(weights, wrong, 0.4)
    assert count == 2 and wrong_count == pytest.approx(1 + np.mean(tied))
