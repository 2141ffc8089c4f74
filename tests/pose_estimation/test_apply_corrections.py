"""apply_corrections.py as a command: the JSON written, against the JSON read, value by value."""

import json
import os

import pytest
from pycocotools.coco import COCO

from lib.dataset.keypoints import COCO_KEYPOINTS, MPII_KEYPOINTS, SHARED_KEYPOINTS
from pose_estimation.apply_corrections import main
from tests.factories.data_sets import coco_person, mpii_person, read_coco, read_mpii, write_coco, write_mpii
from tests.factories.found_labels import make_found
from tests.factories.reviews import decide, differences, judge

L, R, LE, RE = "left_wrist", "right_wrist", "left_elbow", "right_elbow"
NOTE = ("attributes",)


@pytest.fixture
def found(tmp_path):
    return make_found(tmp_path)


def applied(found, *flags, name="new.json"):
    """The content written, after a run that succeeds."""
    output = found.folder / name
    assert main([str(found.folder), "--output", str(output), *flags]) == 0
    return json.loads(output.read_text())


def changes(found, *flags):
    """{path: (before, after)} within the annotations, notes left out, and the notes of each annotation."""
    before, after = json.loads(found.path.read_text()), applied(found, *flags)
    changed, notes = {}, {}
    for path, change in differences(before, after).items():
        assert path[0] == "annotations"
        if path[2:] == NOTE:
            notes[path[1]] = change[1]["lbi"]
        else:
            changed[path[1:]] = change
    return changed, notes


def refused(capsys, *argv):
    assert main(list(map(str, argv))) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_each_verdict_changes_its_label_and_nothing_else(found, capsys):
    """Keypoints of the annotations: 7 is [20, 30, 2, 40, 30, 2, 22.5, 20, 1, 38, 20, 2], 3 ends with 0, 0, 0."""
    decide(
        found.folder,
        found.file,
        "ann",
        (7, L, "exchanged", {"partner": R}),
        (7, LE, "moved", {"x": 23.456, "y": 21}),
        (7, RE, "right"),
        (3, L, "wrong"),
        (3, RE, "moved", {"x": 52, "y": 38.5}),
    )
    changed, notes = changes(found)
    key = "keypoints"
    assert changed == {
        (0, key, 0): (20, 40), (0, key, 3): (40, 20),
        (0, key, 6): (22.5, 23.46), (0, key, 7): (20, 21.0),
        (1, key, 0): (10, 0), (1, key, 1): (50, 0), (1, key, 2): (2, 0),
        (1, key, 9): (0, 52.0), (1, key, 10): (0, 38.5), (1, key, 11): (0, 2),
    }  # fmt: skip
    assert notes == {
        0: [
            {"keypoint": L, "was": [20, 30, 2], "verdict": "exchanged", "reviewer": "ann"},
            {"keypoint": R, "was": [40, 30, 2], "verdict": "exchanged", "reviewer": "ann"},
            {"keypoint": LE, "was": [22.5, 20, 1], "verdict": "moved", "reviewer": "ann"},
        ],
        1: [
            {"keypoint": L, "was": [10, 50, 2], "verdict": "wrong", "reviewer": "ann"},
            {"keypoint": RE, "was": [0, 0, 0], "verdict": "moved", "reviewer": "ann"},
        ],
    }
    assert capsys.readouterr().out.splitlines() == [
        "reviewers: ann (5 decisions)",
        "changed: 5 labels of 2 annotations: 1 hidden, 2 moved, 2 exchanged",
        "reviewed as right: 1",
        "not yet reviewed: 2 labels (about 1 of them wrong, by the estimate)",
        str(found.folder / "new.json"),
    ]


def test_num_keypoints_is_counted_anew(found):
    decide(found.folder, found.file, "ann", (3, L, "wrong"), (3, R, "wrong"))
    changed, _ = changes(found)
    assert changed.pop((1, "num_keypoints")) == (3, 1)
    assert all(path[:2] == (1, "keypoints") for path in changed)


def test_an_exchange_with_a_joint_without_label(found):
    """The label gets the other name, and its own place is empty."""
    decide(found.folder, found.file, "ann", (3, LE, "exchanged", {"partner": RE}))
    (person,) = [each for each in applied(found)["annotations"] if each["id"] == 3]
    assert person["keypoints"][6:] == [0, 0, 0, 15, 40, 2] and person["num_keypoints"] == 3


def test_sides_and_then_a_better_place(found, capsys):
    decide(found.folder, found.file, "ann", (3, L, "sides"), (3, L, "moved", {"x": 61, "y": 53}))
    (person,) = [each for each in applied(found)["annotations"] if each["id"] == 3]
    assert person["keypoints"] == [61, 53, 2, 10, 50, 2, 0, 0, 0, 15, 40, 2]
    assert "4 labels of 1 annotations: 1 moved, 3 sides exchanged" in capsys.readouterr().out


