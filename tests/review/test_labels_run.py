"""The training of find_labels.py as it is planned; nothing is trained."""

import json
import shutil
from pathlib import Path

import pytest

from lib.config.loader import load_config
from lib.review.labels_run import EFFORTS, LabelledImages, LabelsRun
from lib.utils.errors import InputError


def planned(doubtful, trusted, effort="normal", images=(None, None), **given):
    run = LabelsRun(
        LabelledImages(Path(doubtful), images[0], "--labels"),
        LabelledImages(Path(trusted), images[1], "--trusted"),
        effort,
        {"DEVICE": "cpu"} | given,
    )
    return run.configuration()


@pytest.fixture
def coco(data):
    return data / "coco/annotations/person_keypoints_train2017.json"


@pytest.fixture
def mpii(data):
    return data / "mpii/annot/train.json"


def test_coco_and_mpii_have_the_joints_that_they_share(coco, mpii):
    config = planned(coco, mpii)
    source, target = config.dataset_src, config.dataset_target
    assert (source.dataset, source.train_set) == ("coco", "train2017")
    assert Path(source.root) == coco.parents[1].resolve()
    assert (target.dataset, target.train_set, target.val_set, target.test_set) == (
        "mpii",
        "train",
        "train",
        "train",
    )
    assert config.model.num_joints == 13 and not config.lbi.val_in_train and config.train.resume
    assert planned(mpii, mpii).model.num_joints == 16


def test_a_small_set_on_a_cpu_gets_the_demo_s_network(coco, mpii):
    config, demo = planned(coco, mpii), load_config("experiments/demo/people.yaml")
    assert config.model.image_size == demo.model.image_size and config.train.lr == demo.train.lr
    assert config.model.extra.num_layers == demo.model.extra.num_layers and config.model.pretrained == ""
    assert config.lbi.freeze_weights_epoch == config.train.lr_step[0] == demo.lbi.freeze_weights_epoch


def test_effort_is_the_number_of_steps(coco, mpii):
    steps = {effort: planned(coco, mpii, effort).train.steps_per_epoch for effort in EFFORTS}
    assert steps["quick"] == pytest.approx(0.4 * steps["normal"], abs=1)
    assert steps["thorough"] == pytest.approx(3 * steps["normal"], abs=2)


def test_processes_read_the_images_for_a_gpu_only(coco, mpii, monkeypatch):
    assert planned(coco, mpii).workers == 0
    monkeypatch.setattr("lib.review.labels_run._gpu_bytes", lambda device: 16 * 2**30)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    assert planned(coco, mpii).workers == 3 and planned(coco, mpii, WORKERS=1).workers == 1


def test_what_is_given_overrides_what_is_chosen(coco, mpii):
    config = planned(
        coco,
        mpii,
        **{"TRAIN.STEPS_PER_EPOCH": 3, "MODEL.IMAGE_SIZE": [96, 96], "LBI.META_DATA": "validation"},
    )
    assert config.train.steps_per_epoch == 3 and config.model.image_size == (96, 96)
    assert config.model.extra.heatmap_size == (24, 24)
    assert config.lbi.meta_data == "validation"


def test_any_objects_in_coco_s_format(coco, tmp_path):
    content = json.loads(coco.read_text())
    names = [f"part {k}" for k in range(len(content["categories"][0]["keypoints"]))]
    content["categories"][0] |= {"name": "machine", "keypoints": names, "skeleton": []}
    file = tmp_path / "machines.json"
    file.write_text(json.dumps(content))
    images = coco.parents[1] / "images/train2017"
    config = planned(file, file, images=(images, images))
    assert config.dataset_src.dataset == config.dataset_target.dataset == "coco_format"
    assert config.dataset_src.images == config.dataset_target.images == str(images.resolve())
    assert config.model.num_joints == len(names) and config.lbi.val_in_train


def test_coco_s_file_elsewhere_is_read_in_coco_s_format(coco, mpii, tmp_path):
    moved = tmp_path / "doubtful.json"
    shutil.copy(coco, moved)
    images = coco.parents[1] / "images/train2017"
    config = planned(moved, mpii, images=(images, None))
    assert (config.dataset_src.dataset, config.dataset_src.train_set) == ("coco_format", "doubtful.json")
    assert config.dataset_src.images == str(images.resolve())


def test_few_trusted_instances_are_said(coco, mpii, caplog):
    planned(coco, mpii)
    assert "only 15 trusted instances" in caplog.text


def test_what_cannot_be_read(coco, mpii, tmp_path):
    other = tmp_path / "list.json"
    other.write_text("[]")
    with pytest.raises(
        InputError, match="--labels .*list.json: a list, as of MPII, whose place is annot/list.json"
    ):
        planned(other, mpii)
    other.write_text(json.dumps({"images": []}))
    with pytest.raises(InputError, match="--trusted .*list.json: expected an object with 'annotations'"):
        planned(coco, other)
    with pytest.raises(InputError, match="--labels .*: there is no image folder .*nowhere"):
        planned(coco, mpii, images=(tmp_path / "nowhere", None))
    with pytest.raises(InputError, match="MPII's images are in"):
        planned(coco, mpii, images=(None, tmp_path))
    with pytest.raises(InputError, match="gone.json"):
        planned(tmp_path / "gone.json", mpii)
