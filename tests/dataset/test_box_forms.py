"""Boxes and keypoints of other forms, against boxes drawn in COCO's form."""

import numpy as np
import pytest

from lib.dataset.box_forms import as_corner_and_size, keypoints_in_pixels

WIDTH, HEIGHT = 200, 160


def drawn(seed=0, count=12, largest=70.0, corner=None):
    """Boxes inside the image, with joints at random places in them, two of which span the box."""
    rng = np.random.default_rng(seed)
    sizes = rng.uniform(20, largest, (count, 2))
    room = np.array([WIDTH, HEIGHT]) - sizes
    corners = rng.uniform(0, 1, (count, 2)) * (room if corner is None else np.minimum(room, corner))
    spots = rng.uniform(0, 1, (count, 5, 2))
    spots[:, 0], spots[:, 1] = 0.02, 0.98
    points = np.concatenate([corners[:, None] + spots * sizes[:, None], np.full((count, 5, 1), 2.0)], axis=2)
    return np.concatenate([corners, sizes], axis=1), points, np.tile([float(WIDTH), HEIGHT], (count, 1))


FORMS = {
    "corners": lambda b: np.concatenate([b[:, :2], b[:, :2] + b[:, 2:]], axis=1),
    "center and size": lambda b: np.concatenate([b[:, :2] + b[:, 2:] / 2, b[:, 2:]], axis=1),
}
SHARES = {"shares of the image": lambda b: b / [WIDTH, HEIGHT, WIDTH, HEIGHT]}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("corner", [None, 25.0])
def test_cocos_own_boxes_are_kept(seed, corner):
    boxes, points, bounds = drawn(seed, corner=corner)
    found, notes = as_corner_and_size(boxes, points, bounds)
    np.testing.assert_array_equal(found, boxes)
    assert not notes.filled_in


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("form", [*FORMS, *SHARES])
def test_other_forms_are_recognized_and_said(seed, form):
    boxes, points, bounds = drawn(seed)
    given = (FORMS | SHARES)[form](boxes)
    found, notes = as_corner_and_size(given, points, bounds)
    np.testing.assert_allclose(found, boxes, rtol=1e-9)
    ((said, count),) = notes.filled_in.items()
    assert form in said and count == len(boxes)


@pytest.mark.parametrize("form", FORMS)
def test_other_forms_as_shares_of_the_image(form):
    boxes, points, bounds = drawn()
    given = SHARES["shares of the image"](FORMS[form](boxes))
    found, notes = as_corner_and_size(given, points, bounds)
    np.testing.assert_allclose(found, boxes, rtol=1e-9)
    (said,) = notes.filled_in
    assert form in said and "shares" in said


def test_corners_of_objects_that_are_all_near_the_first_pixel():
    boxes, points, bounds = drawn(count=12, largest=40, corner=50.0)
    found, _ = as_corner_and_size(FORMS["corners"](boxes), points, bounds)
    np.testing.assert_allclose(found, boxes)


def test_one_object_that_nearly_fills_its_image():
    boxes = np.array([[3.0, 4.0, 190.0, 150.0]])
    points = np.array([[[5.0, 6.0, 2], [190, 150, 2], [100, 80, 2]]])
    np.testing.assert_array_equal(as_corner_and_size(boxes, points, np.array([[200.0, 160.0]]))[0], boxes)


def test_boxes_are_kept_where_nothing_fits_or_nothing_is_known():
    boxes, points, bounds = drawn()
    elsewhere = np.concatenate([boxes[:, :2] + 500, boxes[:, 2:]], axis=1)
    np.testing.assert_array_equal(as_corner_and_size(elsewhere, points, bounds)[0], elsewhere)
    corners = FORMS["corners"](boxes)
    unknown = np.full_like(bounds, np.nan)
    np.testing.assert_array_equal(as_corner_and_size(corners, points, unknown)[0], corners)


def test_keypoints_as_shares_of_the_image():
    _, points, bounds = drawn()
    points[0, 0] = 0  # one is unlabelled
    shares = points / [WIDTH, HEIGHT, 1]
    found, notes = keypoints_in_pixels(shares, bounds)
    np.testing.assert_allclose(found, points, rtol=1e-9)
    assert sum(notes.filled_in.values()) == 12 * 5 - 1
    assert keypoints_in_pixels(points, bounds)[0] is points


def test_shares_a_little_outside_of_the_image_and_pixels_near_its_corner():
    bounds = np.full((1, 2), 100.0)
    shares = np.array([[[-0.02, 0.5, 2], [0.3, 1.04, 2], [0.7, 0.2, 2]]])
    found, notes = keypoints_in_pixels(shares, bounds)
    np.testing.assert_allclose(found, shares * [100, 100, 1])
    pixels = np.array([[[0.5, 1.9, 2], [1.5, 1.0, 2], [0.0, 0.0, 2]]])
    assert keypoints_in_pixels(pixels, bounds)[0] is pixels and sum(notes.filled_in.values()) == 3
