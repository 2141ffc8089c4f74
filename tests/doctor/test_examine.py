"""Whole examinations: clean data, and data or settings that are broken in one way each."""

import importlib
import json
import shutil
from collections import namedtuple
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import lib.doctor.machine
import lib.doctor.trial_steps
from lib.config.loader import load_config
from lib.config.run_paths import RunPaths
from lib.doctor.examine import examine
from lib.doctor.findings import Level
from lib.ignoring.modes import MODES
from lib.models.pose_resnet import DeconvHead, PoseResNet
from lib.utils.log import captured_messages
from tests.factories.excavators import JOINTS, make_set

CONFIG = "experiments/custom/excavator.yaml"
TRAIN, TEST, SOURCE = "target/annotations/train.json", "target/annotations/test.json", "source/train.json"


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """Data without a finding: source and target with the same joints, enough in V."""
    root, own = tmp_path_factory.mktemp("clean"), {name: name for name in JOINTS}
    make_set(root / "source", "train.json", "a", own, 16, seed=1)
    make_set(root / "target", "annotations/train.json", "train", own, 45, seed=2)
    make_set(root / "target", "annotations/test.json", "test", own, 4, seed=3)
    return root


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """The share of time spent waiting depends on the machine: none is above this."""
    monkeypatch.setattr(lib.doctor.trial_steps, "MAX_WAITING", 2)


@pytest.fixture
def root(clean, tmp_path):
    """A copy to be changed."""
    shutil.copytree(clean, tmp_path / "data")
    return tmp_path / "data"


def examination_of(root, changed=None, mode="ours2", steps=0):
    values = {
        "DATASET_SRC.ROOT": str(root / "source"), "DATASET_TARGET.ROOT": str(root / "target"), "DATASET_SRC.JOINTS": {},
        "OUTPUT_DIR": str(root / "output"), "LOG_DIR": str(root / "log"), "LBI.INJECT_NOISE": "", "DEVICE": "cpu",
        "MODEL.EXTRA.WIDTH": 4, "MODEL.EXTRA.NUM_DECONV_FILTERS": [8, 8, 8], "THREADS": 1,
    }  # fmt: skip
    with captured_messages() as notes:
        config = load_config(CONFIG, values | (changed or {}))
    folders = RunPaths.for_run(config, CONFIG, "a_to_b", mode)
    return examine(config, MODES[mode], folders, notes, root / "doctor", steps)


def problems(examination):
    """[(level, subject, result and advice)] of all findings that are not ok."""
    return [
        (f.level.value, f.subject, f"{f.result} -> {f.advice}")
        for f in examination.findings
        if f.level is not Level.OK
    ]


def assert_only_problem(examination, level, subject, *parts):
    """Check the single finding that is not ok."""
    (problem,) = problems(examination)
    assert problem[:2] == (level, subject)
    for part in parts:
        assert part in problem[2]
    assert examination.exit_code == {"warning": 1, "error": 2}[level]


def change_file(root, file, change):
    """Let ``change(tree)`` change a file's annotations in place."""
    tree = json.loads((root / file).read_text())
    change(tree)
    (root / file).write_text(json.dumps(tree))


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
    # Four sets, each a line and two rows of 192 pixels; the heatmaps' dots are bright.
    assert image.shape == (4 * (28 + 2 * 194), 8 * 194, 3)
    assert (root / "output").exists() is False  # nothing of the steps is kept


def test_a_mode_without_a_source(root):
    shutil.rmtree(root / "source")
    examination = examination_of(root, mode="baseline1", steps=1)
    assert problems(examination) == [] and "source, images" not in str(examination)


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


def test_an_approximated_joint(config):
    values = {"DEVICE": "cpu"}
    loaded = load_config(config, values)
    folders = RunPaths.for_run(loaded, config, "coco_to_mpii", "ours1")
    examination = examine(loaded, MODES["ours1"], folders, [], config.parent, 0)
    found = {what: text for _, what, text in problems(examination)}
    assert "head (head_top in the target, nose in the source)" in found.pop("approximated joints")
    assert list(found) == ["validation V"] and "fewer than 20" in found["validation V"]


def test_a_side_that_is_alone(root):
    def rename(tree):
        tree["categories"][1]["keypoints"][5] = "left_bucket"

    for file in (SOURCE, TRAIN, TEST):
        change_file(root, file, rename)
    assert_only_problem(
        examination_of(root), "warning", "joints of one side alone", "left_bucket", "FLIP false"
    )
    assert problems(examination_of(root, {"DATASET_SRC.FLIP": False, "DATASET_TARGET.FLIP": False})) == []


def test_too_few_for_a_batch_and_for_validation(root):
    assert_only_problem(examination_of(root, {"TRAIN.BATCH_SIZE": 50, "TRAIN.SRC_BATCH_SIZE": 8}), "warning", "target T", "batch size 45 instead of 50")  # fmt: skip
    examination = examination_of(root, {"DATASET_TARGET.VAL_SET": "annotations/test.json"})
    assert [found[1] for found in problems(examination)] == ["validation V", "test and validation V"]


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
    assert found == [f"joints without a label in {role}" for role in ("target T", "validation V", "test")]
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
        (lambda b: (b[0], b[1], 0, b[3]), "1 of 24 have no width or height"),
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
    assert "20 without a labelled joint" in found["source, omitted"]


def test_copies(root):
    def copy(tree):
        tree["annotations"].append({**excavators(tree)[0], "id": 999})

    change_file(root, SOURCE, copy)
    assert_only_problem(examination_of(root), "warning", "source, copies", "1 duplicate", "annotation 1")

    def renumber(tree):
        excavators(tree)[0]["id"] = excavators(tree)[3]["id"]

    change_file(root, SOURCE, renumber)
    assert_only_problem(examination_of(root), "warning", "source, copies", "1 ids")


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


