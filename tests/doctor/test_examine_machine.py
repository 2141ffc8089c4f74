"""What the doctor says of weights, device, disk, memory and trial steps."""

import importlib
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
import torch

import lib.doctor.machine
import lib.doctor.trial_steps
from lib.doctor.findings import Level, ok
from lib.models.pose_resnet import DeconvHead, PoseResNet
from lib.training.data import build_data
from lib.training.run_spec import RunSpec
from lib.training.trainer import train
from tests.factories.examinations import CONFIG, assert_only_problem, examination_of, problems, request_of


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """The share of time spent waiting depends on the machine: none is above this."""
    monkeypatch.setattr(lib.doctor.trial_steps, "MAX_WAITING", 2)


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


def test_the_source_model_of_another_run(root):
    """It is looked for, loaded, and its phase is neither tried nor counted."""
    first = {"LBI.SCHEDULE": "source_first", "TRAIN.STEPS_PER_EPOCH": 1, "TRAIN.END_EPOCH": 1}
    missing = first | {"LBI.SOURCE_CKPT": str(root / "none.pth")}
    assert_only_problem(examination_of(root, missing, steps=1), "error", "LBI.SOURCE_CKPT", "none.pth")

    request = request_of(root, first | {"WORKERS": 0})
    data = build_data(request.config, True)
    train(RunSpec(request.config, request.mode, data, request.paths))
    taken = first | {"LBI.SOURCE_CKPT": str(request.paths.output / "last.pth")}
    examination = examination_of(root, taken, steps=1)
    assert problems(examination) == []
    subjects = [finding.subject for finding in examination.findings]
    assert "steps of the target model" in subjects and "steps of the source model" not in subjects
    assert "1 steps and 1 validations" in str(examination)
    assert "2 steps and 2 validations" in str(examination_of(root, first, steps=1))

    longer = taken | {"TRAIN.END_EPOCH": 3}
    assert_only_problem(examination_of(root, longer, steps=1), "error", "LBI.SOURCE_CKPT", "not finished")
    other = taken | {"TRAIN.LR": 0.001}
    assert_only_problem(examination_of(root, other), "warning", "LBI.SOURCE_CKPT", "TRAIN.LR 0.003")
    assert_only_problem(
        examination_of(root, taken, mode="ours1"), "error", "LBI.SOURCE_CKPT", "trains no source model first"
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
    (finding,) = [f for f in examination_of(root).findings if f.subject == "NMS extension"]
    assert finding.level is Level.NOTE and "make -C lib" in finding.advice


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


def test_space_for_packs(root, monkeypatch):
    pack = {"DATASET.PACK": True, "DATASET.CACHE": False}
    assert "DATASET.PACK: about 0.0 GiB to write, 0.0 GiB there" in str(examination_of(root, pack))
    assert "DATASET.PACK" not in str(examination_of(root))
    usage = shutil.disk_usage(root)._replace(free=1000)
    monkeypatch.setattr(lib.doctor.machine.shutil, "disk_usage", lambda path: usage)
    monkeypatch.setattr("lib.doctor.examine.check_disk", lambda *_: ok("disk", "enough"))
    assert_only_problem(examination_of(root, pack), "error", "packs", "DATASET.PACK")
