"""Kinds and places of wrong labels, from judgements that are given or made."""

from dataclasses import replace

import numpy as np
import pytest

from lib.dataset.annotations import Annotations
from lib.dataset.keypoints import SHARED_KEYPOINTS, joint_mapping
from lib.wrong_labels.judge import judge
from lib.wrong_labels.places import suspects_of
from lib.wrong_labels.readings import GRID, image_positions
from tests.factories.readings import (
    EXCHANGES,
    PEOPLE,
    SURE,
    Seen,
    exchanged,
    joint,
    make_readings,
    people,
    planted,
    trusted,
    unread,
)

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")
SCALE = 10.0  # image pixels per unit of `Readings`
SIDE = SCALE * GRID


def annotations_of(readings, image_index=None, apart=1000.0):
    """The readings' annotations; crop i is in image i, ``apart`` pixels further to the right."""
    count = len(readings)
    image_index = np.arange(count) if image_index is None else image_index
    centers = np.full((count, 2), SIDE / 2) + np.arange(count)[:, None] * [apart, 0]
    sizes = np.full((count, 2), SIDE)
    return Annotations(
        mapping=joint_mapping("coco", SHARED_KEYPOINTS),
        ids=np.arange(count),
        image_paths=tuple(f"{i}.jpg" for i in range(count)),
        image_index=image_index,
        joints=image_positions(readings.labels, centers, sizes),
        visible=readings.labelled.astype(np.float32),
        centers=centers,
        sizes=sizes,
    )


def suspects(readings, annotations=None, network=SURE, known=None):
    judgement = judge(readings, trusted(**network) if known is None else known, PEOPLE, seed=0)
    return suspects_of(readings, judgement, annotations_of(readings) if annotations is None else annotations)


def in_image(points):
    """Units to pixels of the images of `annotations_of`."""
    return points * SCALE + np.arange(len(points))[:, None, None] * [1000.0, 0]


SHARES = {"exchanged": 0.1, "limb sides": 0.08, "person sides": 0.08, "moved": 0.08}


@pytest.fixture(scope="module")
def mixed():
    case, kinds = planted(200, SHARES, **SURE)
    return case, kinds, suspects(case.readings)


@pytest.mark.parametrize("kind", list(SHARES))
def test_kinds_of_planted_mistakes_are_named(mixed, kind):
    case, kinds, found = mixed
    flagged = (kinds == kind) & (found.probability > 0.5)
    assert flagged.sum() > 0.8 * (kinds == kind).sum()
    accepted = (kind, "surplus") if kind == "moved" else (kind,)  # where the network is hardly sure of a peak
    assert (
        np.isin(found.kind[flagged], accepted).mean() > 0.95 and (found.kind[flagged] == kind).mean() > 0.85
    )
    assert found.sureness[flagged].mean() > 0.7
    assert ((found.sureness >= 0) & (found.sureness <= 1)).all()


def test_labels_that_are_held_to_be_right_are_called_so(mixed):
    case, _, found = mixed
    assert ((found.kind == "right") == (found.probability <= 0.5)).all()
    assert (found.kind[~case.wrong] == "right").mean() > 0.99


@pytest.mark.parametrize("kind", list(EXCHANGES))
def test_the_partner_is_the_joint_whose_place_the_label_has(mixed, kind):
    case, kinds, found = mixed
    source = np.broadcast_to(exchanged(len(PEOPLE.names), *EXCHANGES[kind]), kinds.shape)
    of_kind = (kinds == kind) & (found.kind == kind)
    assert (found.partner[of_kind] == source[of_kind]).mean() > 0.98
    assert (found.partner[np.isin(found.kind, ("moved", "surplus", "other instance", ""))] == -1).all()


@pytest.mark.parametrize("kind", list(EXCHANGES))
def test_the_place_of_an_exchanged_label_is_its_partners_click_to_the_pixel(mixed, kind):
    case, kinds, found = mixed
    of_kind = (kinds == kind) & (found.kind == kind)
    error = np.linalg.norm(found.proposed - in_image(case.truth), axis=-1)[of_kind]
    assert (error < 1e-3).mean() > 0.95 and np.median(error) < 1e-3


def test_a_moved_labels_place_is_near_the_prediction(mixed):
    case, kinds, found = mixed
    moved = (kinds == "moved") & (found.kind == "moved")
    error = np.linalg.norm(found.proposed - in_image(case.truth), axis=-1)[moved] / SCALE
    assert np.median(error) < 0.6 and (error < 1.5).mean() > 0.95


def test_labels_that_all_moved_alike_are_moved_back_more_exactly_than_the_network_sees():
    rng = np.random.default_rng(0)
    truth = people(200, rng)
    moved = rng.random(truth.shape[:2]) < 0.25
    labels = truth + moved[..., None] * [4.0, -3.0]
    readings = make_readings(labels, Seen.of(truth, rng, 0.92))
    found = suspects(readings)
    of_kind = moved & (found.kind == "moved")
    assert of_kind.sum() > 0.8 * moved.sum()
    error, seen = (
        np.linalg.norm(points - in_image(truth), axis=-1)[of_kind].mean() / SCALE
        for points in (found.proposed, in_image(readings.predicted.astype(float)))
    )
    assert error < 0.85 * seen


