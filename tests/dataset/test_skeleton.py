"""Pairs of left and right, and limbs, of a network's joints."""

import pytest

from lib.dataset.keypoints import network_joints
from lib.dataset.skeleton import Skeleton
from lib.utils.errors import InputError
from tests.reference.simple_baseline import left_right_pairs

# SimpleBaseline's flip pairs of the two data sets.
COCO_PAIRS = [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10], [11, 12], [13, 14], [15, 16]]
MPII_PAIRS = [[0, 5], [1, 4], [2, 3], [10, 15], [11, 14], [12, 13]]
SHARED_PAIRS = [[0, 5], [1, 4], [2, 3], [7, 12], [8, 11], [9, 10]]


@pytest.mark.parametrize(("count", "pairs"), [(13, SHARED_PAIRS), (16, MPII_PAIRS), (17, COCO_PAIRS)])
def test_flip_exchanges_left_and_right(count, pairs):
    names = network_joints(count)
    assert len(names) == len(set(names)) == count
    expected = list(range(count))
    for a, b in pairs:
        expected[a], expected[b] = b, a
    permutation = Skeleton.of(names).flip_indices
    assert list(permutation) == expected
    assert sorted(map(sorted, left_right_pairs(names))) == sorted(pairs)
    assert [permutation[p] for p in permutation] == list(range(count))


@pytest.mark.parametrize("count", [13, 16, 17])
def test_limbs_are_pairs_of_positions_and_symmetric(count):
    names = network_joints(count)
    skeleton = Skeleton.of(names)
    drawn = {frozenset((names[a], names[b])) for a, b in skeleton.limbs}
    assert {frozenset(("left_knee", "left_ankle")), frozenset(("right_elbow", "right_wrist"))} <= drawn
    swap = dict(zip(names, (names[p] for p in skeleton.flip_indices)))
    assert {frozenset(swap[name] for name in limb) for limb in drawn} == drawn


def test_given_pairs_come_before_those_found_by_name():
    names = ("1", "2", "left_fin", "right_fin", "3")
    skeleton = Skeleton.of(names, {"1": "2", "left_fin": "3"})
    assert skeleton.flip_indices == (1, 0, 4, 3, 2)
    assert skeleton.sides == ("left", "right", "left", "right", "right")
    assert skeleton.one_sided == ("right_fin",)


def test_a_joint_with_itself_has_no_side():
    skeleton = Skeleton.of(("left_fin", "right_fin", "left_tip"), {"left_tip": "left_tip"})
    assert skeleton.pairs == (("left_fin", "right_fin"),) and skeleton.flip_indices == (1, 0, 2)
    assert skeleton.sides == ("left", "right", "middle") and skeleton.one_sided == ()


@pytest.mark.parametrize(
    ("given", "named"), [({"a": "x"}, "x"), ({"a": "b", "c": "b"}, "b"), ({"a": "a", "b": "a"}, "a")]
)
def test_given_pairs_must_be_joints_each_once(given, named):
    with pytest.raises(InputError, match=f"MODEL.FLIP_PAIRS: '{named}'"):
        Skeleton.of(("a", "b", "c"), given)


def test_lines_of_the_data_set_replace_those_of_people():
    names = ("left_knee", "left_ankle", "tail")
    assert Skeleton.of(names).limbs == [(0, 1)]
    assert Skeleton.of(names, lines=[("tail", "left_knee"), ("tail", "wing")]).limbs == [(2, 0)]
    assert Skeleton.of(names, lines=[("tail", "wing")]).limbs == [(0, 1)]


def test_colors_and_warnings_follow_the_side_in_a_name_without_its_counterpart():
    skeleton = Skeleton.of(("tail", "left_eye", "l_ear", "r_ear"))
    assert skeleton.sides == ("middle", "left", "left", "right")
    assert skeleton.one_sided == ("left_eye",)
