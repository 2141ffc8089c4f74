"""From pictures and a network to the suspects."""

import logging

import numpy as np
import pytest
import torch

from lib.wrong_labels.find import find_wrong_labels
from lib.wrong_labels.metrics import auroc
from lib.wrong_labels.readings import Reader
from tests.factories.colored import ColorNetwork, Drawn, annotations_at, heatmaps_at, random_points

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")
READER = Reader(ColorNetwork(), torch.device("cpu"), batch_size=16, workers=0, seed=0)


def data_set(count, seed, wrong=None):
    """Pictures of a perfect network; the first label of some of them is ``wrong`` (bool [count])."""
    truth = random_points(count, seed)
    labels = truth.copy()
    if wrong is not None:
        labels[wrong, 0] = (labels[wrong, 0] + [14, 0]) % [28, 24]
    return Drawn(annotations_at(labels), heatmaps_at(truth)), truth


def test_moved_labels_are_found_with_their_place():
    wrong = np.random.default_rng(0).random(150) < 0.15
    source, truth = data_set(150, 1, wrong)
    found = find_wrong_labels(READER, source, data_set(60, 2)[0])
    is_wrong = np.stack([wrong, 0 * wrong, 0 * wrong], axis=1).astype(bool)
    assert auroc(found.scores.ravel(), is_wrong.ravel()) > 0.99
    assert found.estimate.low <= wrong.sum() <= found.estimate.high
    expected = annotations_at(truth).joints
    pixels_per_heatmap_pixel = source.annotations.sizes[:, 0] / 32
    error = (
        np.linalg.norm(found.suspects.proposed - expected, axis=-1)[wrong, 0]
        / pixels_per_heatmap_pixel[wrong]
    )
    assert np.median(error) < 1
    assert found.estimate.flagged == (found.suspects.probability > 0.5).sum() > 0.8 * wrong.sum()


def test_labels_that_are_known_are_not_judged_and_come_last():
    wrong = np.random.default_rng(0).random(150) < 0.15
    source, _ = data_set(150, 1, wrong)
    found = find_wrong_labels(READER, source, data_set(60, 2)[0])
    known = np.zeros(found.scores.shape, bool)
    known[:40], known[40:60, 1] = True, True
    other = found.knowing(known)
    for name in ("probability", "kind", "partner", "sureness"):
        assert (getattr(other.suspects, name) == getattr(found.suspects, name))[~known].all()
    assert (other.suspects.kind[known] == "reviewed").all() and not other.suspects.probability[known].any()
    assert np.isnan(other.suspects.proposed[known]).all()
    ranked = other.ranked(np.ones(known.shape, bool))
    assert ranked[known].max() < ranked[~known].min() and (ranked[~known] == found.scores[~known]).all()
    before, after = found.estimate, other.estimate
    assert after.labels == before.labels - 140
    expected = found.suspects.probability[known].sum()
    assert expected > 3 and before.wrong - after.wrong == pytest.approx(expected)
    assert after.low == max(0, before.low - expected) and after.high == before.high - expected
    flagged = (found.suspects.probability > 0.5) & ~known
    assert after.flagged == sum(after.kinds.values()) == flagged.sum() < before.flagged
    assert after.precision == pytest.approx(found.suspects.probability[flagged].mean())


@pytest.mark.parametrize("trusted_labels", [True, False])
def test_a_network_whose_output_is_not_finite_judges_nothing_and_says_so(trusted_labels, caplog):
    source, _ = data_set(20, 1)
    source.images[:] = np.nan
    trusted, _ = data_set(20, 2)
    if not trusted_labels:
        trusted.images[:] = np.nan
    with caplog.at_level(logging.WARNING):
        found = find_wrong_labels(READER, source, trusted)
    assert caplog.text.count("those of 20 of 20 instances are not judged") == (1 if trusted_labels else 2)
    assert (found.suspects.kind == "").all() and not found.suspects.probability.any()
    assert found.estimate.labels == found.estimate.wrong == 0 and np.isfinite(found.scores).all()
