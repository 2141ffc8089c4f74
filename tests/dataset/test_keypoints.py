import pytest

from lib.dataset.keypoints import (
    COCO_KEYPOINTS,
    MPII_KEYPOINTS,
    SHARED_KEYPOINTS,
    joint_mapping,
    map_by_name,
    network_joints,
)
from lib.dataset.skeleton import Skeleton


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


@pytest.mark.parametrize("count", [0, 12, 14, 18])
def test_no_other_number_of_joints_has_names(count):
    with pytest.raises(KeyError):
        network_joints(count)


OWN = ("a", "b", "left_c", "right_c")


def test_joints_are_found_by_name_and_by_the_given_names():
    mapping = map_by_name("x", OWN, Skeleton.of(("right_c", "z", "b", "y")), {"z": "a"})
    assert mapping.native == ("right_c", "a", "b", None) and mapping.index == (3, 0, 1, -1)
    assert mapping.labelled == [0, 1, 2] and mapping.missing == ("y",) and mapping.unused == ("left_c",)
    assert mapping.approximated == {"z": "a"}


def test_an_empty_name_takes_the_label_away():
    assert map_by_name("x", OWN, Skeleton.of(("a", "z")), {"a": "", "z": "a"}).native == (None, "a")
    # COCO's nose stands in for a head only where no joint is the nose itself.
    assert map_by_name("coco", COCO_KEYPOINTS, Skeleton.of(("head", "nose"))).native == (None, "nose")
    assert map_by_name("coco", COCO_KEYPOINTS, Skeleton.of(("head",))).native == ("nose",)


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
        map_by_name("x", OWN, Skeleton.of(("a", "z")), given)
