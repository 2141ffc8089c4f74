"""The bootstrap: figures against the plain metrics on people drawn by hand, intervals against scipy's bootstrap."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.evidence.resampling import (
    AP,
    AUROC,
    PRECISION,
    Labels,
    difference,
    estimate,
    over_seeds,
    people_weights,
    ranking_figures,
)
from lib.wrong_labels.metrics import auroc, average_precision


@pytest.fixture
def case():
    rng = np.random.default_rng(4)
    ids = np.repeat(np.arange(100, 140), 5)
    joints = np.tile(np.arange(5), 40)
    wrong = rng.random(200) < 0.2
    scores = (rng.normal(0, 1, 200) + wrong).round(1)  # with equal ones
    return scores, Labels.of(ids, joints, wrong, np.arange(100, 140))


def test_every_resample_is_the_plain_metric_on_its_people(case):
    scores, labels = case
    weights = people_weights(40, 6)
    assert (weights[0] == 1).all() and (weights.sum(axis=1) == 40).all() and weights[1:].max() > 1
    figures = ranking_figures(scores, labels, weights)
    for r, drawn in enumerate(weights):
        of_label = drawn[labels.people].astype(int)
        s, w = np.repeat(scores, of_label), np.repeat(labels.wrong, of_label)
        assert figures[AUROC][r] == pytest.approx(auroc(s, w))
        u = stats.mannwhitneyu(s[w], s[~w]).statistic / (w.sum() * (~w).sum())
        assert figures[AUROC][r] == pytest.approx(u)
        assert figures[AP][r] == pytest.approx(average_precision(s, w))
        order = np.lexsort((np.repeat(labels.keys, of_label), -s))
        assert figures[PRECISION][r] == pytest.approx(w[order[:100]].mean())


def test_a_resample_without_wrong_labels_has_no_figure():
    labels = Labels.of(np.array([1, 2]), np.array([0, 0]), np.array([True, False]), np.array([1, 2]))
    figures = ranking_figures(np.array([2.0, 1.0]), labels, np.array([[1, 1], [0, 2], [2, 0]]))
    assert figures[AUROC][0] == figures[AP][0] == 1 and figures[PRECISION][0] == 0.5
    assert all(np.isnan(figures[name][1]) for name in (AUROC, AP, PRECISION))
    assert np.isnan(figures[AUROC][2]) and figures[AP][2] == 1
    assert estimate(figures[AP]).low == 1 and estimate(np.full(3, np.nan)).text(3) == "-"


def test_chunks_change_nothing(case, monkeypatch):
    scores, labels = case
    weights = people_weights(40, 9)
    whole = ranking_figures(scores, labels, weights)
    monkeypatch.setattr("benchmarks.evidence.resampling.CHUNK", 450)
    parts = ranking_figures(scores, labels, weights)
    assert all(np.array_equal(whole[name], parts[name]) for name in whole)


def test_the_interval_of_a_mean_is_that_of_scipy():
    values = np.random.default_rng(0).normal(3, 1, 300)
    weights = people_weights(300, 2000)
    found = estimate((weights @ values) / weights.sum(axis=1))
    expected = stats.bootstrap((values,), np.mean, n_resamples=2000, method="percentile", rng=1).confidence_interval  # fmt: skip
    assert found.value == pytest.approx(values.mean(), rel=1e-6)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.02)


def test_seeds_are_drawn_too_and_pairs_are_kept():
    flat = {seed: np.full(2001, float(seed)) for seed in (1, 2, 3)}
    means = over_seeds(flat)
    assert means[0] == 2 and set(means[1:].round(6)) == {1.0, 1.333333, 1.666667, 2.0, 2.333333, 2.666667, 3.0}  # fmt: skip
    assert estimate(over_seeds({7: flat[2]})) == estimate(flat[2])
    # The same plus a tenth: the difference varies with nothing, and the fourth seed has no partner.
    better = {seed: values + 0.1 for seed, values in flat.items()} | {4: flat[1]}
    gain = difference(better, flat)
    assert (gain.value, gain.low, gain.high) == pytest.approx((0.1, 0.1, 0.1))
    assert gain.text(2, sign=True) == "+0.10 (+0.10 to +0.10)"
    assert np.isnan(difference({1: flat[1]}, {2: flat[2]}).value)
