import hashlib
import json
from dataclasses import fields, replace

import numpy as np
import pytest

from lib.ignoring.suspects import Suspects
from lib.ignoring.weight_table import WeightTable
from lib.review.found import COLUMNS, FoundLabels, read_found, write_found
from lib.utils.errors import InputError
from tests.factories.found_labels import JOINTS


def test_the_table_has_the_most_suspect_label_first_and_missing_ones_last(found):
    lines = (found.folder / "labels.csv").read_text().splitlines()
    assert lines[0] == (
        "rank,score,weight,probability,kind,partner,x,y,proposed_x,proposed_y,sureness,image,annotation_id,joint"
    )
    assert lines[1] == "1,3.0,0.5,0.9,exchanged,right_wrist,20.0,30.0,40.0,30.0,0.75,a/5.jpg,7,left_wrist"
    assert lines[3] == "3,1.0,0.5,0.6,moved,,60.0,52.0,55.0,45.0,0.75,a/5.jpg,3,right_wrist"
    assert lines[-2].startswith("7,-3.0,,0.01,right,")  # its weight was never learned
    assert lines[-1] == ",,,,missing,,,,52.0,38.0,0.75,a/5.jpg,3,right_elbow"


def test_what_is_written_is_read(found):
    file, labels = read_found(found.folder)
    assert file == found.file
    assert file.joints == file.keypoints == JOINTS and file.positions == (0, 1, 2, 3)
    assert sorted(map(sorted, file.lines)) == [["left_elbow", "left_wrist"], ["right_elbow", "right_wrist"]]
    assert file.pairs == (("left_wrist", "right_wrist"), ("left_elbow", "right_elbow"))
    for name in COLUMNS:
        expected, read = getattr(found.labels, name), getattr(labels, name)
        np.testing.assert_array_equal(read, expected, err_msg=name)


def test_limbs_are_pairs_of_which_the_file_has_both(found):
    (wrists, elbows), names = found.file.pairs, found.file.joints
    assert found.file.limbs == dict.fromkeys(names, (wrists, elbows))
    without = replace(found.file, positions=(0, 1, 2, -1))
    assert without.known_pairs == (wrists,) and without.limbs == dict.fromkeys(wrists, (wrists,))
    assert replace(found.file, lines=()).limbs == {}
    assert replace(found.file, lines=(wrists,)).limbs == dict.fromkeys(wrists, (wrists,))


def test_no_label_at_all(found):
    none = FoundLabels(*(getattr(found.labels, field.name)[:0] for field in fields(FoundLabels)))
    write_found(found.folder, found.file, none)
    assert len(read_found(found.folder)[1]) == 0


def test_another_file_is_refused(found):
    found.file.check_unchanged()
    assert found.file.sha256 == hashlib.sha256(found.path.read_bytes()).hexdigest()
    found.path.write_text(found.path.read_text() + " ")
    with pytest.raises(InputError, match="people.json: not the file whose labels were judged"):
        found.file.check_unchanged()
    with pytest.raises(InputError, match="gone.json: cannot be read"):
        found.file.check_unchanged(found.folder / "gone.json")


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda text: text.replace("rank,", "position,", 1), "expected the columns rank, score"),
        (lambda text: text.replace("3,1.0,", "3,high,"), "line 4: score is 'high', expected a number"),
        (lambda text: text + "1,2\n", "line 10: 2 cells, expected 14"),
        (lambda text: "", "expected the columns"),
        (lambda text: text.replace(",", ";"), "expected the columns .* separated by commas"),
        (lambda text: text.replace(",7,left_wrist", ",7,tail"), "joint 'tail', expected one of left_wrist"),
        (
            lambda text: text.replace(",7,left_wrist", f",{10**20},left_wrist"),
            "line 2: annotation_id is '1000",
        ),
    ],
)
def test_a_damaged_table(found, change, told):
    path = found.folder / "labels.csv"
    path.write_text(change(path.read_text()))
    with pytest.raises(InputError, match=told):
        read_found(found.folder)


def test_a_damaged_description(found):
    path = found.folder / "found.json"
    content = json.loads(path.read_text())
    changes = {
        "joints": [],
        "positions": [1],
        "path": 3,
        "sha256": None,
        "images": None,
        "lines": [["a", "b"]],
    }
    changes |= {"keypoints": [1, 2, 3, 4], "pairs": [["left_wrist"]], "layout": []}
    for damaged in ([], {}, *(content | {name: value} for name, value in changes.items())):
        path.write_text(json.dumps(damaged))
        with pytest.raises(InputError, match="found.json"):
            read_found(found.folder)
    path.unlink()
    with pytest.raises(InputError, match="has no found.json; expected the folder of find_labels.py"):
        read_found(found.folder)


def test_a_table_that_a_spreadsheet_saved(found):
    path = found.folder / "labels.csv"
    path.write_text(path.read_text(), encoding="utf-8-sig")
    assert len(read_found(found.folder)[1]) == len(found.labels)


def test_labels_that_were_not_judged_cannot_be_listed(found):
    table = WeightTable(np.ones((2, 4)), np.ones((2, 4), int))
    with pytest.raises(InputError, match="LBI.FIND_WRONG_LABELS"):
        FoundLabels.of(found.annotations, table)


def test_a_joint_that_the_file_does_not_have_lacks_no_labels(found):
    """A decision on it could not be written, and would keep all others from it."""
    suspects = Suspects(
        np.full((2, 4), 0.5),
        np.full((2, 4), "missing"),
        np.full((2, 4), -1),
        np.zeros((2, 4, 2)),
        np.ones((2, 4)),
    )
    table = WeightTable(np.full((2, 4), 0.5), np.ones((2, 4), int), np.zeros((2, 4)), suspects)
    keypoints = (*JOINTS[:3], None)
    mapping = replace(found.annotations.mapping, native=keypoints)
    visible = found.annotations.visible * [1, 1, 0, 0]
    labels = FoundLabels.of(replace(found.annotations, mapping=mapping, visible=visible), table)
    assert labels.joint[labels.rank == 0].tolist() == [JOINTS[2]] * 2
