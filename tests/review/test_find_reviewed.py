"""The next search: what was reviewed is trusted, not judged again, and goes into the new folder."""

import json

import numpy as np
import pytest

from lib.review import find
from lib.review.apply import apply_corrections, read_reviewed
from lib.review.find import find_labels, judge_labels, with_known
from lib.review.found import read_found
from lib.review.labels_run import LabelledImages, LabelsRun
from lib.review.predictions_run import PredictedImages
from lib.review.reviewed import reviewed_labels
from lib.review.session import Session
from lib.training.data import build_data
from lib.utils.errors import InputError
from lib.utils.log import open_terminal
from tests.factories.reviews import decide
from tests.pose_estimation.test_find_labels import results_of
from tests.review.test_find import SETTINGS


@pytest.fixture(scope="module")
def labels(data):
    return data / "coco/annotations/person_keypoints_train2017.json"


@pytest.fixture(scope="module")
def trusted(data):
    return LabelledImages(data / "mpii/annot/train.json")


@pytest.fixture(scope="module")
def first(data, labels, tmp_path_factory):
    """A finished search by predictions: of the most suspect label one is moved, one hidden, and one right."""
    folder = tmp_path_factory.mktemp("first")
    results = results_of(labels, folder / "results.json")
    images = data / "coco/images/train2017"
    judge_labels(PredictedImages(LabelledImages(labels, images), results), None, folder / "found")
    file, found = read_found(folder / "found")
    said = [(("moved", {"x": 11.5, "y": 12.25}),), (("wrong",),), (("right",),)]
    rows = [np.flatnonzero(found.joint == joint)[0] for joint in ("left_wrist", "right_knee", "left_ankle")]
    decide(
        folder / "found", file, "ann",
        *((int(found.annotation_id[row]), str(found.joint[row]), *what) for row, (what,) in zip(rows, said)),
    )  # fmt: skip
    return folder, [(int(found.annotation_id[row]), str(found.joint[row])) for row in rows]


def rows_of(found, labels):
    return [
        np.flatnonzero((found.labels.annotation_id == number) & (found.labels.joint == joint))
        for number, joint in labels
    ]


def check_last(found, reviewed):
    """The ``reviewed`` labels have the last ranks, no probability and no kind."""
    for row in np.concatenate(rows_of(found, reviewed)):
        assert found.labels.rank[row] > found.labels.rank.max() - len(reviewed)
        assert (found.labels.probability[row], found.labels.kind[row]) == (0, "reviewed")
        assert np.isnan(found.labels.proposed_x[row]) and not found.labels.partner[row]
    assert (found.labels.kind == "reviewed").sum() == sum(map(len, rows_of(found, reviewed)))


def test_training_on_the_same_file(first, labels, trusted, tmp_path, capsys):
    open_terminal()  # where this test reads it, whatever another one opened
    folder, reviewed = first
    given = {"LBI.GAMMA": 0.5, **SETTINGS}
    words = (LabelledImages(labels), trusted, tmp_path / "next", "quick", given, [folder / "found"])
    found = find_labels(*words)
    check_last(found, reviewed)
    (right, *_), _, (last, *_) = rows_of(found, reviewed)
    assert found.labels.weight[right] == found.labels.weight[last] == 1
    assert "reviewed before: 3 labels, of which 2 are right in their places" in capsys.readouterr().out
    # Places are those of the file, so that the decisions can still be applied; they are in the folder.
    (moved, *_), *_ = rows_of(found, reviewed)
    assert (found.labels.x[moved], found.labels.y[moved]) != (11.5, 12.25)
    assert found.estimate.labels == np.isfinite(found.labels.probability).sum() - 3
    session = Session(found.folder, *read_found(found.folder), "bob")
    assert session.progress().reviewed == 3
    assert len(apply_corrections(read_reviewed(found.folder), tmp_path / "new.json")) == 2
    assert find_labels(*words).summary == found.summary
    decide(folder / "found", read_found(folder / "found")[0], "eve", (reviewed[0][0], "left_hip", "right"))
    with pytest.raises(InputError, match="decisions-eve.jsonl|now --labels"):
        find_labels(*words)
    (folder / "found/decisions-eve.jsonl").unlink()


