"""Drawn labels: marks lie at the crop's position of their image point."""

import cv2
import numpy as np
import pytest

from lib.dataset.annotations import Annotations
from lib.dataset.keypoints import joint_mapping
from lib.visualization.labels import (
    CELL,
    IGNORED,
    LABEL,
    PREDICTED,
    PROPOSED,
    RIGHT,
    TRUSTED,
    draw_keypoint,
    draw_weights,
)

NAMES = ("left_knee", "right_knee", "head")


@pytest.fixture
def annotations(tmp_path):
    """One instance in the middle of a grey image; a crop pixel is half an image pixel. The head is unlabelled."""
    assert cv2.imwrite(str(tmp_path / "a.png"), np.full((200, 300, 3), 128, np.uint8))
    return Annotations(
        mapping=joint_mapping("coco", NAMES),
        ids=np.array([1]),
        image_paths=(str(tmp_path / "a.png"), str(tmp_path / "missing.png")),
        image_index=np.array([0]),
        joints=np.array([[[130.0, 80.0], [170.0, 80.0], [0.0, 0.0]]], np.float32),
        visible=np.array([[1, 1, 0]]),
        centers=np.array([[150.0, 100.0]]),
        sizes=np.array([[60.0, CELL / 2 / 1.1]]),
    )


def crop_position(x, y):
    """Where image pixel (x, y) lies in the crop: its middle is (150, 100), its scale 2."""
    return 2 * (x - 150) + CELL / 2, 2 * (y - 100) + CELL / 2


def centre_of(drawing, colour):
    """Middle (x, y) of the pixels of about this colour."""
    rows, columns = np.nonzero(np.abs(drawing.astype(int) - colour).sum(axis=2) < 60)
    return (columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2


def has(drawing, colour):
    return bool((np.abs(drawing.astype(int) - colour).sum(axis=2) < 60).any())


def count(drawing, colour):
    return int((drawing == colour).all(axis=-1).sum())


def test_the_colours_of_the_marks():
    red, green, blue = range(3)
    assert np.argmax([LABEL, RIGHT, IGNORED, TRUSTED], axis=1).tolist() == [red, green, red, blue]
    assert PROPOSED[red] > 200 and PROPOSED[blue] > 200 and PROPOSED[green] < 100
    assert PREDICTED[red] > 200 and PREDICTED[green] > 200 and PREDICTED[blue] < 50


def test_a_keypoint_with_its_true_position_and_prediction(annotations):
    drawing = draw_keypoint(annotations, 0, 0, np.array([110.0, 120.0]), np.array([190.0, 130.0]))
    assert drawing.shape == (CELL, CELL, 3) and drawing.dtype == np.uint8
    assert centre_of(drawing, LABEL) == pytest.approx(crop_position(130, 80), abs=1)
    assert centre_of(drawing, RIGHT) == pytest.approx(crop_position(110, 120), abs=1)
    assert centre_of(drawing, PREDICTED) == pytest.approx(crop_position(190, 130), abs=1)


def test_a_proposed_position_is_joined_to_the_label(annotations):
    drawing = draw_keypoint(annotations, 0, 0, proposed=np.array([110.0, 80.0]))
    near = np.abs(drawing.astype(int) - PROPOSED).sum(axis=2) < 60
    rows, columns = np.nonzero(near)
    x, y = crop_position(110, 80)
    assert columns.min() == pytest.approx(
        x - 14, abs=2
    )  # the diamond's left corner; to the right goes the line
    assert (rows.min() + rows.max()) / 2 == pytest.approx(y, abs=1)
    label, _ = crop_position(130, 80)
    assert near[:, int((x + 14 + label - 11) / 2)].any() and not near[:, int(label)].any()
    assert centre_of(drawing, LABEL) == pytest.approx(crop_position(130, 80), abs=1)
    beside = draw_keypoint(
        annotations, 0, 0, proposed=np.array([130.0, 80.0])
    )  # on the label itself: no line
    assert centre_of(beside, PROPOSED) == pytest.approx(crop_position(130, 80), abs=1)
    assert not has(draw_keypoint(annotations, 0, 0, proposed=np.full(2, np.nan)), PROPOSED)


@pytest.mark.parametrize("true_position", [None, np.full(2, np.nan)])
def test_an_unknown_position_gets_no_mark(annotations, true_position):
    drawing = draw_keypoint(annotations, 0, 1, true_position)
    assert centre_of(drawing, LABEL) == pytest.approx(crop_position(170, 80), abs=1)
    assert not has(drawing, RIGHT) and not has(drawing, PREDICTED)


def test_weights_are_colours_and_corrupted_labels_crossed(annotations):
    none = np.zeros(3, bool)
    trusted = draw_weights(annotations, 0, np.ones(3), none)
    ignored = draw_weights(annotations, 0, np.zeros(3), none)
    between = draw_weights(annotations, 0, np.full(3, 0.5), none)
    crossed = draw_weights(annotations, 0, np.ones(3), ~none)
    assert trusted.shape == (CELL, CELL, 3) and trusted.dtype == np.uint8
    # Two discs of radius 7: the unlabelled joint has none.
    for drawing, colour in ((trusted, TRUSTED), (ignored, IGNORED), (between, (255, 255, 255))):
        assert 2 * 120 < count(drawing, colour) < 2 * 160
    assert count(trusted, IGNORED) == count(ignored, TRUSTED) == 0
    assert 0 < count(crossed, TRUSTED) < count(trusted, TRUSTED)


def test_weights_belong_to_their_joints(annotations):
    drawing = draw_weights(annotations, 0, np.array([0.0, 1.0, 0.0]), np.zeros(3, bool))
    assert centre_of(drawing, IGNORED) == pytest.approx(crop_position(130, 80), abs=1)
    assert centre_of(drawing, TRUSTED) == pytest.approx(crop_position(170, 80), abs=1)
    quarter = draw_weights(annotations, 0, np.full(3, 0.25), np.zeros(3, bool))
    halfway = tuple(int(255 + 0.5 * (channel - 255)) for channel in IGNORED)
    assert count(quarter, halfway) > 2 * 120


def test_an_image_that_cannot_be_read_has_no_drawing(annotations):
    annotations.image_index[0] = 1
    assert draw_weights(annotations, 0, np.ones(3), np.zeros(3, bool)) is None
    assert draw_keypoint(annotations, 0, 0) is None
