"""Which annotations weights belong to: what may change in a file, and what may not."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from lib.config.loader import load_config
from lib.dataset.coco_file import annotation_file
from lib.label_noise.source import read_recorded_source
from lib.label_noise.source_record import (
    SOURCE_RECORD,
    SourceRecord,
    check_ids,
    check_source_of_checkpoint,
    check_source_of_folder,
    write_source_record,
)
from lib.utils.errors import InputError
from lib.utils.log import captured_messages
from tests.factories.data_sets import coco_image, coco_person, write_coco

NUMBERS = (9, 4, 12)


@pytest.fixture
def root(tmp_path):
    people = [coco_person(number, 1 + number % 2, area=number) for number in NUMBERS]
    for person in people:  # no two alike
        person["keypoints"][0] += person["id"]
    write_coco(tmp_path / "coco", people, [coco_image(1), coco_image(2)])
    return tmp_path / "coco"


def record_of(root, noise=""):
    (root / "some.yaml").write_text("")
    settings = {"DATASET_SRC.ROOT": str(root), "LBI.INJECT_NOISE": noise}
    return read_recorded_source(load_config(root / "some.yaml", settings)).record


@pytest.fixture
def changed(root):
    """Function that changes the file by ``change(tree)`` and returns the records of before and after."""

    def make(change):
        before, path = record_of(root), annotation_file(root, "train2017")
        tree = json.loads(path.read_text())
        change(tree)
        path.write_text(json.dumps(tree, indent=1))
        return before, record_of(root)

    return make


def messages_of(check, *arguments):
    with captured_messages() as lines:
        check(*arguments)
    return lines


def refused(check, *arguments):
    with pytest.raises(InputError) as error:
        check(*arguments)
    return str(error.value)


def folder_of(tmp_path, record):
    (tmp_path / "run").mkdir(exist_ok=True)
    write_source_record(tmp_path / "run", record)
    return tmp_path / "run"


def test_the_same_file_needs_no_word(tmp_path, root):
    record = record_of(root)
    assert messages_of(check_source_of_folder, folder_of(tmp_path, record), record_of(root)) == []
    assert messages_of(check_source_of_checkpoint, asdict(record), record_of(root), "last.pth") == []
    moved = replace(record, file="elsewhere/train.json")
    assert messages_of(check_source_of_folder, folder_of(tmp_path, record), moved) == []


def unrelated(tree):
    tree["info"] = {"year": 2031}
    tree["annotations"][0] |= {"score": 0.5, "area": 17.5}
    tree["annotations"].append(coco_person(77, 1, iscrowd=1))  # not read


def whitespace(tree):
    pass  # but for the indentation


@pytest.mark.parametrize("change", [whitespace, unrelated])
def test_other_fields_may_change_with_a_note(tmp_path, changed, change):
    before, after = changed(change)
    for check, stored in (
        (check_source_of_folder, folder_of(tmp_path, before)),
        (lambda *arguments: check_source_of_checkpoint(*arguments, "last.pth"), asdict(before)),
    ):
        (note,) = messages_of(check, stored, after)
        assert before.file in note and "same" in note


def reversed_numbers(tree):
    """As a tool that numbers annotations anew."""
    for annotation, number in zip(tree["annotations"], reversed(NUMBERS)):
        annotation["id"] = number


def moved_by_a_pixel(tree):
    tree["annotations"][1]["keypoints"][0] += 1


def unlabelled(tree):
    tree["annotations"][1]["keypoints"][:3] = [0, 0, 0]


def on_the_other_image(tree):
    tree["annotations"][1]["image_id"] = 3 - tree["annotations"][1]["image_id"]


def exchanged_images(tree):
    first, second = tree["images"]
    first["file_name"], second["file_name"] = second["file_name"], first["file_name"]


def removed(tree):
    del tree["annotations"][2]


def added(tree):
    tree["annotations"].append(coco_person(5, 1))


@pytest.mark.parametrize(
    "change",
    [reversed_numbers, moved_by_a_pixel, unlabelled, on_the_other_image, exchanged_images, removed, added],
)
def test_other_ids_images_or_labels_are_refused(tmp_path, changed, change):
    before, after = changed(change)
    before = replace(before, file="then/train.json")
    messages = (
        refused(check_source_of_folder, folder_of(tmp_path, before), after),
        refused(check_source_of_checkpoint, asdict(before), after, "last.pth"),
    )
    for message in messages:
        assert "then/train.json" in message and after.file in message and "images or labels" in message
    assert str(tmp_path / "run" / SOURCE_RECORD) in messages[0] and "last.pth" in messages[1]


def test_another_order_matters_only_for_weights_by_position(tmp_path, changed):
    before, after = changed(lambda tree: tree["annotations"].reverse())
    assert len(messages_of(check_source_of_folder, folder_of(tmp_path, before), after)) == 1
    message = refused(check_source_of_checkpoint, asdict(before), after, "last.pth")
    assert "order" in message and "last.pth" in message


def test_the_record_is_of_the_labels_on_disk(root):
    """Noise is drawn again, and another NumPy may draw it otherwise; `injected_truth.json` is the check of that."""
    assert record_of(root, "jitter:0.9") == record_of(root)


def test_runs_of_earlier_versions_have_no_record(tmp_path, root):
    (note,) = messages_of(check_source_of_folder, tmp_path, record_of(root))
    assert SOURCE_RECORD in note and record_of(root).file in note
    (note,) = messages_of(check_source_of_checkpoint, None, record_of(root), "last.pth")
    assert "last.pth" in note


@pytest.mark.parametrize("spoilt", [[], {"file": "x"}, 3, {"instances": "3"}, {"more": "x"}])
def test_a_spoilt_record_is_refused(tmp_path, root, spoilt):
    record = asdict(record_of(root))
    content = record | spoilt if isinstance(spoilt, dict) and "file" not in spoilt else spoilt
    with pytest.raises(InputError, match="last.pth"):
        check_source_of_checkpoint(content, record_of(root), "last.pth")
    (tmp_path / SOURCE_RECORD).write_text(json.dumps(content))
    with pytest.raises(InputError, match=SOURCE_RECORD):
        check_source_of_folder(tmp_path, record_of(root))


def test_ids_that_are_given_twice_are_named_with_their_file(root):
    (root / "some.yaml").write_text("")
    annotations = read_recorded_source(
        load_config(root / "some.yaml", {"DATASET_SRC.ROOT": str(root)})
    ).annotations
    check_ids(annotations, "train.json")
    message = refused(check_ids, replace(annotations, ids=np.array([4, 9, 4])), "train.json")
    assert message.startswith("train.json: annotation 4: id given twice")
    several = annotations.subset(np.array([0, 0, 1, 1, 2, 2]))
    assert "2 others" in refused(check_ids, several, "train.json")


def test_the_record_survives_json(root):
    record = record_of(root)
    assert SourceRecord.from_dict(json.loads(json.dumps(asdict(record))), "here") == record