def test_predictions_on_the_corrected_file(data, first, labels, tmp_path):
    folder, reviewed = first
    apply_corrections(read_reviewed(folder / "found"), tmp_path / "new.json")
    corrected = LabelledImages(tmp_path / "new.json", data / "coco/images/train2017")
    predicted = PredictedImages(corrected, folder / "results.json")
    found = judge_labels(predicted, None, tmp_path / "next", None, folder / "found")
    # The one that was hidden is no label any more, and is not said to be missing.
    assert [len(rows) for rows in rows_of(found, reviewed)] == [1, 0, 1]
    check_last(found, [reviewed[0], reviewed[2]])
    ((moved,), *_) = rows_of(found, reviewed)
    assert (found.labels.x[moved], found.labels.y[moved]) == (11.5, 12.25)
    assert not list((tmp_path / "next").glob("decisions-*"))


def test_what_is_trained_on(first, labels, trusted):
    config = LabelsRun(LabelledImages(labels), trusted, "quick", SETTINGS).configuration()
    plain = build_data(config, uses_source=True)
    folder, reviewed = first
    annotations = plain.source.annotations
    file = find.label_file(config, annotations)
    known = reviewed_labels(annotations, file, [read_reviewed(folder / "found")])
    changed = with_known(plain, known)
    after, names = changed.source.annotations, annotations.mapping.names
    assert changed.target is plain.target and changed.known.sum() == 3
    assert {(int(after.ids[i]), names[j]) for i, j in np.argwhere(changed.known)} == set(reviewed)
    differs = (after.joints != annotations.joints).any(axis=-1) | (after.visible != annotations.visible)
    assert differs.sum() == 2 and changed.known[differs].all()  # one was moved, one hidden, one is right
    i = int((after.ids == reviewed[0][0]).argmax())
    assert after.joints[i, names.index(reviewed[0][1])].tolist() == [11.5, 12.25]


@pytest.mark.parametrize("what", ["no folder", "no decisions", "another file"])
def test_what_cannot_be_used(data, first, labels, trusted, tmp_path, what):
    folder, _ = first
    told = {"no folder": "is no folder", "no decisions": "has no decisions", "another file": "expected"}[what]
    reviewed, own = {"no folder": tmp_path / "none"}.get(what, folder / "found"), labels
    if what == "no decisions":
        reviewed = tmp_path / "empty"
        reviewed.mkdir()
        for name in ("found.json", "labels.csv"):
            (reviewed / name).write_text((folder / "found" / name).read_text())
    if what == "another file":
        content = json.loads(labels.read_text())
        for person in content["annotations"]:
            person["keypoints"] = [value + 1 if k % 3 == 0 and value else value for k, value in enumerate(person["keypoints"])]  # fmt: skip
        own = tmp_path / "moved.json"
        own.write_text(json.dumps(content))
    images = data / "coco/images/train2017"
    with pytest.raises(InputError, match=told):
        find_labels(LabelledImages(own, images), trusted, tmp_path / "next", "quick", SETTINGS, [reviewed])
    assert not (tmp_path / "next/training").exists()


def test_attributes_that_take_no_note_are_told_at_the_start(data, labels, tmp_path, capsys):
    open_terminal()
    content = json.loads(labels.read_text())
    content["annotations"][2]["attributes"] = ["occluded"]
    content["annotations"][3]["attributes"] = {"lbi": "mine"}
    content["annotations"][4]["attributes"] = {"occluded": True}
    (tmp_path / "listed.json").write_text(json.dumps(content))
    results = results_of(labels, tmp_path / "results.json")
    doubtful = LabelledImages(tmp_path / "listed.json", data / "coco/images/train2017")
    judge_labels(PredictedImages(doubtful, results), None, tmp_path / "found")
    printed = capsys.readouterr()
    told = " ".join((printed.out + printed.err).split())
    number = content["annotations"][2]["id"]
    assert f"2 annotations have attributes to which apply_corrections.py cannot add its note, and it will refuse to correct them; the first is annotation {number}: attributes ['occluded']" in told  # fmt: skip