def test_the_sides_of_a_limb(found, capsys):
    decide(found.folder, found.file, "ann", (7, LE, "limb"))
    (person,) = [each for each in applied(found)["annotations"] if each["id"] == 7]
    assert person["keypoints"] == [40, 30, 2, 20, 30, 2, 38, 20, 2, 22.5, 20, 1]
    notes = person["attributes"]["lbi"]
    assert [(note["keypoint"], note["verdict"]) for note in notes] == [
        (each, "limb") for each in (L, R, LE, RE)
    ]
    assert "changed: 4 labels of 1 annotations: 4 limb sides exchanged" in capsys.readouterr().out


def test_a_decision_that_was_undone_changes_nothing(found, capsys):
    decide(found.folder, found.file, "ann", (3, L, "wrong"), (3, L, "undo", {"undoes": 1}))
    applied(found)
    assert (found.folder / "new.json").read_bytes() == found.path.read_bytes()
    assert "changed: 0 labels of 0 annotations\n" in capsys.readouterr().out


def test_what_is_decided_already_is_no_change(found, capsys):
    decide(found.folder, found.file, "ann", (3, RE, "wrong"), (3, L, "moved", {"x": 10, "y": 50}))
    applied(found)
    assert (found.folder / "new.json").read_bytes() == found.path.read_bytes()
    assert "already as decided: 2\n" in capsys.readouterr().out


def test_reviewers_who_disagree(found, capsys):
    decide(found.folder, found.file, "ann", (3, L, "wrong"), (3, R, "right"))
    decide(found.folder, found.file, "bo", (3, L, "moved", {"x": 1, "y": 2}), (3, R, "right"))
    assert changes(found) == ({}, {})
    printed = capsys.readouterr().out
    assert "disagreements: 1 labels stay as they are (--prefer REVIEWER decides)\n" in printed
    assert "  annotation 3, left_wrist: ann: wrong; bo: moved to (1, 2)\n" in printed
    assert "reviewed as right: 1\n" in printed and "not yet reviewed: 5 labels" in printed
    changed, notes = changes(found, "--prefer", "bo", "--overwrite")
    assert changed == {(1, "keypoints", 0): (10, 1.0), (1, "keypoints", 1): (50, 2.0)}
    assert notes[1][0]["reviewer"] == "bo" and "disagreements" not in capsys.readouterr().out


def test_a_dry_run_shows_the_changes_and_writes_nothing(found, capsys):
    decide(
        found.folder, found.file, "ann", (3, L, "wrong"), (7, L, "exchanged", {"partner": R}), (3, R, "right")
    )
    before = sorted(os.listdir(found.folder))
    assert main([str(found.folder), "--dry-run", "--show", "2"]) == 0
    assert sorted(os.listdir(found.folder)) == before
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[:3]] == [
        [
            "joint",
            "hidden",
            "moved",
            "exchanged",
            "limb",
            "sides",
            "exchanged",
            "sides",
            "exchanged",
            "right",
        ],
        [L, "1", "0", "1", "0", "0", "0"],
        [R, "0", "0", "1", "0", "0", "1"],
    ]
    assert lines[3:6] == [
        "annotation 7, left_wrist: [20, 30, 2] -> [40, 30, 2] (exchanged, ann)",
        "annotation 7, right_wrist: [40, 30, 2] -> [20, 30, 2] (exchanged, ann)",
        "  ... and 1 more (--show N)",
    ]
    assert lines[-1] == "nothing written (--dry-run)"


@pytest.mark.parametrize("joints", [SHARED_KEYPOINTS, COCO_KEYPOINTS])
def test_cocos_own_layout_is_read_back(tmp_path, joints):
    """Person 7: keypoint k at (10 + k, 8 + k), unlabelled for every third. A head is read from the nose."""
    path = write_coco(tmp_path, [coco_person(), coco_person(8), coco_person(9, iscrowd=1)])
    found = judge(tmp_path, path, read_coco(tmp_path, "train2017", joints, 0.75))
    first = joints[-7] if joints[0] != "nose" else "nose"
    decide(
        tmp_path,
        found.file,
        "ann",
        (8, first, "moved", {"x": 12.25, "y": 9}),
        (8, "right_hip", "wrong"),
        (7, "right_hip", "exchanged", {"partner": "right_knee"}),
    )
    applied(found, name="annotations/person_keypoints_new.json")
    (tmp_path / "images" / "new").symlink_to(tmp_path / "images" / "train2017")
    after = read_coco(tmp_path, "new", joints, 0.75)
    expected, visible = found.annotations.joints.copy(), found.annotations.visible.copy()
    hip, knee = joints.index("right_hip"), joints.index("right_knee")
    expected[1, joints.index(first)] = 12.25, 9
    visible[1, hip], expected[1, hip] = 0, 0
    expected[0, [hip, knee]], visible[0, [hip, knee]] = expected[0, [knee, hip]], visible[0, [knee, hip]]
    assert (after.joints == expected).all() and (after.visible == visible).all()


