"""Readings made of predicted poses: what scores are worth, and the heatmaps that stand for them."""

from dataclasses import replace

import numpy as np
import pytest

from lib.wrong_labels.label_model import BELIEF
from lib.wrong_labels.matched_poses import match_poses
from lib.wrong_labels.metrics import auroc
from lib.wrong_labels.predicted_readings import Belief, readings_of, shapes_of
from lib.wrong_labels.readings import image_positions
from lib.wrong_labels.renamings import Renamings
from tests.factories.predicted import results_of, scene
from tests.factories.readings import PEOPLE, joint

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


def unsure(drawn, rng):
    """The scene with predictions that are wrong where their score is low."""
    scores = rng.uniform(0, 1, drawn.scores.shape)
    away = (rng.random(scores.shape) > 0.3 + scores) * 40.0
    return replace(drawn, scores=scores, predicted=drawn.predicted + away[..., None])


def test_belief_grows_with_scores_by_which_predictions_agree():
    drawn = unsure(scene(400, seed=1), np.random.default_rng(0))
    matched = match_poses(drawn.annotations, results_of(drawn))
    belief = Belief.of(drawn.annotations, matched)
    values = belief(np.array([0.05, 0.3, 0.5, 0.8, 0.99]))
    assert (np.diff(values) >= 0).all() and values[1] < values[2] < values[3]
    assert values[-1] == pytest.approx(BELIEF, abs=0.02)
    # The scale of the scores does not count.
    other = Belief.of(drawn.annotations, replace(matched, scores=100 * matched.scores - 40))
    assert other(100 * matched.scores - 40) == pytest.approx(belief(matched.scores))


def test_without_scores_the_belief_is_the_usual_one():
    drawn = scene(30)
    matched = match_poses(drawn.annotations, results_of(drawn, scores=np.ones_like(drawn.scores)))
    assert Belief.of(drawn.annotations, matched)(matched.scores) == pytest.approx(BELIEF, abs=1e-6)


def test_readings_are_those_of_gaussians():
    drawn = scene(40)
    annotations = replace(drawn.annotations, sizes=drawn.annotations.sizes * np.float32([0.75, 1]))
    matched = match_poses(annotations, results_of(drawn))
    readings = readings_of(annotations, matched, Belief.of(annotations, matched), seed=0)
    back = image_positions(readings.predicted, annotations.centers, annotations.sizes)
    assert back == pytest.approx(matched.points, abs=1e-3)
    assert readings.maps.shape[2:] == (24, 18)
    # The map is what `match` says at the labels, up to its pixels.
    i, j = 5, joint("head")
    x, y = np.round(readings.labels[i, j] * 24 / 16).astype(int)
    row = np.flatnonzero(readings.instances == i)[0]
    assert readings.maps[row, j, y, x] == pytest.approx(readings.match[i, j, j], abs=0.15)
    peak = np.unravel_index(readings.maps[row, j].argmax(), (24, 18))
    assert peak[::-1] == pytest.approx(readings.predicted[i, j] * 24 / 16, abs=0.6)


def test_shapes_know_nothing_of_the_mistakes_in_the_labels():
    drawn = scene(150, {"moved": 0.4})
    matched = match_poses(drawn.annotations, results_of(drawn))
    readings = readings_of(drawn.annotations, matched, Belief.of(drawn.annotations, matched), seed=0)
    shapes = shapes_of(readings, Renamings.of(PEOPLE))
    clean = scene(150).annotations
    same = shapes_of(readings_of(clean, matched, Belief.of(clean, matched), seed=0), Renamings.of(PEOPLE))
    assert np.allclose(shapes.model.mean, same.model.mean)
    assert auroc(shapes.seen_in(readings).shape_odds.ravel(), (drawn.kinds == "moved").ravel()) > 0.9


def test_too_few_instances_have_no_shapes():
    drawn = scene(5)
    matched = match_poses(drawn.annotations, results_of(drawn))
    readings = readings_of(drawn.annotations, matched, Belief.of(drawn.annotations, matched), seed=0)
    assert shapes_of(readings, Renamings.of(PEOPLE)).model is None
