"""Figures: sizes, proportions and order of the parts."""

import numpy as np
import pytest

from lib.synthetic.appearance import FLAT, ROUGH
from lib.synthetic.figure import draw_figure

WIDTH, HEIGHT = 150, 140


@pytest.fixture(scope="module")
def figures():
    return [draw_figure(np.random.default_rng(i), FLAT, 0.5, WIDTH, HEIGHT) for i in range(200)]


def bounds(figure):
    """Low and high corner [2, 2] of all circles of the figure."""
    centres, radii = (np.concatenate([blob[i] for part in figure.parts for blob in part]) for i in (0, 1))
    return np.array([(centres - radii[:, None]).min(axis=0), (centres + radii[:, None]).max(axis=0)])


def test_figures_have_70_to_110_pixels(figures):
    longest = [np.ptp(bounds(figure), axis=0).max() for figure in figures]
    assert 65 < min(longest) < 80 and 100 < max(longest) < 115


def test_figures_lie_in_the_image_or_are_cut_off_by_a_tenth(figures):
    cut = 0
    for figure in figures:
        low, high = bounds(figure)
        outside = max(0, *(-low), *(high - [WIDTH - 1, HEIGHT - 1]))
        assert outside < 0.1 * figure.size + 2
        cut += outside > 2
    assert 0 < cut < len(figures) / 2


def test_limbs_have_the_proportions_of_the_body(figures):
    """Lengths in units of the stature, in 3-D: projection and rotation keep them."""
    for figure in figures:
        for side in ("left", "right"):
            for a, b, length in (
                ("shoulder", "elbow", 0.165),
                ("elbow", "wrist", 0.15),
                ("hip", "knee", 0.24),
                ("knee", "ankle", 0.23),
            ):
                distance = np.linalg.norm(figure.at[f"{side}_{a}"] - figure.at[f"{side}_{b}"])
                assert distance == pytest.approx(length * figure.size)
        head = np.linalg.norm(figure.at["head_top"] - figure.at["upper_neck"]) / figure.size
        assert 0.15 <= head <= 0.185


def test_limbs_swing_outward(figures):
    """Elbows and knees are farther apart than the shoulders and hips that they hang from."""
    for figure in figures:
        shoulders, elbows, hips, knees = (
            np.linalg.norm(figure.at[f"left_{joint}"] - figure.at[f"right_{joint}"])
            for joint in ("shoulder", "elbow", "hip", "knee")
        )
        assert elbows > shoulders and knees > hips


def test_few_figures_show_their_back_and_the_nose_is_on_the_far_side_then(figures):
    behind = [figure.from_behind for figure in figures]
    assert 0 < sum(behind) < 0.1 * len(figures)
    for figure in figures:
        assert (figure.at["nose"][2] < figure.at["head_centre"][2]) == figure.from_behind


def test_points_by_name():
    figure = draw_figure(np.random.default_rng(3), ROUGH, 0.3, WIDTH, HEIGHT)
    left, right = figure.both("knee")
    assert left.tolist() == figure.at["left_knee"][:2].tolist() == figure.limb("left", "knee")[0].tolist()
    assert right.tolist() == figure.xy("right_knee")[0].tolist()
    depth = (figure.at["left_knee"][2] + figure.at["left_ankle"][2]) / 2
    assert figure.depth("left_knee", "left_ankle") == pytest.approx(depth)


def test_the_arm_that_is_nearer_is_drawn_after_the_other_arm(figures):
    """Arms are the parts that end in a hand."""

    def order(figure, side):
        hand = figure.at[f"{side}_hand"][:2]
        return next(
            i
            for i, part in enumerate(figure.parts)
            if any((blob.centres == hand).all(axis=1).any() for blob in part)
        )

    for figure in figures:
        near, far = sorted(
            ("left", "right"), key=lambda side: -figure.depth(f"{side}_elbow", f"{side}_wrist")
        )
        assert order(figure, near) > order(figure, far)
