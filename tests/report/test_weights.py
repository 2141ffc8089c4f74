import numpy as np
import pytest

from lib.dataset.keypoints import SHARED_KEYPOINTS
from lib.report.learned import NamedWeights
from lib.report.markup import join
from lib.report.weights import distributions, joints_of_runs, weights_overview
from lib.tracking.metrics import BINS
from tests.factories.reports import JOINTS, Page, learned_weights, make_run

HEAD, KNEE = SHARED_KEYPOINTS.index("head"), SHARED_KEYPOINTS.index("left_knee")


def overview(tmp_path, weights, wrong=None, **run):
    """The page; the mode's default data: COCO's nose as source, MPII's head top as target of the head."""
    return Page(join(weights_overview(make_run(tmp_path, **run), learned_weights(weights, wrong=wrong))))


def test_final_weights_of_correct_and_wrong_labels_are_counted_apart(tmp_path):
    weights = np.full((2, JOINTS), 0.97)
    weights[0, KNEE] = 0.12
    wrong = weights < 0.5
    page = overview(tmp_path, weights, wrong)
    assert "wrong labels, weight 0.10 to 0.15: 1" in page.texts
    assert "correct labels, weight 0.95 to 1.00: 25" in page.texts
    assert "correct labels, weight 0.10 to 0.15: 0" in page.texts
    assert "left knee, share of correct labels: 0.50" in page.texts
    assert "head *, share of correct labels: 1.00" in page.texts


def test_without_truth_all_labels_are_counted_together(tmp_path):
    page = overview(tmp_path, np.full((2, JOINTS), 0.97))
    assert "all labels, weight 0.95 to 1.00: 26" in page.texts
    assert "correct" not in page.text and "Weights over training" not in page.texts


def test_joints_are_sorted_by_mean_weight_and_shifted_ones_marked(tmp_path):
    weights = np.linspace(0.9, 0.3, 2 * JOINTS).reshape(2, JOINTS)
    page = overview(tmp_path, weights)
    means = [text for text in page.texts if ", mean weight: " in text]
    names = [text.partition(",")[0].removesuffix(" *").replace(" ", "_") for text in means]
    assert names == list(reversed(SHARED_KEYPOINTS))
    assert [text for text in means if "*" in text] == [f"head *, mean weight: {weights[:, HEAD].mean():.2f}"]


@pytest.mark.parametrize(
    "lower_joints, verdict", [(0, "singles it out"), (3, "partly detects"), (4, "does not detect")]
)
def test_the_note_on_a_shifted_joint_says_whether_the_run_ignores_it(tmp_path, lower_joints, verdict):
    """Of 13 joints the three after the lowest are in the lowest quarter."""
    weights = np.full((2, JOINTS), 0.75)
    weights[:, HEAD] = 0.5
    weights[:, [j for j in range(JOINTS) if j != HEAD][:lower_joints]] = 0.25
    page = overview(tmp_path, weights)
    assert "“head” means two things" in page.text and "nose in the source" in page.text
    others = (0.25 * lower_joints + 0.75 * (12 - lower_joints)) / 12
    assert f"its labels is 0.50, that of all other joints {others:.2f}" in page.text
    assert verdict in page.text and (lower_joints == 0 or f"rank {lower_joints + 1} of 13" in page.text)


def test_the_mean_of_all_other_joints_is_over_their_labels(tmp_path):
    weights, visible = np.full((2, JOINTS), 0.75), np.ones((2, JOINTS), int)
    weights[:, KNEE], visible[1, KNEE] = 0, 0  # one label with weight 0, and 22 of the eleven other joints
    page = Page(join(weights_overview(make_run(tmp_path), learned_weights(weights, visible=visible))))
    assert f"that of all other joints {22 * 0.75 / 23:.2f}" in page.text


def test_the_histogram_over_training_is_drawn_if_recorded(tmp_path):
    counts = np.zeros((2, BINS), int)
    counts[0, 10], counts[1, :2] = 26, 13
    histograms = {"weights_B_table/all": (np.array([7, 14]), counts)}
    page = overview(tmp_path, np.full((2, JOINTS), 0.5), histograms=histograms)
    assert "step 7, weight 0.50 to 0.55: 100.0 % of the labels" in page.texts
    assert "step 14, weight 0.05 to 0.10: 50.0 % of the labels" in page.texts


def test_several_sets_of_weights():
    low, high = (learned_weights(np.full((2, JOINTS), value)) for value in (0.02, 0.52))
    low.weights[:, KNEE], high.weights[:, HEAD] = 0.01, 0.51
    named = [NamedWeights("a", 0, low), NamedWeights("b", 1, high)]
    bars = [text for text in Page(joints_of_runs(named)).texts if ": " in text]
    assert bars[:2] == ["left knee, a: 0.01", "left knee, b: 0.52"]  # sorted by the first set
    assert "head, b: 0.51" in bars and len(bars) == 2 * JOINTS
    points = Page(distributions(named)).texts
    assert "a: 100 at 0.025" in points and "b: 100 at 0.525" in points and "a: 0 at 0.525" in points
