"""Findings on joints that are approximated, missing, dropped or without a counterpart."""

import pytest

from lib.dataset.keypoints import JointMapping
from lib.dataset.skeleton import Skeleton
from lib.doctor.findings import Level
from lib.doctor.joint_mapping import check_sides, check_source_mapping, mapping_table, mirrored
from tests.factories.examinations import request_of

NAMES = ("left_hip", "right_hip", "head")
TARGET = JointMapping(
    "mpii", Skeleton.of(NAMES), ("left_hip", "right_hip", "head_top"), ("left_hip", "right_hip", "head_top")
)


def by_subject(findings):
    return {f.subject: (f.level, f.result) for f in findings}


def test_source_keypoints():
    own = ("left_hip", "nose", "left_ear")
    source = JointMapping("coco", Skeleton.of(NAMES), ("left_hip", None, "nose"), own)
    assert by_subject(check_source_mapping(source, TARGET, {})) == {
        "approximated joints": (Level.NOTE, "head (head_top in the target, nose in the source)"),
        "joints that the source lacks": (Level.WARNING, "right_hip"),
        "dropped keypoints of the source": (Level.OK, "left_ear"),
    }
    # A joint that the user maps is no approximation.
    findings = by_subject(check_source_mapping(source, TARGET, {"head": "nose"}))
    assert "approximated joints" not in findings
    assert findings["joints that DATASET_SRC.JOINTS names"] == (Level.OK, "head from nose")


def test_a_source_with_the_same_keypoints_has_no_finding():
    assert check_source_mapping(TARGET, TARGET, {}) == []


def test_a_shift_that_is_not_known_is_a_warning():
    """Only COCO's and MPII's heads are known to differ: a file's own head may be anything."""
    own = JointMapping("coco_format", Skeleton.of(["head"]), ("head",), ("head",))
    coco = JointMapping("coco", Skeleton.of(["head"]), ("nose",), ("nose",))
    assert by_subject(check_source_mapping(coco, own, {})) == {
        "approximated joints": (Level.WARNING, "head (head in the target, nose in the source)")
    }


def test_a_joint_that_the_user_declares_missing_is_a_note():
    source = JointMapping("coco_format", Skeleton.of(NAMES), ("left_hip", None, None), ("left_hip",))
    findings = by_subject(check_source_mapping(source, TARGET, {"head": ""}))
    assert findings["joints that the source lacks"] == (Level.WARNING, "right_hip")
    assert findings["joints that the source lacks, by DATASET_SRC.JOINTS"] == (Level.NOTE, "head")


def sides(names, *mirrored):
    return by_subject(check_sides(Skeleton.of(names), mirrored))


def test_sides():
    assert sides(NAMES, "TEST.FLIP_TEST") == {"left and right": (Level.OK, "left_hip / right_hip")}
    level, result = sides((*NAMES, "left_ear"), "DATASET_SRC.FLIP")["joints of one side alone"]
    assert level is Level.WARNING and result.startswith("left_ear:")
    assert "joints of one side alone" not in sides((*NAMES, "left_ear"))


def test_no_pair_is_known():
    level, result = sides(("a", "b"), "DATASET_SRC.FLIP", "TEST.FLIP_TEST")["left and right"]
    assert level is Level.WARNING and "DATASET_SRC.FLIP, TEST.FLIP_TEST" in result
    assert sides(("a", "b"))["left and right"][0] is Level.OK
    assert sides(("a",), "DATASET_SRC.FLIP")["left and right"][0] is Level.OK
    given = Skeleton.of(("a", "b"), {"a": "b"})
    assert by_subject(check_sides(given, ("DATASET_SRC.FLIP",))) == {"left and right": (Level.OK, "a / b")}


@pytest.mark.parametrize(
    ("mode", "on", "expected"),
    [
        ("ours2", {}, ("DATASET_SRC.FLIP", "DATASET_TARGET.FLIP")),
        ("baseline1", {"TEST.FLIP_TEST": True}, ("DATASET_TARGET.FLIP", "TEST.FLIP_TEST")),
        ("baseline1", {"DATASET_TARGET.FLIP": False}, ()),
        ("train", {}, ("DATASET.FLIP",)),
        ("valid", {}, ()),
        ("valid", {"TEST.FLIP_TEST": True}, ("TEST.FLIP_TEST",)),
    ],
)
def test_settings_that_mirror_images(tmp_path, mode, on, expected):
    assert mirrored(request_of(tmp_path, on, mode)) == expected


def test_table():
    source = JointMapping("coco", Skeleton.of(NAMES), ("left_hip", None, "nose"), ("left_hip", "nose"))
    assert mapping_table(TARGET, source) == (
        "   network    target (mpii)  source (coco)",
        "1  left_hip   left_hip       left_hip",
        "2  right_hip  right_hip      -",
        "3  head       head_top       nose",
    )
    assert mapping_table(TARGET, None)[0] == "   network    target (mpii)"
