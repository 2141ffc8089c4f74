import numpy as np
import pytest

from lib.dataset.keypoints import COCO_KEYPOINTS, MPII_KEYPOINTS, SHARED_KEYPOINTS
from lib.dataset.skeleton import Skeleton
from lib.predict.drawing import MIN_OPACITY, OPAQUE_SCORE, draw_people, line_width
from lib.predict.people import People
from lib.predict.poses import Poses
from lib.visualization.skeletons import SIDE_COLOURS

FIGURE = {  # a person facing us, in a square of side 1
    "head": (0.5, 0.05), "right_shoulder": (0.35, 0.2), "left_shoulder": (0.65, 0.2), "right_elbow": (0.2, 0.3),
    "left_elbow": (0.8, 0.3), "right_wrist": (0.1, 0.45), "left_wrist": (0.9, 0.45), "right_hip": (0.4, 0.55),
    "left_hip": (0.6, 0.55), "right_knee": (0.35, 0.75), "left_knee": (0.65, 0.75), "right_ankle": (0.3, 0.95),
    "left_ankle": (0.7, 0.95),
}  # fmt: skip


SHARED = Skeleton.of(SHARED_KEYPOINTS)


def person(side=200, at=(20, 20), score=1.0, names=SHARED_KEYPOINTS):
    """Poses of one person; joints that FIGURE lacks are not seen."""
    joints = np.array([FIGURE.get(name, (0, 0)) for name in names]) * side + at
    scores = np.array([score if name in FIGURE else 0.0 for name in names])
    return Poses(People.from_boxes((*at, side, side)), joints[None], scores[None], np.full((1, 2), side))


def grey(height=240, width=240, value=0):
    return np.full((height, width, 3), value, np.uint8)


def middle_of(a, b, side=200, at=(20, 20)):
    x, y = ((np.array(FIGURE[a]) + FIGURE[b]) / 2 * side + at).round().astype(int)
    return y, x


@pytest.mark.parametrize("names", [SHARED_KEYPOINTS, MPII_KEYPOINTS, COCO_KEYPOINTS])
@pytest.mark.parametrize("value", [0, 255])
def test_limbs_have_the_colour_of_their_side(names, value):
    drawn = draw_people(grey(value=value), person(names=names), Skeleton.of(names))
    for side in ("left", "right"):
        for limb in (
            ("shoulder", "elbow"),
            ("elbow", "wrist"),
            ("hip", "knee"),
            ("knee", "ankle"),
            ("shoulder", "hip"),
        ):
            assert tuple(drawn[middle_of(*(f"{side}_{end}" for end in limb))]) == SIDE_COLOURS[side]
    assert tuple(drawn[middle_of("left_hip", "right_hip")]) == SIDE_COLOURS["middle"]


def test_the_image_itself_stays():
    image = grey()
    draw_people(image, person(), SHARED)
    assert not image.any()


def test_opacity_is_the_confidence():
    place = middle_of("left_hip", "left_knee")
    for share in (1.0, 0.5, 0.25):
        drawn = draw_people(grey(), person(score=OPAQUE_SCORE * share), SHARED)
        assert drawn[place] == pytest.approx(share * np.array(SIDE_COLOURS["left"]), abs=1)
    drawn = draw_people(grey(value=90), person(score=0.9 * MIN_OPACITY * OPAQUE_SCORE), SHARED)
    assert (drawn == 90).all()


def test_a_limb_is_as_sure_as_its_less_sure_end():
    poses = person()
    poses.scores[0, SHARED_KEYPOINTS.index("left_ankle")] = OPAQUE_SCORE / 2
    drawn = draw_people(grey(), poses, SHARED)
    assert drawn[middle_of("left_knee", "left_ankle")] == pytest.approx(
        np.array(SIDE_COLOURS["left"]) / 2, abs=1
    )
    assert tuple(drawn[middle_of("left_hip", "left_knee")]) == SIDE_COLOURS["left"]


def test_width_grows_with_the_person():
    """Painted share of the person's square: the same at any size, but for the thinnest and thickest lines."""
    shares = []
    for side in (100, 200, 400):
        drawn = draw_people(grey(side + 40, side + 40), person(side), SHARED)
        shares.append(drawn.max(axis=2).astype(float).sum() / 255 / side**2)
    assert shares == pytest.approx([shares[1]] * 3, rel=0.2)
    opaque = np.ones(13)
    assert (
        line_width(person(20).joints[0], opaque) < 1.5 < 10 < line_width(person(2000).joints[0], opaque) < 20
    )


@pytest.mark.parametrize("side", [40, 400])  # supersampled and not
@pytest.mark.parametrize("fraction", [(0.0, 0.0), (0.25, 0.5), (0.7, 0.9)])
def test_joints_lie_at_fractions_of_a_pixel_and_are_smooth(side, fraction):
    position = np.array((50.0, 60.0)) + fraction
    joints = np.tile(position, (13, 1))
    joints[0] = (50, 60 + side)  # determines the person's extent
    scores = np.zeros((1, 13))
    scores[0, [0, 12]] = 0.9  # right ankle, left wrist: no limb joins them
    poses = Poses(People.from_boxes((0, 0, side, side)), joints[None], scores, np.full((1, 2), side))
    drawn = draw_people(grey(120 + side, 120), poses, SHARED)[:90, :, 2].astype(float)
    rows, columns = np.mgrid[: drawn.shape[0], : drawn.shape[1]]
    centre = np.array([(drawn * columns).sum(), (drawn * rows).sum()]) / drawn.sum()
    assert centre == pytest.approx(position, abs=0.1)
    assert len(np.unique(drawn)) > 3


def test_joints_far_outside_and_nobody():
    image = grey(30, 40, 7)
    drawn = draw_people(image, person(side=5000, at=(-9000, -7000)), SHARED)
    assert (drawn == 7).all()
    assert draw_people(image, person(side=300, at=(-100, -100)), SHARED).shape == image.shape
    nobody = Poses(People.from_boxes(()), np.zeros((0, 13, 2)), np.zeros((0, 13)), np.zeros((0, 2)))
    assert (draw_people(image, nobody, SHARED) == 7).all()
