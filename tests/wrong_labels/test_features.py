from dataclasses import replace

import numpy as np
import pytest

from lib.wrong_labels.features import LIMIT, OF_OTHERS, Features, log_odds, statistics
from lib.wrong_labels.label_model import LabelModel
from lib.wrong_labels.renamings import Renamings
from tests.factories.readings import PEOPLE, planted

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@pytest.fixture(scope="module")
def case():
    return planted(200, {"exchanged": 0.1, "person sides": 0.1, "moved": 0.1})[0]


@pytest.fixture(scope="module")
def named(case):
    model = LabelModel.fit(case.readings, Renamings.of(PEOPLE))
    return statistics(case.readings, model, model.explain(case.readings))


def test_log_odds_are_finite_and_symmetric():
    p = np.array([0, 1e-9, 0.2, 0.5, 0.8, 1])
    found = log_odds(p)
    np.testing.assert_allclose(found[2:5], np.log(p[2:5] / (1 - p[2:5])), atol=1e-3)
    assert np.isfinite(found).all() and found[0] == pytest.approx(-found[-1])
    np.testing.assert_allclose(log_odds(1 - p), -found, atol=1e-6)


def test_the_loss_is_that_of_the_keypoint_over_an_empty_heatmaps(case, named):
    """Sum over pixels of (seen - target)^2 / sum of target^2 for Gaussians b G(seen) and G(label)."""
    readings = case.readings
    own = np.arange(len(PEOPLE.names))
    expected = readings.height**2 + 1 - 2 * readings.match[:, own, own]
    np.testing.assert_allclose(np.exp(named["loss"]) - 0.03, np.maximum(expected, 0), atol=1e-4)


@pytest.mark.parametrize("name", ["loss", "distance", "moved", "renamed", "match of others"])
def test_what_should_be_larger_for_wrong_labels_is(case, named, name):
    wrong = case.wrong
    assert np.median(named[name][wrong]) > np.median(named[name][~wrong])


def test_features_are_standardized_by_joint_and_clipped(case, named):
    labelled = np.random.default_rng(0).random(case.wrong.shape) < 0.8
    scaled = Features.of(named, labelled)
    matrix = scaled.matrix(named, labelled)
    names, joints = list(named), len(PEOPLE.names)
    count = len(names) + sum(name in OF_OTHERS for name in names)
    assert matrix.shape == (*labelled.shape, count + joints) and matrix.dtype == np.float32
    assert np.isfinite(matrix).all() and np.abs(matrix[..., :count]).max() <= LIMIT
    assert (matrix[..., count:] == np.eye(joints)).all()
    assert not matrix[~labelled][:, 0].any()
    for j in range(joints):
        values = named["loss"][labelled[:, j], j]
        expected = np.clip((values - values.mean()) / values.std(), -LIMIT, LIMIT)
        np.testing.assert_allclose(matrix[labelled[:, j], j, 0], expected, atol=1e-3)


def test_the_mean_of_others_is_that_of_the_instances_other_labels(case, named):
    labelled = np.ones(case.wrong.shape, bool)
    labelled[0, 3:] = False
    matrix = Features.of(named, labelled).matrix(named, labelled)
    loss, others = matrix[0, :, 0], matrix[0, :, 1]  # the loss is the first statistic
    assert others[0] == pytest.approx((loss[1] + loss[2]) / 2, abs=1e-5)
    assert others[2] == pytest.approx((loss[0] + loss[1]) / 2, abs=1e-5)


def test_labels_that_are_not_there_change_no_feature_of_others(case, named):
    labelled = np.random.default_rng(0).random(case.wrong.shape) < 0.8
    absurd = {name: np.where(labelled, values, 1e6) for name, values in named.items()}
    first, second = (Features.of(of, labelled).matrix(of, labelled)[labelled] for of in (named, absurd))
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_a_single_joint_has_no_others():
    readings = planted(20, {})[0].readings
    one = replace(readings, **{
        name: getattr(readings, name)[:, :1] for name in ("labels", "labelled", "predicted", "height", "energy")
    }, match=readings.match[:, :1, :1], at_predicted=readings.at_predicted[:, :1, :1])  # fmt: skip
    model = LabelModel.fit(one, Renamings(np.zeros((1, 1), int), np.zeros((1, 1), int), np.zeros(1, int)))
    found = statistics(one, model, model.explain(one))
    assert "match of others" not in found
    assert np.isfinite(Features.of(found, one.labelled).matrix(found, one.labelled)).all()
