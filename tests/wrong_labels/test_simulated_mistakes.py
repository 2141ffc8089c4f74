"""Known mistakes in right labels: that they are what they are called."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lib.dataset.skeleton import Skeleton
from lib.wrong_labels.label_model import REACH, LabelModel
from lib.wrong_labels.readings import GRID
from lib.wrong_labels.renamings import Kind, Renamings
from lib.wrong_labels.simulated_mistakes import DISTANCES, Rates, with_mistakes
from tests.factories.readings import PEOPLE, Seen, joint, make_readings, people

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")
RENAMINGS = Renamings.of(PEOPLE)
NONE = Rates(0, 0, 0, 0)
ANYWHERE = np.full((2 * REACH + 1, 2 * REACH + 1), 1 / (2 * REACH + 1) ** 2)


@pytest.fixture(scope="module")
def right():
    rng = np.random.default_rng(0)
    truth = people(400, rng)
    return make_readings(truth, Seen.of(truth, rng))


def mistakes(readings, rates, seed=0, moved=ANYWHERE, renamings=RENAMINGS):
    return with_mistakes(readings, renamings, moved, rates, np.random.default_rng(seed))


def sources(readings, changed):
    """[N, J] the joint at whose label each label is now, -1 for none."""
    same = (changed.labels[:, :, None] == readings.labels[:, None]).all(axis=-1)
    return np.where(same.any(axis=-1), same.argmax(axis=-1), -1)


def test_without_mistakes_nothing_changes(right):
    changed, kinds = mistakes(right, NONE)
    assert not kinds.any()
    assert (changed.labels == right.labels).all() and (changed.match == right.match).all()


@pytest.mark.parametrize(
    "rates, kind, groups",
    [
        (Rates(0.3, 0, 0, 0), Kind.EXCHANGED, [("left_wrist", "left_elbow"), ("right_ankle", "right_knee")]),
        (Rates(0, 0.3, 0, 0), Kind.LIMB_SIDES, [("left_wrist", "right_wrist"), ("left_hip", "right_hip")]),
        (
            Rates(0, 0, 0.3, 0),
            Kind.PERSON_SIDES,
            [("left_wrist", "right_wrist"), ("left_knee", "right_knee")],
        ),
    ],
)
def test_a_renamed_label_is_exactly_where_the_other_was(right, rates, kind, groups):
    changed, kinds = mistakes(right, rates)
    source = sources(right, changed)
    assert ((source != np.arange(len(PEOPLE.names))) == (kinds != Kind.RIGHT)).all()
    for a, b in groups:
        a, b = joint(a), joint(b)
        concerned = source[:, a] == b
        assert 0.15 < concerned.mean() < 0.45 and (source[concerned, b] == a).all()
        once = concerned & (kinds[:, a] == kind)
        # Both limbs' sides together are the whole person's, and who errs once errs again.
        assert (kinds[concerned, a] == kinds[concerned, b]).all() and once.sum() > 0.4 * concerned.sum()
    joints = np.arange(len(PEOPLE.names))
    assert (changed.match == right.match[np.arange(len(source))[:, None], source]).all()
    assert (changed.predicted == right.predicted).all() and (joints[None] == source).any()


def test_moved_labels_are_moved_and_the_network_is_asked_there(right):
    changed, kinds = mistakes(right, Rates(0, 0, 0, 0.25))
    moved = kinds == Kind.MOVED
    assert set(np.unique(kinds)) == {Kind.RIGHT, Kind.MOVED}
    assert 0.2 < moved.mean() < 0.36  # rates differ from instance to instance
    assert (changed.labels[~moved] == right.labels[~moved]).all()
    assert (changed.match[~moved] == right.match[~moved]).all()
    distance = np.linalg.norm(changed.labels - right.labels, axis=-1)[moved]
    inside = ((changed.labels > -1) & (changed.labels < GRID)).all(axis=-1)[moved]
    assert distance[inside].min() > 0.8 and np.median(distance) > 2
    # What the network sees at the new place, by the formula of its heatmaps.
    exact = make_readings(
        changed.labels, Seen(right.predicted.astype(float), right.height.astype(float))
    ).match
    within = (changed.labels >= 0).all(axis=-1) & (changed.labels < GRID - 1).all(axis=-1) & moved
    np.testing.assert_allclose(changed.match[within], exact[within], atol=0.06)
    assert np.abs(changed.match - exact)[within].mean() < 0.005


def test_half_of_the_moved_labels_move_as_was_found(right):
    found = np.zeros_like(ANYWHERE)
    found[REACH - 5, REACH + 5] = 1
    changed, kinds = mistakes(right, Rates(0, 0, 0, 0.3), moved=found)
    inside = (right.labels + [5, -5] < GRID - 1).all(axis=-1) & (right.labels + [5, -5] > 0).all(axis=-1)
    step = (changed.labels - right.labels)[(kinds == Kind.MOVED) & inside]
    as_found = (np.abs(step - [5, -5]) <= 0.5 + 1e-4).all(axis=-1)
    assert 0.42 < as_found.mean() < 0.6
    assert np.linalg.norm(step[~as_found], axis=-1).max() < GRID * DISTANCES[1] + 1e-4


def test_under_a_wrong_name_a_label_that_is_not_there_is_missing_too(right):
    labelled = np.random.default_rng(1).random(right.labelled.shape) < 0.7
    part = replace(right, labelled=labelled)
    changed, kinds = mistakes(part, Rates(0, 0, 0.3, 0))
    source = sources(right, changed)
    assert (changed.labelled == np.take_along_axis(labelled, source, axis=1)).all()
    assert not kinds[~changed.labelled].any()
    whole = (source == PEOPLE.flip_indices).all(axis=1)
    assert 0.2 < whole.mean() < 0.4 and not labelled[whole].all(axis=1).all()
    sided = np.array(PEOPLE.flip_indices) != np.arange(len(PEOPLE.names))
    assert ((kinds == Kind.PERSON_SIDES) == (whole[:, None] & changed.labelled & sided)).all()


def test_labels_that_are_not_there_are_not_moved(right):
    labelled = np.random.default_rng(1).random(right.labelled.shape) < 0.7
    changed, kinds = mistakes(replace(right, labelled=labelled), Rates(0, 0, 0, 0.3))
    assert (changed.labelled == labelled).all() and not kinds[~labelled].any()
    assert (changed.labels[~labelled] == right.labels[~labelled]).all()


def test_a_right_label_beside_the_crop_stays_there(right):
    labels = right.labels.copy()
    labels[:, 0] = -1.4
    changed, kinds = mistakes(replace(right, labels=labels), Rates(0, 0, 0, 0.2))
    assert (changed.labels[kinds == Kind.RIGHT] == labels[kinds == Kind.RIGHT]).all()


def test_all_mistakes_together_have_a_name(right):
    _, kinds = mistakes(right, Rates(0.4, 0.4, 0.4, 0.1))
    assert set(np.unique(kinds)) == set(range(5))


def test_the_seed_decides_and_the_global_state_does_not_change(right):
    torch.manual_seed(1), np.random.seed(1)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    rates = Rates()
    (first, kinds), (again, same), (other, _) = (mistakes(right, rates, seed) for seed in (0, 0, 1))
    assert (
        (kinds == same).all() and (first.labels == again.labels).all() and (first.match == again.match).all()
    )
    assert not (first.labels == other.labels).all()
    assert torch.equal(before[0], torch.get_rng_state()) and (before[1] == np.random.get_state()[1]).all()


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("names", [("a",), ("left_eye", "right_eye"), ("tip", "middle", "base")])
def test_few_instances_and_joints(count, names):
    rng = np.random.default_rng(0)
    truth = rng.uniform(2, 14, (count, len(names), 2))
    readings, renamings = make_readings(truth, Seen.of(truth, rng)), Renamings.of(Skeleton.of(names))
    moved = LabelModel.fit(readings, renamings).moved
    changed, kinds = mistakes(readings, Rates(0.9, 0.9, 0.9, 0.9), moved=moved, renamings=renamings)
    assert kinds.shape == truth.shape[:2] and changed.match.shape == (count, len(names), len(names))
