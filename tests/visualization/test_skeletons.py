"""Skeletons, heatmaps and contact sheets, against pixels at known positions."""

import numpy as np
import pytest
import torch

from lib.dataset.keypoints import SHARED_KEYPOINTS
from lib.dataset.skeleton import Skeleton
from lib.visualization.skeletons import (
    SIDE_COLOURS,
    contact_sheet,
    draw_heatmaps,
    draw_skeleton,
    enlarged,
    joint_colour,
    limb_colour,
    sample_sheet,
)

SHARED = Skeleton.of(SHARED_KEYPOINTS)


def test_colours_follow_the_side_of_the_body():
    skeleton = Skeleton.of(("left_ear", "nose", "right_hip", "right_knee", "left_hip"))
    assert (
        joint_colour(skeleton, 0) == SIDE_COLOURS["left"]
        and joint_colour(skeleton, 1) == SIDE_COLOURS["middle"]
    )
    assert limb_colour(skeleton, 2, 3) == SIDE_COLOURS["right"]
    assert limb_colour(skeleton, 2, 4) == SIDE_COLOURS["middle"]


def test_limbs_join_joints_that_are_both_visible():
    joints = np.array([(20.0, 64.0), (100.0, 64.0)])
    names = ("left_knee", "left_ankle")
    image = np.zeros((128, 128, 3), np.uint8)
    both = draw_skeleton(image, joints, np.array([True, True]), Skeleton.of(names))
    single = draw_skeleton(image, joints, np.array([True, False]), Skeleton.of(names))
    assert tuple(both[64, 60]) == SIDE_COLOURS["left"] and not single[64, 60].any()


def test_joints_have_the_colour_of_their_side_and_hidden_ones_are_left_out():
    image = np.zeros((128, 128, 3), np.uint8)
    joints = np.full((13, 2), np.nan)
    visible = np.zeros(13, bool)
    for name, position in (("left_wrist", (30, 40)), ("right_knee", (90, 100)), ("head", (60, 10))):
        joints[SHARED_KEYPOINTS.index(name)], visible[SHARED_KEYPOINTS.index(name)] = position, True
    joints[SHARED_KEYPOINTS.index("left_ankle")] = (10, 120)
    drawn = draw_skeleton(image, joints, visible, SHARED)
    assert tuple(drawn[40, 30]) == SIDE_COLOURS["left"]
    assert tuple(drawn[100, 90]) == SIDE_COLOURS["right"]
    assert tuple(drawn[10, 60]) == SIDE_COLOURS["middle"]
    assert not drawn[120, 10].any() and not image.any()


def test_heatmaps_are_brightest_at_their_peak():
    heatmaps = np.zeros((2, 8, 8))
    heatmaps[1, 6, 2] = 1
    drawn = draw_heatmaps(np.full((32, 32, 3), 100, np.uint8), heatmaps)
    assert drawn[25, 9].sum() > drawn[3, 28].sum() + 100
    assert drawn[3, 28].tolist() == [60, 60, 60]


def test_heatmaps_have_inferno_colours_in_rgb():
    """The map's last colour is (252, 255, 164), of which three quarters are drawn."""
    drawn = draw_heatmaps(np.zeros((32, 32, 3), np.uint8), np.ones((1, 8, 8)))
    np.testing.assert_allclose(drawn.astype(int), np.broadcast_to([189, 191, 123], drawn.shape), atol=1)


def test_joints_lie_at_the_same_place_of_an_enlarged_input():
    joints, visible = np.zeros((1, 13, 2)), np.zeros((1, 13))
    joints[0, 0], visible[0, 0] = (30, 20), 1
    sheet = sample_sheet(torch.zeros(1, 3, 64, 48), joints, visible, np.zeros((1, 13, 16, 12)), SHARED, 1)  # fmt: skip
    # Four times the size, behind a gap of one pixel.
    assert tuple(sheet[1 + 4 * 20, 1 + 4 * 30]) == joint_colour(SHARED, 0)


@pytest.mark.parametrize("columns, rows", [(3, 1), (2, 2), (1, 3)])
def test_a_sheet_has_two_rows_of_cells_for_each_row_of_samples(columns, rows):
    sheet = sample_sheet(torch.zeros(3, 3, 64, 48), np.zeros((3, 13, 2)), np.ones((3, 13)), np.zeros((3, 13, 16, 12)), SHARED, columns)  # fmt: skip
    assert sheet.shape == (rows * 2 * (256 + 2), columns * (192 + 2), 3) and sheet.dtype == np.uint8


def test_shorter_rows_of_a_sheet_are_padded_black():
    cell = np.full((4, 5, 3), 255, np.uint8)
    sheet = contact_sheet([[cell, cell], [cell]])
    assert sheet.shape == (12, 14, 3)
    assert sheet[1:5, 8:13].min() == 255 and sheet[7:11, 1:6].min() == 255 and sheet[6:, 7:].max() == 0


def test_images_are_enlarged_by_an_integer_factor():
    image = np.arange(2 * 50 * 3, dtype=np.uint8).reshape(2, 50, 3)
    large = enlarged(image, smallest=120)
    np.testing.assert_array_equal(large, image.repeat(3, axis=0).repeat(3, axis=1))
    np.testing.assert_array_equal(enlarged(image, smallest=50), image)
