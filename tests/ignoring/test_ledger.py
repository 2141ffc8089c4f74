import numpy as np
import pytest

from lib.ignoring.ledger import auroc


def by_pairs(weights, wrong):
    right, bad = weights[~wrong], weights[wrong]
    return np.mean([(r > b) + 0.5 * (r == b) for r in right for b in bad])


def test_auroc_equals_counting_pairs():
    rng = np.random.default_rng(0)
    for _ in range(20):
        weights, wrong = rng.integers(0, 6, 40) / 5, rng.random(40) < 0.3
        assert auroc(weights, wrong) == pytest.approx(by_pairs(weights, wrong))


def test_auroc_of_perfect_reversed_and_one_sided_weights():
    wrong = np.array([True, False, False])
    assert auroc(np.array([0.1, 0.5, 0.9]), wrong) == 1
    assert auroc(np.array([0.9, 0.5, 0.1]), wrong) == 0
    assert np.isnan(auroc(np.array([0.9, 0.5]), np.array([False, False])))
