"""Whole examinations: clean data, and data or settings that are broken in one way each."""

import shutil

import cv2
import numpy as np
import pytest
import torch

import lib.doctor.machine
import lib.doctor.trial_steps
from lib.config.loader import load_config
from lib.config.run_paths import RunPaths
from lib.doctor.examine import examine
from lib.doctor.findings import Finding, Heading, Level
from lib.doctor.request import Request, Trial
from lib.ignoring.modes import MODES
from lib.models.pose_resnet import DeconvHead, PoseResNet
from tests.factories.examinations import (
    Examination,
    assert_only_problem,
    change_file,
    examination_of,
    problems,
    request_of,
)

TRAIN, TEST, SOURCE = "target/annotations/train.json", "target/annotations/test.json", "source/train.json"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """The share of time spent waiting depends on the machine: none is above this."""
    monkeypatch.setattr(lib.doctor.trial_steps, "MAX_WAITING", 2)


def excavators(tree):
    return [a for a in tree["annotations"] if a["category_id"] == 3]


def test_clean_data_and_a_few_steps(root):
    examination = examination_of(root, steps=2)
    assert problems(examination) == [] and examination.exit_code == 0
    text = str(examination)
    for text_part in ("objects in 30 images", "objects in 15 images", "left_track / right_track",
                  "240 steps", "waiting for data", "GiB free", "0 warnings, 0 errors"):  # fmt: skip
        assert text_part in text, text_part
    image = cv2.imread(str(root / "doctor/samples.png"))
    # A line with the joints' names; four sets, each a line and two rows of 192 pixels.
    assert image.shape == (28 + 4 * (28 + 2 * 194), 8 * 194, 3)
    assert (root / "output").exists() is False  # nothing of the steps is kept


def test_a_mode_without_a_source(root):
    shutil.rmtree(root / "source")
    examination = examination_of(root, mode="baseline1", steps=1)
    assert problems(examination) == [] and "source, images" not in str(examination)


def test_what_trains_comes_last_and_what_is_found_before_is_there_at_once(root, monkeypatch):
    """The items are made one after another: no step is taken before everything else is told."""
    begun = []

    def steps(self, count):
        begun.append(count)
        return 0.1

    monkeypatch.setattr("lib.doctor.trial_steps.TimedSteps.run", steps)
    items = []
    for item in examine(request_of(root, steps=1)):
        if not begun:
            items.append(item)
    headings = [item.title for item in items if isinstance(item, Heading)]
    assert headings[:3] == ["settings", "joints", "data"] and headings[-2] == "machine"
    assert headings[-1].startswith("training steps") and begun
    assert {"disk", "contact sheet"} <= {item.subject for item in items if isinstance(item, Finding)}


def test_train(root):
    shutil.rmtree(root / "source")
    examination = examination_of(root, mode="train", steps=1)
    assert problems(examination) == []
    text = str(examination)
    assert "objects in 45 images" in text and "objects in 4 images" in text
    assert "DATASET_" not in text and "240 steps" in text
    (root / TRAIN).write_text("[]")
    found = {what: text for _, what, text in problems(examination_of(root, mode="train"))}
    # The test set's joints have to be those of the training set's file.
    assert all("same error as joints" in found[role] for role in ("training", "test"))


def test_valid(root):
    examination = examination_of(root, mode="valid", steps=1)
    assert problems(examination) == []
    assert ("note", "TEST.MODEL_FILE") in [found[:2] for found in problems(examination, Level.NOTE)]
    assert "training steps" not in str(examination)
    weights = root / "weights.pth"
    torch.save(PoseResNet(10, 7, width=4, head=DeconvHead((8, 8, 8))).state_dict(), weights)
    examination = examination_of(root, {"TEST.MODEL_FILE": str(weights)}, mode="valid")
    assert problems(examination) == [] and f"ok       TEST.MODEL_FILE: {weights}" in str(examination)
    # Plain weights of seven joints were trained on RGB images.
    bgr = {"TEST.MODEL_FILE": str(weights), "DATASET.COLOR_RGB": False}
    assert_only_problem(
        examination_of(root, bgr, mode="valid"), "warning", "DATASET.COLOR_RGB", "trained on RGB"
    )
    # A network of another width is only partly filled.
    torch.save(PoseResNet(10, 7, width=4, head=DeconvHead((8, 8, 9))).state_dict(), weights)
    assert_only_problem(
        examination_of(root, {"TEST.MODEL_FILE": str(weights)}, mode="valid"),
        "error", "TEST.MODEL_FILE", "re-initialized", "final_layer",
    )  # fmt: skip
    weights.unlink()
    examination = examination_of(root, {"TEST.MODEL_FILE": str(weights)}, mode="valid")
    assert_only_problem(examination, "error", "TEST.MODEL_FILE", "no such weights file")


