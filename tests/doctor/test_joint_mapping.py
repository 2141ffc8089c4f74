"""Findings on joints that are approximated, missing, dropped or without a counterpart."""

from lib.dataset.keypoints import JointMapping
from lib.dataset.skeleton import Skeleton
from lib.doctor.findings import Level
from lib.doctor.joint_mapping import check_sides, check_source_mapping, mapping_table

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
        "approximated joints": (Level.WARNING, "head (head_top in the target, nose in the source)"),
        "joints that the source lacks": (Level.WARNING, "right_hip"),
        "dropped keypoints of the source": (Level.OK, "left_ear"),
    }
    # A joint that the user maps is no approximation.
    findings = by_subject(check_source_mapping(source, TARGET, {"head": "nose"}))
    assert "approximated joints" not in findings
    assert findings["joints that DATASET_SRC.JOINTS names"] == (Level.OK, "head from nose")


def test_a_source_with_the_same_keypoints_has_no_finding():
    assert check_source_mapping(TARGET, TARGET, {}) == []


def test_sides():
    assert by_subject(check_sides(Skeleton.of(NAMES), True)) == {
        "left and right": (Level.OK, "left_hip / right_hip")
    }
    alone = by_subject(check_sides(Skeleton.of((*NAMES, "left_ear")), True))
    level, result = alone["joints of one side alone"]
    assert level is Level.WARNING and result.startswith("left_ear:")
    assert "joints of one side alone" not in by_subject(check_sides(Skeleton.of((*NAMES, "left_ear")), False))


def test_table():
    source = JointMapping("coco", Skeleton.of(NAMES), ("left_hip", None, "nose"), ("left_hip", "nose"))
    assert mapping_table(TARGET, source) == (
        "network    target (mpii)  source (coco)",
        "left_hip   left_hip       left_hip",
        "right_hip  right_hip      -",
        "head       head_top       nose",
    )
    assert mapping_table(TARGET, None)[0] == "network    target (mpii)"