def test_a_click_that_the_network_does_not_see_there_is_not_taken():
    """Left wrist and elbow are exchanged, and the elbow's click is not on the wrist."""
    case, _ = planted(100, {"exchanged": 0.2}, **SURE)
    wrist, elbow = joint("left_wrist"), joint("left_elbow")
    rows = np.flatnonzero(case.wrong[:, wrist])[:5]
    labels = case.readings.labels.copy()
    labels[rows, elbow] += [0, 6]
    seen = Seen(case.readings.predicted.astype(float), case.readings.height.astype(float))
    readings = make_readings(labels, seen)
    found = suspects(readings)
    predicted = in_image(readings.predicted.astype(float))
    np.testing.assert_allclose(found.proposed[rows, wrist], predicted[rows, wrist], atol=1e-2)


@pytest.mark.slow
def test_a_label_on_the_same_joint_of_another_instance_is_that_ones():
    """Two people in each image; the left wrist of the first of them is labelled at the second's."""
    case, _ = planted(300, {"moved": 0.03}, **SURE)
    count, wrist, apart = 300, joint("left_wrist"), 40.0
    image_index = np.repeat(np.arange(count // 2), 2)
    first = np.arange(0, 60, 2)
    labels = case.readings.labels.copy()
    # Crops of an image are four units apart, all others far away from each other.
    labels[first, wrist] = case.truth[first + 1, wrist] + [apart / SCALE, 0]
    seen = Seen(case.readings.predicted.astype(float), case.readings.height.astype(float))
    readings = make_readings(labels, seen)
    found = suspects(readings, annotations_of(readings, image_index, apart))
    told = found.kind[first, wrist]
    clear = np.linalg.norm(labels - case.truth, axis=-1)[first, wrist] > 2
    assert clear.sum() > 20 and (told[clear] == "other instance").mean() > 0.9
    assert (found.kind[:, wrist][1::2] == "other instance").mean() < 0.05
    alone = suspects(readings, annotations_of(readings, apart=apart))
    assert not (alone.kind == "other instance").any()


def test_joints_of_instances_that_were_not_read_are_at_no_place():
    case, _ = planted(100, {"moved": 0.1}, **SURE)
    readings = case.readings
    labels, labelled, predicted = readings.labels.copy(), readings.labelled.copy(), readings.predicted.copy()
    labelled[1::2], predicted[1::2] = False, 0  # not read
    wrist = joint("left_wrist")
    labels[::2, wrist] = 0  # where nothing was seen
    source = replace(readings, labels=labels, labelled=labelled, predicted=predicted)
    annotations = annotations_of(source, np.repeat(np.arange(50), 2), apart=0.0)
    annotations.visible[:] = 1
    found = suspects(source, annotations)
    assert not (found.kind == "other instance").any()
    assert (found.kind[1::2] == "").all() and np.isnan(found.proposed[1::2]).all()
    assert not found.probability[1::2].any() and not found.sureness[1::2].any()


def test_a_label_whose_joint_is_not_to_be_seen_is_surplus():
    case, _ = planted(120, {"moved": 0.05}, **SURE)
    wrist = joint("left_wrist")
    belief = case.readings.height.astype(float)
    belief[:20, wrist] = 0.1
    labels = case.readings.labels.copy()
    labels[:20, wrist] = case.truth[:20, wrist] + [0, -5]
    readings = make_readings(labels, Seen(case.readings.predicted.astype(float), belief))
    found = suspects(readings)
    flagged = found.probability[:20, wrist] > 0.5
    assert flagged.mean() > 0.8 and (found.kind[:20, wrist][flagged] == "surplus").mean() > 0.9
    assert np.isnan(found.proposed[found.kind == "surplus"]).all()


def test_a_joint_that_is_clearly_seen_and_has_no_label_is_missing():
    case, _ = planted(120, {"moved": 0.05}, **SURE)
    knee = joint("left_knee")
    belief = case.readings.height.astype(float)
    belief[:20, knee], belief[20:40, knee] = 0.99, 0.2
    labelled = np.ones(case.wrong.shape, bool)
    labelled[:40, knee] = False
    labelled[7] = False  # nobody asked for any label of this one
    labels = np.where(labelled[..., None], case.readings.labels, 0)
    readings = make_readings(labels, Seen(case.readings.predicted.astype(float), belief), labelled)
    found = suspects(readings)
    assert (np.delete(found.kind[:20, knee], 7) == "missing").all()
    assert (found.kind[20:40, knee] == "").all() and (found.kind[7] == "").all()
    missing = found.kind == "missing"
    np.testing.assert_allclose(
        found.proposed[missing], in_image(readings.predicted.astype(float))[missing], atol=1e-2
    )
    assert np.isnan(found.proposed[~labelled & ~missing]).all()
    assert not found.probability[~labelled].any() and (found.sureness[missing] > 0.9).all()


def test_a_label_outside_of_the_crop_is_neither_missing_nor_judged():
    case, _ = planted(40, {}, **SURE)
    labelled = np.ones(case.wrong.shape, bool)
    labelled[:10, 0] = False
    readings = replace(case.readings, labelled=labelled)
    annotations = annotations_of(readings)
    annotations.visible[:] = 1  # there is a label, which the network could not see
    found = suspects(readings, annotations)
    assert (found.kind[:10, 0] == "").all() and np.isnan(found.proposed[:10, 0]).all()


@pytest.mark.parametrize("count", [0, 1, 5])
@pytest.mark.parametrize("labels", [True, False])
def test_few_or_no_labels(count, labels):
    readings = planted(count, {})[0].readings
    source = readings if labels else unread(readings)
    found = suspects(source, known=readings)
    assert found.kind.shape == found.probability.shape == found.partner.shape == (count, len(PEOPLE.names))
    assert np.isin(found.kind, ("right", "moved") if labels else ("",)).all()