def test_images_that_cannot_be_read_or_have_another_size(root):
    image = root / "source/images/a/0003.png"
    cv2.imwrite(str(image), np.zeros((40, 48, 3), np.uint8))
    assert_only_problem(
        examination_of(root), "warning", "source, images", "0003.png is 48 x 40, the annotations say 96 x 80"
    )
    image.write_bytes(b"none")
    assert_only_problem(examination_of(root), "error", "source, images", "1 of 16 cannot be read", "0003.png")
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


def test_weights(root):
    assert_only_problem(examination_of(root, {"MODEL.PRETRAINED": "models/pytorch/imagenet/resnet10-x.pth"}), "error", "weights",
               "resnet10-x.pth", "fetch_weights.py")  # fmt: skip
    other = root / "other.pth"
    torch.save(PoseResNet(18, 7, width=4, head=DeconvHead((8, 8, 8))).state_dict(), other)
    examination = examination_of(root, {"MODEL.PRETRAINED": str(other)})
    assert problems(examination) == [] and f"{other}: loaded" in str(examination)
    torch.save(PoseResNet(18, 7, width=8, head=DeconvHead((8, 8, 8))).state_dict(), other)
    assert_only_problem(
        examination_of(root, {"MODEL.PRETRAINED": str(other)}), "warning", "weights", "random weights"
    )
    assert_only_problem(
        examination_of(root, {"TRAIN.LOAD_CKPT": str(other)}), "error", "TRAIN.LOAD_CKPT", "other.pth"
    )


def test_no_such_device(root, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert_only_problem(
        examination_of(root, {"DEVICE": "cuda"}), "error", "device", "no CUDA device", "DEVICE auto"
    )


def test_the_extension_that_is_not_built(root, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    assert_only_problem(examination_of(root), "warning", "NMS extension", "make -C lib")


def test_disk(root, monkeypatch):
    (root / "file").write_text("")
    assert_only_problem(
        examination_of(root, {"OUTPUT_DIR": str(root / "file/output")}),
        "error",
        "disk",
        "cannot be written to",
    )
    usage = namedtuple("usage", "total used free")
    need = None
    for share, level in ((0.5, "error"), (1.5, "warning"), (2.5, None)):
        whole = examination_of(root)
        need = need or _needed(root)
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "disk_usage", lambda _, free=int(share * need): usage(1, 1, free))
            whole = examination_of(root)
        assert [found[:2] for found in problems(whole)] == ([(level, "disk")] if level else [])


def _needed(root):
    """Three checkpoints of both models, as a run writes them."""
    from pose_estimation.main import main

    words = ["DATASET_SRC.ROOT", str(root / "source"), "DATASET_TARGET.ROOT", str(root / "target"), "DATASET_SRC.JOINTS", "{}",
             "OUTPUT_DIR", str(root / "run"), "LOG_DIR", str(root / "log"), "MODEL.EXTRA.WIDTH", "4",
             "MODEL.EXTRA.NUM_DECONV_FILTERS", "[8, 8, 8]", "TRAIN.STEPS_PER_EPOCH", "1", "TRAIN.END_EPOCH", "1"]  # fmt: skip
    assert main(["--cfg", CONFIG, "--ours2", *words]) == 0
    (checkpoint,) = Path(root / "run").rglob("last.pth")
    content = torch.load(checkpoint, weights_only=True)

    def size(node):
        if torch.is_tensor(node):
            return node.numel() * node.element_size()
        return sum(map(size, node.values())) if isinstance(node, dict) else 0

    parts = (k for k in content if k.endswith(("_model", "_optimizer")) or k == "variables")
    return 3 * sum(size(content[part]) for part in parts)


def test_steps_that_go_wrong(root):
    examination = examination_of(root, {"TRAIN.LR": 1e30}, steps=3)
    found = problems(examination)
    assert found[0][:2] == ("error", "steps of the source and target model") and "not finite" in found[0][2]
    assert "TRAIN.CLIP_GRAD" in found[0][2]
    more = {"LBI.SCHEDULE": "source_first", "LBI.HYPERGRAD_INTERVAL": 3}
    text = str(examination_of(root, more, steps=1))
    assert (
        "steps of the source model: " in text
        and "steps of the target model: " in text
        and "480 steps" in text
    )


def test_steps_that_wait_and_runs_that_never_end(root, monkeypatch):
    monkeypatch.setattr(lib.doctor.trial_steps, "MAX_WAITING", 0)  # reading takes some time at least
    assert_only_problem(
        examination_of(root, steps=1),
        "warning",
        "steps of the source and target model",
        "more WORKERS than 0",
    )
    monkeypatch.setattr(lib.doctor.trial_steps, "MAX_WAITING", 2)
    assert_only_problem(
        examination_of(root, {"TRAIN.END_EPOCH": 10**7}, steps=1),
        "warning",
        "the whole run",
        "400,000,000 steps",
    )


def test_memory(root, monkeypatch):
    monkeypatch.setattr(lib.doctor.machine, "machine_memory", lambda: 2**20)
    assert_only_problem(examination_of(root, steps=1), "error", "memory", "DATASET.CACHE false")
    # The cache: 16 + 45 + 4 images of 96 x 80, in each of two workers.
    (main,) = lib.doctor.machine.check_memory(torch.device("cpu"), 0, 3 * 96 * 80 * 65, 2)
    assert main.level is Level.ERROR
    monkeypatch.setattr(lib.doctor.machine, "machine_memory", lambda: 1.1 * 6 * 96 * 80 * 65)
    (main,) = lib.doctor.machine.check_memory(torch.device("cpu"), 0, 3 * 96 * 80 * 65, 2)
    assert main.level is Level.WARNING
