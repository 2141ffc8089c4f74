"""Wrong labels of made-up people, found with the predicted poses of a results file."""

from dataclasses import replace

import numpy as np
import pytest

from lib.utils.errors import InputError
from lib.wrong_labels.metrics import auroc, average_precision
from lib.wrong_labels.predictions import Predicted, judge_predictions
from tests.factories.predicted import results_file, scene
from tests.factories.readings import FAILING, joint

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")
SHARES = {"exchanged": 0.08, "limb sides": 0.06, "person sides": 0.1, "moved": 0.15}


def judged(folder, drawn, entries=None, trusted=None):
    path = results_file(folder, drawn.entries() if entries is None else entries)
    return judge_predictions(Predicted(drawn.annotations, path), trusted, seed=0)


@pytest.fixture(scope="module")
def drawn():
    return scene(200, SHARES, seed=4, per_image=2, **FAILING)


@pytest.fixture(scope="module")
def result(drawn, tmp_path_factory):
    return judged(tmp_path_factory.mktemp("results"), drawn)


def test_wrong_labels_come_first(drawn, result):
    scores, wrong = result.found.scores.ravel(), (drawn.kinds != "right").ravel()
    assert auroc(scores, wrong) > 0.98
    assert average_precision(scores, wrong) > 0.88
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
    trusted = scene(200, seed=8, failures={"person sides": 0.2})
    (tmp_path / "trusted").mkdir()
    path = results_file(tmp_path / "trusted", trusted.entries())
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
