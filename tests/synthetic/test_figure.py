"""Figures: sizes, proportions and order of the parts."""

import numpy as np
import pytest

from lib.synthetic.appearance import FLAT, ROUGH
from lib.synthetic.canvas import DARK
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


def test_figures_lie_in_the_image_or_are_cut_off_by_a_fifth(figures):
    cut = 0
    for figure in figures:
        low, high = bounds(figure)
        outside = max(0, *(-low), *(high - [WIDTH - 1, HEIGHT - 1]))
        assert outside < 0.2 * figure.size + 2
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


def test_people_are_seen_from_all_around(figures):
    """A quarter shows the back, nearly a third a side; the nose is on the far side of those who face away."""
    forward = np.array([figure.pose.pelvis[2, 2] for figure in figures])
    assert 0.15 < np.mean(forward < -0.7) < 0.4 and 0.35 < np.mean(forward > 0.6) < 0.6
    assert 0.1 < np.mean(abs(forward) < 0.6) < 0.45
    for figure in figures:
        assert figure.from_behind == (figure.pose.trunk[2, 2] < 0)
        if abs(figure.pose.head[2, 2]) > 0.3:
            assert (figure.at["nose"][2] > figure.at["head_centre"][2]) == (figure.pose.head[2, 2] > 0)


def test_some_sit_and_some_lie(figures):
    trunks = np.array([figure.at["thorax"] - figure.at["pelvis"] for figure in figures])
    lying = np.degrees(np.arctan2(abs(trunks[:, 0]), -trunks[:, 1])) > 60
    seated = [bool(figure.seat) for figure in figures]
    assert 0.08 < np.mean(seated) < 0.25 and 0.05 < np.mean(lying) < 0.25


def test_the_front_is_drawn_on_those_who_show_it_alone(figures):
    """The front in a contrasting colour, eyes: in the picture, not only in the pose."""
    for figure in figures:
        colours = {blob.colour for part in figure.parts for blob in part}
        eyes = DARK in colours
        if figure.pose.head[2, 2] < -0.6:
            assert not eyes
        if figure.pose.head[2, 2] > 0.6:
            assert eyes
        assert bool(figure.front()) == (figure.pose.trunk[2, 2] > 0.12)


def test_whoever_sits_is_over_the_seat_and_its_legs_behind_the_seat_in_a_back_view(figures):
    def place(figure, part):
        return next(i for i, blobs in enumerate(figure.parts) if blobs is part)

    seen = 0
    for figure in figures:
        if figure.seat and figure.pose.pelvis[2, 2] < -0.85:
            seen += 1
            knees = [figure.at[f"{side}_knee"][:2] for side in ("left", "right")]
            legs = [
                part
                for part in figure.parts
                if any((blob.centres == knee).all(axis=1).any() for blob in part for knee in knees)
            ]
            assert sum(place(figure, leg) < figure.below_seat for leg in legs) >= 1
    assert seen > 2


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
