"""Sizes of sets, images that two sets share, and labels of each joint, by hand."""

import pytest

from lib.config.schema import TargetDatasetConfig
from lib.dataset.layouts import ImageSet
from lib.doctor.findings import Level
from lib.doctor.request import Role
from lib.doctor.sets import MIN_VALIDATION, labels_by_joint, set_size, shared_images
from tests.factories.annotations import make_annotations

TARGET = TargetDatasetConfig()


@pytest.mark.parametrize(
    ("role", "batch_size", "count", "level"),
    [
        ("source", 5, 5, Level.OK),
        ("source", 5, 4, Level.WARNING),
        ("training", 3, 2, Level.WARNING),
        ("validation V", 0, MIN_VALIDATION, Level.OK),
        ("validation V", 0, MIN_VALIDATION - 1, Level.WARNING),
        ("test", 0, 1, Level.OK),
    ],
)
def test_size_of_a_set(role, batch_size, count, level):
    finding = set_size(Role(role, "", ImageSet(TARGET, "valid"), batch_size), make_annotations(count))
    assert (finding.level, finding.subject) == (level, role)
    assert finding.result == f"{count} people in {count} images, {3 * count} labelled joints"


def images(*names):
    return make_annotations(len(names), paths=list(names))


def test_shared_images():
    sets = {"source": images("a", "b"), "target T": images("c"), "test": images("b", "d", "a")}
    (finding,) = shared_images(sets, False)
    assert (finding.level, finding.subject) == (Level.WARNING, "test and source")
    assert finding.result.startswith("2 of 3 images") and finding.result.endswith("such as a")
    (finding,) = shared_images({"target T": images("c"), "test": images("d")}, False)
    assert finding.level is Level.OK


def test_training_on_v_on_purpose_is_no_finding():
    sets = {"target T": images("a", "b"), "validation V": images("b")}
    assert [f.subject for f in shared_images(sets, False)] == ["validation V and target T"]
    assert [f.level for f in shared_images(sets, True)] == [Level.OK]


def without(joint, count=4):
    annotations = make_annotations(count)
    annotations.visible[:, joint] = 0
    return annotations


def test_labels_of_each_joint():
    findings, table = labels_by_joint({"source": make_annotations(), "target T": without(1, 10)})
    assert [(f.level, f.subject, f.result) for f in findings] == [
        (Level.WARNING, "joints without a label in target T", "right_eye")
    ]
    assert table[0].split() == ["source", "target", "T"]
    assert table[2].split() == ["right_eye", "4", "(100", "%)", "0", "(0", "%)"]
    assert table[3].split() == ["nose", "4", "(100", "%)", "10", "(100", "%)"]


def test_a_joint_without_any_training_label_is_an_error():
    findings, _ = labels_by_joint({"source": without(2), "target T": without(2), "test": make_annotations()})
    assert [(f.level, f.result) for f in findings] == [(Level.WARNING, "nose"), (Level.ERROR, "nose")]
    findings, _ = labels_by_joint({"target T": make_annotations(), "test": make_annotations()})
    assert [f.level for f in findings] == [Level.OK]
