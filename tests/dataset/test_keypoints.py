import pytest

from lib.dataset.keypoints import (
    COCO_KEYPOINTS,
    MPII_KEYPOINTS,
    SHARED_KEYPOINTS,
    flip_permutation,
    joint_mapping,
    limbs,
    map_by_name,
    network_joints,
    one_sided,
    side_of,
)
from tests.reference.simple_baseline import left_right_pairs

# SimpleBaseline's flip pairs of the two data sets.
COCO_PAIRS = [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10], [11, 12], [13, 14], [15, 16]]
MPII_PAIRS = [[0, 5], [1, 4], [2, 3], [10, 15], [11, 14], [12, 13]]
SHARED_PAIRS = [[0, 5], [1, 4], [2, 3], [7, 12], [8, 11], [9, 10]]


@pytest.mark.parametrize(
    ("dataset", "index"),
    [
        ("coco", (16, 14, 12, 11, 13, 15, 0, 10, 8, 6, 5, 7, 9)),
        ("mpii", (0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14, 15)),
    ],
)
def test_shared_joints_are_read_from_these_positions(dataset, index):
    assert joint_mapping(dataset, SHARED_KEYPOINTS).index == index


@pytest.mark.parametrize(("dataset", "names"), [("coco", COCO_KEYPOINTS), ("mpii", MPII_KEYPOINTS)])
def test_a_data_sets_own_joints_are_read_as_they_are(dataset, names):
    mapping = joint_mapping(dataset, names)
    assert mapping.index == tuple(range(len(names)))
    assert mapping.native == names
    assert mapping.approximated == {}


def test_mapping_follows_the_names_it_is_given():
    assert joint_mapping("coco", ("left_wrist", "head", "right_ankle")).index == (9, 0, 16)
    assert joint_mapping("mpii", ("left_wrist", "head", "right_ankle")).index == (15, 9, 0)


def test_the_head_means_something_else_in_each_data_set():
    assert joint_mapping("coco", SHARED_KEYPOINTS).approximated == {"head": "nose"}
    assert joint_mapping("mpii", SHARED_KEYPOINTS).approximated == {"head": "head_top"}


@pytest.mark.parametrize(("dataset", "missing"), [("coco", "pelvis"), ("mpii", "left_eye")])
def test_a_joint_that_is_not_annotated_is_named(dataset, missing):
    with pytest.raises(KeyError, match=missing):
        joint_mapping(dataset, ("left_wrist", missing))


@pytest.mark.parametrize(("count", "pairs"), [(13, SHARED_PAIRS), (16, MPII_PAIRS), (17, COCO_PAIRS)])
def test_flip_exchanges_left_and_right(count, pairs):
    names = network_joints(count)
    assert len(names) == len(set(names)) == count
    expected = list(range(count))
    for a, b in pairs:
        expected[a], expected[b] = b, a
    permutation = flip_permutation(names)
    assert list(permutation) == expected
    assert sorted(map(sorted, left_right_pairs(names))) == sorted(pairs)
    assert [permutation[p] for p in permutation] == list(range(count))


@pytest.mark.parametrize("count", [0, 12, 14, 18])
def test_no_other_number_of_joints_has_names(count):
    with pytest.raises(KeyError):
        network_joints(count)


@pytest.mark.parametrize("count", [13, 16, 17])
def test_limbs_are_pairs_of_positions_and_symmetric(count):
    names = network_joints(count)
    drawn = {frozenset((names[a], names[b])) for a, b in limbs(names)}
    assert {frozenset(("left_knee", "left_ankle")), frozenset(("right_elbow", "right_wrist"))} <= drawn
    swap = dict(zip(names, (names[p] for p in flip_permutation(names))))
    assert {frozenset(swap[name] for name in limb) for limb in drawn} == drawn


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("left_eye", "right_eye"), ("Left_eye", "Right_eye"), ("LeftEye", "RightEye"), ("leftEye", "rightEye"),
        ("eye-left", "eye-right"), ("eye left", "eye right"), ("l_eye", "r_eye"), ("L_Eye", "R_Eye"),
        ("eye.L", "eye.R"), ("lEye", "rEye"), ("L-F-Paw", "R-F-Paw"), ("hand_left_1", "hand_right_1"),
        ("LEFT_EYE", "RIGHT_EYE"), ("lefteye", "righteye"), ("front_l", "front_r"),
    ],
)  # fmt: skip
def test_ways_to_name_a_side(left, right):
    names = ("tail", right, "lip", left, "roller")
    assert flip_permutation(names) == (0, 3, 2, 1, 4)
    assert (side_of(left), side_of(right), side_of("tail")) == ("left", "right", "middle")
    assert one_sided(names) == ()


def test_names_that_only_look_like_a_pair():
    # Nothing but the side may differ, in the same letters' case, and the other must lead back.
    for names in (("left_eye", "right_ear"), ("l_eye", "R_eye"), ("rank", "lank"), ("FL", "FR")):
        assert flip_permutation(names) == (0, 1)
    names = ("l_left", "r_left", "l_right")
    assert flip_permutation(names) == (1, 0, 2)
    assert one_sided(("tail", "left_eye", "l_ear", "r_ear")) == ("left_eye",)


OWN = ("a", "b", "left_c", "right_c")


def test_joints_are_found_by_name_and_by_the_given_names():
    mapping = map_by_name("x", OWN, ("right_c", "z", "b", "y"), {"z": "a"})
    assert mapping.native == ("right_c", "a", "b", None) and mapping.index == (3, 0, 1, -1)
    assert mapping.labelled == [0, 1, 2] and mapping.missing == ("y",) and mapping.unused == ("left_c",)
    assert mapping.approximated == {"z": "a"}


def test_an_empty_name_takes_the_label_away():
    assert map_by_name("x", OWN, ("a", "z"), {"a": "", "z": "a"}).native == (None, "a")
    # COCO's nose stands in for a head only where no joint is the nose itself.
    assert map_by_name("coco", COCO_KEYPOINTS, ("head", "nose")).native == (None, "nose")
    assert map_by_name("coco", COCO_KEYPOINTS, ("head",)).native == ("nose",)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"zz": "a"}, "no joint of the network 'zz', the nearest is 'z'; there are a, z"),
        ({"z": "left_d"}, "no keypoint of the data set 'left_d', the nearest is 'left_c'"),
        ({"z": "a"}, "a would be read as a and as z"),
    ],
)
def test_given_names_that_cannot_be(given, says):
    with pytest.raises(ValueError, match=says):
        map_by_name("x", OWN, ("a", "z"), given)