def test_every_unreadable_set_is_reported_and_the_others_counted(root):
    (root / TEST).unlink()
    (root / SOURCE).write_text("{")
    examination = examination_of(root)
    found = {what: text for _, what, text in problems(examination)}
    assert "train.json: not valid JSON" in found["joints"] and "test.json: cannot be read" in found["test"]
    assert "same error as joints" in found["source"]
    assert "DATASET_TARGET.ROOT" in found["test"]
    assert "GiB free" in str(examination)  # the machine is looked at all the same
    assert "objects in 30 images" in str(examination) and examination.exit_code == 2


def test_settings_that_do_not_fit(root):
    examination = examination_of(root, {"MODEL.EXTRA.HEATMAP_SIZE": [16, 20]})
    assert problems(examination)[0][:2] == ("error", "sizes") and examination.exit_code == 2
    found = problems(examination_of(root, {"MODEL.NUM_JOINTS": 13}))
    assert found[0][:2] == ("error", "joints") and "so it must be 7: left_track" in found[0][2]
    # Once is enough.
    assert [what for _, what, _ in found[1:]] == ["source", "target T", "validation V", "test"]
    assert all("same error as joints" in text for *_, text in found[1:])


def test_a_run_without_an_epoch(root):
    changed = {"TRAIN.BEGIN_EPOCH": 9, "TRAIN.END_EPOCH": 3}
    assert_only_problem(examination_of(root, changed), "error", "epochs", "BEGIN_EPOCH is 9")


def test_what_is_about_all_sets_together(root):
    found = problems(examination_of(root, {"DATASET_TARGET.DATASET": "coco", "MODEL.NUM_JOINTS": 17}))
    assert ("error", "data") in [found[:2] for found in found]
    assert any("must be mpii or coco_format" in text for *_, text in found)


def test_joints_that_differ_between_source_and_target(root):
    def rename(tree):
        tree["categories"][1]["keypoints"] = [
            "left_track",
            "right_track",
            "cabin",
            "boom",
            "stick",
            "bucket",
            "lamp",
        ]

    change_file(root, SOURCE, rename)
    examination = examination_of(root, {"DATASET_SRC.JOINTS": {"cab": "cabin"}})
    assert_only_problem(
        examination, "warning", "joints that the source lacks", "counterweight", "DATASET_SRC.JOINTS"
    )
    text = str(examination)
    assert "dropped keypoints of the source: lamp" in text and "cab from cabin" in text


def test_the_head_of_coco_and_mpii_is_a_note(config):
    loaded = load_config(config, {"DEVICE": "cpu"})
    folders = RunPaths.for_run(loaded, config, "coco_to_mpii", "ours1")
    request = Request(loaded, "main", MODES["ours1"], folders, (), config.parent, Trial(0))
    examination = Examination(list(examine(request)))
    found = {what: (level, text) for level, what, text in problems(examination, Level.NOTE)}
    level, text = found.pop("approximated joints")
    assert level == "note" and "head (head_top in the target, nose in the source)" in text
    level, text = found.pop("validation V")
    assert level == "warning" and "fewer than 20" in text
    level, text = found.pop("trusted labels")
    assert level == "warning" and "LBI.META_DATA target" in text
    assert set(found) <= {"suggestion"}


def test_a_side_that_is_alone(root):
    def rename(tree):
        tree["categories"][1]["keypoints"][5] = "left_bucket"

    for file in (SOURCE, TRAIN, TEST):
        change_file(root, file, rename)
    assert_only_problem(
        examination_of(root), "warning", "joints of one side alone", "left_bucket", "DATASET_SRC.FLIP"
    )
    assert problems(examination_of(root, {"DATASET_SRC.FLIP": False, "DATASET_TARGET.FLIP": False})) == []


def test_too_few_for_a_batch_and_for_validation(root):
    assert_only_problem(examination_of(root, {"TRAIN.BATCH_SIZE": 50, "TRAIN.SRC_BATCH_SIZE": 8}), "warning", "target T", "batch size 45 instead of 50")  # fmt: skip
    examination = examination_of(root, {"DATASET_TARGET.VAL_SET": "annotations/test.json"})
    subjects = [found[1] for found in problems(examination)]
    assert subjects == ["validation V", "test and validation V", "trusted labels"]


def test_images_that_are_trained_on_and_tested_on(root):
    examination = examination_of(root, {"DATASET_TARGET.TEST_SET": "annotations/train.json"})
    found = problems(examination)
    assert [what for _, what, _ in found] == ["test and target T", "test and validation V"]
    assert "30 of 45 images" in found[0][2]


def unlabel(joint):
    def change(tree):
        for annotation in excavators(tree):
            annotation["keypoints"][3 * joint : 3 * joint + 3] = [0, 0, 0]

    return change


def test_joints_without_labels(root):
    change_file(root, TEST, unlabel(3))
    assert_only_problem(
        examination_of(root), "warning", "joints without a label in test", "boom", "not evaluated"
    )
    change_file(root, TRAIN, unlabel(3))
    found = [what for _, what, _ in problems(examination_of(root))]
    without = [f"joints without a label in {role}" for role in ("target T", "validation V", "test")]
    assert found == ["trusted labels", *without]
    change_file(root, SOURCE, unlabel(3))
    assert ("error", "joints without any training label") in [
        found[:2] for found in problems(examination_of(root))
    ]


