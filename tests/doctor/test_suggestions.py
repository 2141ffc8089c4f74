"""Suggested settings: silence beside what was proven, and what is far from it brought near."""

from pathlib import Path

import pytest
import torch

from lib.config.loader import load_config, parse_overrides
from lib.config.schema import Config, TrainConfig
from lib.dataset.build import build_codec
from lib.doctor.findings import Level
from lib.doctor.suggestions import GIB, Seen, suggest, suggested_settings
from lib.models.pose_resnet import build_pose_resnet

DEMO, EXCAVATOR = "experiments/demo/people.yaml", "experiments/custom/excavator.yaml"
TRANSFER = sorted(map(str, Path("experiments/transfer").glob("*.yaml")))
CAFFE = next(map(str, Path("experiments").rglob("*caffe*.yaml")))
LARGE_GPU = 140 * GIB


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        (DEMO, Seen(1000, 80, 88)),
        (DEMO, Seen(1000, 80, 88, LARGE_GPU)),
        (EXCAVATOR, Seen(60, 30, 35)),
        *((path, Seen(149_813, 22_246, 200, LARGE_GPU)) for path in TRANSFER),
        ("experiments/coco/resnet50/256x192_d256x3_adam_lr1e-3.yaml", Seen(0, 149_813, 130, LARGE_GPU)),
        ("experiments/mpii/resnet50/256x256_d256x3_adam_lr1e-3.yaml", Seen(0, 22_246, 250, LARGE_GPU)),
        ("experiments/mpii/resnet152/256x256_d256x3_adam_lr1e-3.yaml", Seen(0, 22_246, 250, LARGE_GPU)),
    ],
)
def test_nothing_is_suggested_beside_a_proven_configuration(path, seen):
    assert suggested_settings(load_config(path, {}), seen) == {}
    assert suggest(load_config(path, {}), seen) == []


def test_the_demo_s_settings_for_data_like_the_demo_s_on_a_cpu():
    defaults = Config(train=TrainConfig(steps_per_epoch=695))  # as many as an epoch of MPII has
    words = suggested_settings(defaults, Seen(1500, 120, 88))
    demo = load_config(DEMO, {})
    values = parse_overrides([word for pair in words.items() for word in (pair[0], pair[1].strip("'"))])
    assert values["MODEL.EXTRA.NUM_LAYERS"] == demo.model.extra.num_layers
    assert values["MODEL.EXTRA.WIDTH"] == demo.model.extra.width
    assert tuple(values["MODEL.IMAGE_SIZE"]) == demo.model.image_size
    assert tuple(values["MODEL.EXTRA.HEATMAP_SIZE"]) == demo.model.extra.heatmap_size
    assert values["TRAIN.BATCH_SIZE"] == demo.train.batch_size
    assert values["TRAIN.SRC_BATCH_SIZE"] == demo.train.src_batch_size
    assert values["TRAIN.END_EPOCH"] == demo.train.end_epoch
    assert 120 <= values["TRAIN.STEPS_PER_EPOCH"] <= 180  # the demo has 150
    assert tuple(values["TRAIN.LR_STEP"]) == demo.train.lr_step


@pytest.mark.parametrize(
    "seen",
    [
        Seen(1000, 80, 88),
        Seen(0, 40, 300),
        Seen(50_000, 500, 20),
        Seen(50_000, 500, 150, 8 * GIB),
        Seen(149_813, 22_246, 200, 4 * GIB),
        Seen(3, 3, 1000, LARGE_GPU),
    ],
)
@pytest.mark.parametrize("path", [DEMO, EXCAVATOR, TRANSFER[0], CAFFE])
def test_what_is_suggested_is_valid_and_then_left_alone(path, seen):
    words = suggested_settings(load_config(path, {}), seen)
    pairs = [word for key, value in words.items() for word in (key, value.strip("'"))]
    changed = load_config(path, parse_overrides(pairs))
    assert suggested_settings(changed, seen) == {}
    with torch.device("meta"):
        build_pose_resnet(changed.model)  # the parts fit together
    build_codec(changed.model)
    assert changed.model.pretrained == "" or changed.model.extra.num_layers == 50


def test_only_what_is_far_is_suggested():
    seen = Seen(1000, 80, 88)
    slow = load_config(DEMO, {"TRAIN.END_EPOCH": 140, "LBI.FREEZE_WEIGHTS_EPOCH": 90})
    words = suggested_settings(slow, seen)
    steps = {"TRAIN.END_EPOCH", "TRAIN.LR_STEP", "TRAIN.STEPS_PER_EPOCH"}
    assert set(words) == steps | {"LBI.FREEZE_WEIGHTS_EPOCH"}
    assert words["LBI.FREEZE_WEIGHTS_EPOCH"] == "6"  # the first of LR_STEP
    never = load_config(DEMO, {"TRAIN.END_EPOCH": 140, "LBI.FREEZE_WEIGHTS_EPOCH": 0})
    assert set(suggested_settings(never, seen)) == steps
    wide = load_config(DEMO, {"TRAIN.BATCH_SIZE": 64})
    assert set(suggested_settings(wide, seen)) == {"TRAIN.BATCH_SIZE", "TRAIN.SRC_BATCH_SIZE"}


@pytest.mark.parametrize(
    ("box", "gpu", "side"),
    [(50, None, "'[64,64]'"), (130, None, "'[128,128]'"), (400, None, "'[128,128]'"), (400, LARGE_GPU, None)],
)
def test_size_of_the_input(box, gpu, side):
    """Half of the crops keep their detail; a CPU takes 128 pixels at most."""
    config = load_config(TRANSFER[0], {})  # 192 x 256
    assert suggested_settings(config, Seen(1000, 80, box, gpu)).get("MODEL.IMAGE_SIZE") == side


def test_a_small_gpu_takes_smaller_batches():
    config = load_config(TRANSFER[0], {"TRAIN.BATCH_SIZE": 64})
    words = suggested_settings(config, Seen(149_813, 22_246, 200, 4 * GIB))
    assert words["TRAIN.BATCH_SIZE"] == "16"


def test_a_pretrained_network_on_a_gpu_is_left_alone():
    config = load_config(TRANSFER[0], {})
    assert "MODEL.EXTRA.WIDTH" not in suggested_settings(config, Seen(1000, 80, 200, LARGE_GPU))
    assert suggested_settings(config, Seen(1000, 80, 200))["MODEL.EXTRA.WIDTH"] == "16"


@pytest.mark.parametrize(
    ("validation", "path", "suggested"),
    [(99, EXCAVATOR, True), (100, EXCAVATOR, False), (0, EXCAVATOR, False), (26, DEMO, False)],
)
def test_few_trusted_instances(validation, path, suggested):
    """The demo's weights are learned from T and V already; a mode without weights has none to learn."""
    settings = {"LBI.META_DATA": "validation"} if path == EXCAVATOR else {}
    words = suggested_settings(load_config(path, settings), Seen(60, 30, 35, validation=validation))
    assert words == ({"LBI.META_DATA": "target"} if suggested else {})


def test_the_note_gives_words_for_the_command_line():
    (finding,) = suggest(Config(), Seen(1000, 80, 88))
    assert finding.level is Level.NOTE and "1,000 source and 80 target" in finding.result
    assert "MODEL.IMAGE_SIZE '[64,64]'" in finding.advice and "MODEL.EXTRA.WIDTH 16" in finding.advice
