import cv2
import numpy as np
import pytest

from lib.synthetic.canvas import DARK, FABRICS, HAIR, SKIN, SUPERSAMPLING, Canvas, make_blob

RED, BLUE = (200, 0, 0), (0, 0, 200)


def at(array, x, y):
    """The value of a canvas array at image pixel (x, y)."""
    return array[y * SUPERSAMPLING, x * SUPERSAMPLING].tolist()


def test_a_blob_takes_one_radius_or_one_for_each_centre():
    blob = make_blob([(1, 2), (3, 4)], 5, RED, SKIN)
    assert blob.centres.tolist() == [[1, 2], [3, 4]] and blob.radii.tolist() == [5, 5]
    assert make_blob((1, 2), 5, RED, SKIN).centres.tolist() == [[1, 2]]
    assert make_blob([(1, 2), (3, 4)], [5, 6], RED, SKIN).radii.tolist() == [5, 6]


def test_the_hull_of_two_circles_is_a_stadium():
    blob = make_blob([(10, 10), (30, 10)], 4, RED, SKIN)
    for margin in (0, 2):
        radius = 4 + margin
        area = cv2.contourArea(blob.hull(margin).astype(np.float32))
        assert area == pytest.approx(20 * 2 * radius + np.pi * radius**2, rel=0.02)  # circles have 24 corners
        assert blob.hull(margin).min(axis=0) == pytest.approx([10 - radius, 10 - radius])
        assert blob.hull(margin).max(axis=0) == pytest.approx([30 + radius, 10 + radius])


def test_pixels_owner_and_fabric_are_those_of_what_was_drawn_last():
    canvas = Canvas(40, 20)
    assert canvas.pixels.shape == (20 * SUPERSAMPLING, 40 * SUPERSAMPLING, 3)
    canvas.draw([make_blob((12, 10), 8, RED, SKIN)], owner=1)
    canvas.draw([make_blob((24, 10), 8, BLUE, HAIR)], owner=3)
    for (x, y), colour, owner, fabric in (
        ((38, 2), (0, 0, 0), 0, 0),
        ((8, 10), RED, 1, SKIN),
        ((18, 10), BLUE, 3, HAIR),  # covered by both
        ((30, 10), BLUE, 3, HAIR),
    ):
        assert (at(canvas.pixels, x, y), at(canvas.owner, x, y), at(canvas.fabric, x, y)) == (
            list(colour),
            owner,
            fabric,
        )
    assert canvas.owner.max() == 3 and canvas.fabric.max() < FABRICS


def test_the_outline_surrounds_all_blobs_of_a_part_together():
    canvas = Canvas(60, 30)
    canvas.draw([make_blob((20, 15), 8, RED, SKIN), make_blob((32, 15), 8, BLUE, SKIN)], owner=1, outline=3)
    assert at(canvas.pixels, 10, 15) == list(DARK) and at(canvas.pixels, 42, 15) == list(DARK)
    assert at(canvas.pixels, 20, 15) == list(RED) and at(canvas.pixels, 26, 15) == list(BLUE)
    assert at(canvas.owner, 10, 15) == 1  # the outline belongs to its figure
    row = canvas.pixels[15 * SUPERSAMPLING, 14 * SUPERSAMPLING : 38 * SUPERSAMPLING]
    assert not (row == DARK).all(axis=1).any()  # no line between the two