def set_box(box, count=1):
    def change(tree):
        for annotation in excavators(tree)[:count]:
            annotation["bbox"] = [*box(annotation["bbox"])]

    return change


@pytest.mark.parametrize(
    ("box", "says"),
    [
        (lambda b: (b[0], b[1], b[2], 300), "1 of 24 reach outside their image, by up to"),
        (lambda b: (500, 500, 20, 20), "1 of 24 are wholly outside their image"),
    ],
)
def test_boxes_outside_images(root, box, says):
    change_file(root, SOURCE, set_box(box))
    found = problems(examination_of(root))
    assert (
        found[0][:2] == ("warning", "source, boxes") and says in found[0][2] and "annotation 1" in found[0][2]
    )


def test_a_file_of_boxes_without_keypoints(root):
    def change(tree):
        for annotation in excavators(tree)[4:]:
            annotation["keypoints"] = []

    change_file(root, SOURCE, change)
    found = {what: text for _, what, text in problems(examination_of(root))}
    assert "20 without" in found["source, left out"]


def test_a_box_without_width_is_filled_in_and_told(root):
    change_file(root, SOURCE, set_box(lambda b: (b[0], b[1], 0, b[3])))
    examination = examination_of(root)
    found = {what: (level, text) for level, what, text in problems(examination, Level.NOTE)}
    level, text = found["source, filled in"]
    assert level == "note" and "1 " in text and "source: 24 objects" in str(examination)


def test_copies(root):
    def copy(tree):
        tree["annotations"].append({**excavators(tree)[0], "id": 999})

    change_file(root, SOURCE, copy)
    assert_only_problem(examination_of(root), "warning", "source, copies", "1 duplicate", "annotation 1")

    def renumber(tree):
        excavators(tree)[0]["id"] = excavators(tree)[3]["id"]

    change_file(root, SOURCE, renumber)
    assert_only_problem(examination_of(root), "error", "source, copies", "1 ids")
    assert "source, copies" not in [
        subject for _, subject, _ in problems(examination_of(root, mode="baseline2"))
    ]


def test_labels_outside_crops_and_images(root):
    change_file(root, SOURCE, set_box(lambda b: (b[0] + 4, b[1] + 4, b[2] / 3, b[3] / 3), 10))
    found = {what: text for _, what, text in problems(examination_of(root))}
    assert "are outside their crop" in found["source, crops"] and "such as" in found["source, crops"]

    def move(tree):
        excavators(tree)[0]["keypoints"][:3] = [50, 400, 2]

    change_file(root, TEST, move)
    found = {what: text for _, what, text in problems(examination_of(root))}
    assert (
        "1 labels are outside their images (such as left_track of annotation 1 at (50, 400))"
        in found["test, joints"]
    )


def test_labels_that_were_moved_on_purpose_are_a_note(root):
    examination = examination_of(root, {"LBI.INJECT_NOISE": "jitter:0.9"})
    (found,) = [f for f in examination.findings if f.subject == "source, crops"]
    assert found.level is Level.NOTE and "LBI.INJECT_NOISE" in found.advice
    assert all(f.level is Level.OK for f in examination.findings if f.subject == "target T, crops")


def test_images_that_cannot_be_read_or_have_another_size(root):
    image = root / "source/images/a/0003.png"
    cv2.imwrite(str(image), np.zeros((40, 48, 3), np.uint8))
    (problem,) = problems(examination_of(root))
    assert problem[:2] == ("error", "source")
    assert all(part in problem[2] for part in ("0003.png", "48 x 40", "96 x 80", "train.json"))
    found = {what: text for _, what, text in problems(examination_of(root, {"DATASET.ON_BAD_IMAGE": "skip"}))}
    for what in ("source, images", "source, doubtful"):
        assert all(part in found[what] for part in ("1 of 16", "0003.png", "48 x 40", "96 x 80"))
    image.write_bytes(b"none")
    assert_only_problem(
        examination_of(root), "error", "source, images", "1 of 16", "0003.png: cannot be read"
    )
    assert_only_problem(
        examination_of(root, {"DATASET.ON_BAD_IMAGE": "skip"}), "warning", "source, images", "1 of 16"
    )


def test_people_of_another_scale(root):
    change_file(root, SOURCE, set_box(lambda b: (b[0] - b[2] / 2, b[1] - b[3] / 2, 2 * b[2], 2 * b[3]), 24))
    found = {what: text for _, what, text in problems(examination_of(root))}
    assert "SCALE_FACTOR" in found["scale of source and target"]


def test_a_network_that_sees_more_pixels_than_there_are(root):
    more = {"MODEL.IMAGE_SIZE": [128, 128], "MODEL.EXTRA.HEATMAP_SIZE": [32, 32]}
    found = problems(examination_of(root, more))
    assert {what for _, what, _ in found} == {
        f"{role}, scale" for role in ("source", "target T", "validation V", "test")
    }
    assert all("smaller MODEL.IMAGE_SIZE" in text for *_, text in found)