def test_mpiis_layout_is_read_back(tmp_path):
    """Pixels are counted from 1 there, and an unlabelled joint is at (-1, -1)."""
    path = write_mpii(tmp_path, [mpii_person(), mpii_person("b.jpg")])
    found = judge(tmp_path, path, read_mpii(tmp_path, "train", MPII_KEYPOINTS, 1))
    decide(
        tmp_path,
        found.file,
        "ann",
        (1, "right_ankle", "moved", {"x": 30, "y": 31.5}),
        (1, "right_knee", "wrong"),
        (0, "left_wrist", "exchanged", {"partner": "right_wrist"}),
    )
    changed = differences(json.loads(path.read_text()), applied(found, name="annot/new.json"))
    (left, right) = MPII_KEYPOINTS.index("left_wrist"), MPII_KEYPOINTS.index("right_wrist")
    assert {place: change for place, change in changed.items() if place[1] != "attributes"} == {
        (1, "joints", 0, 0): (-1, 31.0), (1, "joints", 0, 1): (-1, 32.5), (1, "joints_vis", 0): (0, 1),
        (1, "joints", 1, 0): (12, -1.0), (1, "joints", 1, 1): (23, -1.0), (1, "joints_vis", 1): (1, 0),
        (0, "joints", left, 0): (11 + left, 11 + right), (0, "joints", left, 1): (21 + 2 * left, 21 + 2 * right),
        (0, "joints", right, 0): (11 + right, 11 + left), (0, "joints", right, 1): (21 + 2 * right, 21 + 2 * left),
    }  # fmt: skip
    after = read_mpii(tmp_path, "new", MPII_KEYPOINTS, 1)
    assert after.joints[1, 0].tolist() == [30, 31.5] and after.visible[1, :3].tolist() == [1, 0, 1]


def test_labels_of_mpiis_truth_are_not_in_the_file(tmp_path, capsys):
    """MPII's valid is read from gt_valid.mat."""
    moved = mpii_person(joints=[[50 + k, 60] for k in range(16)])
    path = write_mpii(tmp_path, [mpii_person()], "valid", truth_people=[moved])
    found = judge(tmp_path, path, read_mpii(tmp_path, "valid", MPII_KEYPOINTS, 1))
    decide(tmp_path, found.file, "ann", (0, "right_knee", "wrong"))
    error = refused(capsys, tmp_path, "--output", tmp_path / "new.json")
    assert (
        f"{path}: " in error and "of annotation 0 is [" in error and ", 59.0] pixels in labels.csv" in error
    )
    assert "gt_valid.mat" in error and not (tmp_path / "new.json").exists()


def test_weights_in_place_of_corrections(found, capsys):
    """Probabilities of being wrong: 0.9, 0.8, 0.1, 0.05 of annotation 7, and 0.2, 0.6, 0.01 of 3."""
    before = found.path.read_text()
    decide(found.folder, found.file, "ann", (7, L, "wrong"), (3, R, "right"))
    after = applied(found, "--weights")
    assert [person.pop("keypoint_weights") for person in after["annotations"]] == [
        [0, 0.2, 0.9, 0.95],
        [0.8, 1, 0.99, 1],
    ]
    assert after == json.loads(before)
    assert capsys.readouterr().out.splitlines()[0] == (
        "weights of 7 labels, mean 0.691; reviewed: 1 right, 1 wrong"
    )
    (found.folder / "decisions-ann.jsonl").unlink()
    after = applied(found, "--weights", "--overwrite")  # nobody has to review anything for them
    assert after["annotations"][0]["keypoint_weights"] == [0.1, 0.2, 0.9, 0.95]


def test_weights_in_mpiis_layout(tmp_path):
    path = write_mpii(tmp_path, [mpii_person()])
    found = judge(tmp_path, path, read_mpii(tmp_path, "train", SHARED_KEYPOINTS, 1))
    decide(tmp_path, found.file, "ann", (0, "head", "wrong"))
    ((place, (_, weights)),) = differences(json.loads(path.read_text()), applied(found, "--weights")).items()
    unused = ["right_ankle", "pelvis", "thorax", "upper_neck"]  # the first has no label
    assert place == (0, "keypoint_weights")
    assert dict(zip(MPII_KEYPOINTS, weights)) == {
        name: 1 if name in unused else 0 if name == "head_top" else 0.75 for name in MPII_KEYPOINTS
    }


def test_cocos_own_reader_reads_it(found):
    decide(found.folder, found.file, "ann", (3, L, "wrong"), (7, L, "sides"))
    applied(found)
    api = COCO(str(found.folder / "new.json"))
    for annotation in api.loadAnns(api.getAnnIds()):
        assert annotation["num_keypoints"] == sum(v > 0 for v in annotation["keypoints"][2::3])
