"""Wrong labels of made-up people, found with the predicted poses of a results file."""

from dataclasses import replace

import numpy as np
import pytest

from lib.utils.errors import InputError
from lib.wrong_labels.label_model import BELIEF
from lib.wrong_labels.matched_poses import match_poses
from lib.wrong_labels.metrics import auroc, average_precision
from lib.wrong_labels.predictions import Belief, Predicted, judge_predictions, readings_of
from lib.wrong_labels.readings import image_positions
from tests.factories.predicted import results_file, results_of, scene
from tests.factories.readings import joint

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")
SHARES = {"exchanged": 0.08, "limb sides": 0.06, "person sides": 0.1, "moved": 0.05}


def judged(folder, drawn, entries=None, trusted=None):
    path = results_file(folder, drawn.entries() if entries is None else entries)
    return judge_predictions(Predicted(drawn.annotations, path), trusted, seed=0)


@pytest.fixture(scope="module")
def drawn():
    return scene(200, SHARES, seed=4, per_image=2)


@pytest.fixture(scope="module")
def result(drawn, tmp_path_factory):
    return judged(tmp_path_factory.mktemp("results"), drawn)


def test_wrong_labels_come_first(drawn, result):
    scores, wrong = result.found.scores.ravel(), (drawn.kinds != "right").ravel()
    assert auroc(scores, wrong) > 0.98
    assert average_precision(scores, wrong) > 0.93
    found = result.found.estimate
    assert found.low <= wrong.sum() <= found.high
    assert found.labels == wrong.size


@pytest.mark.parametrize("kind", SHARES)
def test_kinds_are_told(drawn, result, kind):
    suspects = result.found.suspects
    assert (suspects.kind == kind)[drawn.kinds == kind].mean() > 0.8


def test_partners_and_places(drawn, result):
    suspects = result.found.suspects
    wrist, elbow = joint("left_wrist"), joint("left_elbow")
    exchanged = (drawn.kinds[:, wrist] == "exchanged") & (suspects.kind[:, wrist] == "exchanged")
    assert exchanged.sum() > 10
    assert (suspects.partner[exchanged, wrist] == elbow).mean() > 0.9
    # An exchanged label belongs where the other one was clicked.
    error = np.linalg.norm(suspects.proposed - drawn.truth, axis=-1)[exchanged][:, [wrist, elbow]]
    assert np.median(error) < 0.001


def test_the_order_of_the_file_does_not_count(tmp_path):
    drawn = scene(24, SHARES, per_image=3)
    entries = drawn.entries()
    first = judged(tmp_path, drawn, entries).found
    second = judged(tmp_path, drawn, entries[::-1]).found
    assert np.array_equal(first.scores, second.scores)
    assert np.array_equal(first.suspects.kind, second.suspects.kind)


def test_labels_without_a_prediction_are_not_judged(tmp_path):
    drawn = scene(24, SHARES, per_image=2)
    entries = drawn.entries()
    entries[3]["keypoints"][6:9] = [0, 0, 0]
    found = judged(tmp_path, drawn, entries[:-2])
    judged_labels = found.found.suspects.judged
    expected = np.ones_like(judged_labels)
    expected[-2:], expected[3, 2] = False, False
    assert np.array_equal(judged_labels, expected)
    assert (found.matched.unpredicted, found.matched.unplaced) == (2, 1)
    assert found.found.estimate.labels == expected.sum()
    assert np.isfinite(found.found.scores).all()


def test_trusted_labels_tell_how_often_the_network_fails(drawn, result, tmp_path):
    """A network that confuses left and right: without trusted labels these are thought to be wrong labels."""
    trusted = scene(200, seed=8)
    failing = replace(trusted, predicted=trusted.predicted.copy())
    failing.predicted[::5] = failing.predicted[::5][:, list(trusted.annotations.mapping.flip_indices)]
    (tmp_path / "trusted").mkdir()
    path = results_file(tmp_path / "trusted", failing.entries())
    found = judged(tmp_path, drawn, trusted=Predicted(trusted.annotations, path))
    assert found.found.estimate.wrong < 0.8 * result.found.estimate.wrong
    assert "person sides" not in found.found.estimate.kinds


def test_few_people_of_one_image(tmp_path):
    drawn = scene(3, per_image=3)
    found = judged(tmp_path, drawn).found
    assert found.suspects.judged.all() and found.estimate.flagged == 0


def test_poses_far_from_all_labels_are_refused(tmp_path):
    drawn = scene(20)
    wrong_units = replace(drawn, predicted=drawn.predicted / 1000)
    with pytest.raises(
        InputError, match="results.json: none of the 20 annotated instances has a predicted pose"
    ):
        judged(tmp_path, wrong_units)


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


def test_readings_are_those_of_gaussians(drawn):
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
