"""Applying corrections from Python; what is written is tested in tests/pose_estimation/test_apply_corrections.py."""

import json

import cv2
import numpy as np
import pytest

from lib.review.apply import apply_corrections, read_reviewed
from lib.review.server import ReviewOptions, open_folder
from lib.utils.errors import InputError


def test_decide_and_apply(found, tmp_path):
    """The first row is the left wrist of person 7, at (20, 30)."""
    (found.folder / "images/a").mkdir(parents=True)
    cv2.imwrite(str(found.folder / "images/a/5.jpg"), np.zeros((80, 100, 3), np.uint8))
    session, _ = open_folder(str(found.folder), ReviewOptions("ann"))
    session.decide(0, "moved", x=21, y=31)
    output = tmp_path / "new.json"
    (change,) = apply_corrections(read_reviewed(str(found.folder)), str(output))
    assert (change.annotation_id, change.joint, change.was, change.becomes) == (
        7,
        "left_wrist",
        [20, 30, 2],
        [21, 31, 2],
    )
    assert json.loads(output.read_text())["annotations"][0]["keypoints"][:3] == [21, 31, 2]
    with pytest.raises(InputError, match="exists"):
        apply_corrections(read_reviewed(found.folder), output)
    assert apply_corrections(read_reviewed(found.folder), output, overwrite=True) == [change]
    with pytest.raises(InputError, match="is read here"):
        apply_corrections(read_reviewed(found.folder), found.path, overwrite=True)


def test_a_file_that_was_moved(found, tmp_path):
    (found.folder / "decisions-ann.jsonl").write_text(
        "".join(
            f"{json.dumps(line)}\n"
            for line in (
                {"format": "lbi-decisions 1", "sha256": found.file.sha256, "labels": found.file.path},
                {"number": 1, "time": "", "annotation_id": 3, "joint": "left_wrist", "verdict": "wrong"},
            )
        )
    )
    moved = found.path.rename(tmp_path / "moved.json")
    reviewed = read_reviewed(found.folder)
    with pytest.raises(InputError, match="people.json"):
        apply_corrections(reviewed, tmp_path / "new.json")
    assert len(apply_corrections(reviewed, tmp_path / "new.json", labels=str(moved))) == 1


def test_nothing_is_written_without_decisions(found, tmp_path):
    with pytest.raises(InputError, match="has no decisions"):
        apply_corrections(read_reviewed(found.folder), tmp_path / "new.json")
    with pytest.raises(InputError, match="is no folder"):
        read_reviewed(str(tmp_path / "none"))
    assert not (tmp_path / "new.json").exists()
