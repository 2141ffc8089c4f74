"""The YAML files of SimpleBaseline's networks against the values of the original's files, typed in by hand."""

from pathlib import Path

import pytest

from lib.config.former_names import WITHOUT_EFFECT
from lib.config.loader import flat_config, load_config
from lib.config.schema import Config, settings

ROOT = Path(__file__).resolve().parents[1] / "experiments"
DETECTIONS = "data/coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json"
BACKBONES = {50: "resnet50-19c8e357.pth", 101: "resnet101-5d3b4d8f.pth", 152: "resnet152-b121ed2d.pth"}

# What github.com/microsoft/human-pose-estimation.pytorch says in every file of experiments/.
EVERYWHERE = {
    "WORKERS": 4, "PRINT_FREQ": 100, "MODEL.NAME": "pose_resnet", "MODEL.EXTRA.TARGET_TYPE": "gaussian",
    "MODEL.EXTRA.FINAL_CONV_KERNEL": 1, "MODEL.EXTRA.DECONV_WITH_BIAS": False, "MODEL.EXTRA.NUM_DECONV_LAYERS": 3,
    "MODEL.EXTRA.NUM_DECONV_FILTERS": [256] * 3, "MODEL.EXTRA.NUM_DECONV_KERNELS": [4] * 3,
    "LOSS.USE_TARGET_WEIGHT": True, "DATASET.FLIP": True, "TRAIN.SHUFFLE": True, "TRAIN.BEGIN_EPOCH": 0,
    "TRAIN.END_EPOCH": 140, "TRAIN.OPTIMIZER": "adam", "TRAIN.LR": 0.001, "TRAIN.LR_FACTOR": 0.1,
    "TRAIN.LR_STEP": [90, 120], "TRAIN.MOMENTUM": 0.9, "TRAIN.NESTEROV": False, "TEST.BATCH_SIZE": 32,
    "TEST.FLIP_TEST": False, "TEST.SHIFT_HEATMAP": True,
}  # fmt: skip
OF_SET = {
    "coco": {
        "DATASET.TRAIN_SET": "train2017", "DATASET.TEST_SET": "val2017", "DATASET.ROT_FACTOR": 40,
        "DATASET.SCALE_FACTOR": 0.3, "MODEL.NUM_JOINTS": 17, "TEST.USE_GT_BBOX": True, "TEST.COCO_BBOX_FILE": DETECTIONS,
        "TEST.BBOX_THRE": 1.0, "TEST.IMAGE_THRE": 0.0, "TEST.IN_VIS_THRE": 0.2, "TEST.OKS_THRE": 0.9,
    },
    "mpii": {
        "DATASET.TRAIN_SET": "train", "DATASET.TEST_SET": "valid", "DATASET.ROT_FACTOR": 30,
        "DATASET.SCALE_FACTOR": 0.25, "MODEL.NUM_JOINTS": 16,
    },
}  # fmt: skip
SIZES = {
    "coco": ((256, 192, 2), (384, 288, 3)),
    "mpii": ((256, 256, 2), (384, 384, 3)),
}  # height, width, sigma
BATCHES = {("mpii", 152, 384): 24}  # the others have 32
# Where these files differ, and why: the original's Adam ignores WD, and it reads all images as BGR (auto: RGB, but
# BGR for published weights).
DIFFERENT = {"TRAIN.WD": 0.0, "DATASET.COLOR_RGB": "auto"}


CASES = [
    (kind, size, layers, caffe)
    for kind, sizes in SIZES.items()
    for size in sizes
    for layers in BACKBONES
    for caffe in ([False, True] if kind == "coco" else [False])
]


@pytest.mark.parametrize(("kind", "size", "layers", "caffe"), CASES)
def test_the_values_are_the_originals(kind, size, layers, caffe):
    height, width, sigma = size
    name = f"{height}x{width}_d256x3_adam_lr1e-3{'_caffe' if caffe else ''}.yaml"
    found = flat_config(load_config(ROOT / kind / f"resnet{layers}" / name))
    backbone = f"resnet{layers}-caffe.pth.tar" if caffe else BACKBONES[layers]
    expected = EVERYWHERE | OF_SET[kind] | DIFFERENT | {
        "DATASET.DATASET": kind, "DATASET.ROOT": f"data/{kind}", "MODEL.IMAGE_SIZE": [width, height],
        "MODEL.EXTRA.HEATMAP_SIZE": [width // 4, height // 4], "MODEL.EXTRA.SIGMA": sigma,
        "MODEL.EXTRA.NUM_LAYERS": layers, "MODEL.STYLE": "caffe" if caffe else "pytorch",
        "MODEL.PRETRAINED": f"models/pytorch/imagenet/{backbone}",
        "TRAIN.BATCH_SIZE": BATCHES.get((kind, layers, height), 32),
    }  # fmt: skip
    if caffe:
        expected["DATASET.COLOR_RGB"] = False  # here as in the original
    assert {key: found[key] for key in expected} == expected


# Defaults of lib/core/config.py in SimpleBaseline and in the original, and those that are others here.
ORIGINAL_DEFAULTS = {
    "DATASET.SCALE_FACTOR": 0.25, "DATASET.ROT_FACTOR": 30, "DATASET_SRC.SCALE_FACTOR": 0.25,
    "DATASET_SRC.ROT_FACTOR": 30, "DATASET_TARGET.SCALE_FACTOR": 0.25, "DATASET_TARGET.ROT_FACTOR": 30,
    "TRAIN.LR_STEP": [90, 110], "TRAIN.WD": 1e-4, "TEST.OKS_THRE": 0.5, "TEST.IN_VIS_THRE": 0.0,
    "TEST.USE_GT_BBOX": False, "MODEL.NUM_JOINTS": 16, "MODEL.IMAGE_SIZE": [256, 256],
    "MODEL.EXTRA.HEATMAP_SIZE": [64, 64],
}  # fmt: skip
SAME_DEFAULTS = {
    "MODEL.INIT_WEIGHTS": True, "MODEL.STYLE": "pytorch", "MODEL.EXTRA.NUM_LAYERS": 50, "MODEL.EXTRA.SIGMA": 2,
    "DATASET.FLIP": True, "LOSS.USE_TARGET_WEIGHT": True, "TRAIN.LR": 0.001, "TRAIN.LR_FACTOR": 0.1,
    "TRAIN.OPTIMIZER": "adam", "TRAIN.MOMENTUM": 0.9, "TRAIN.NESTEROV": False, "TRAIN.END_EPOCH": 140,
    "TRAIN.BATCH_SIZE": 32, "TRAIN.SHUFFLE": True, "TEST.BATCH_SIZE": 32, "TEST.FLIP_TEST": False,
    "TEST.SHIFT_HEATMAP": True, "TEST.BBOX_THRE": 1.0, "TEST.IMAGE_THRE": 0.0,
}  # fmt: skip


def test_changed_defaults_and_refused_keys_are_on_the_page_of_differences():
    page = (ROOT.parent / "docs/differences.md").read_text(encoding="utf-8")
    defaults = flat_config(Config())
    assert {key: defaults[key] for key in SAME_DEFAULTS} == SAME_DEFAULTS
    for key, original in ORIGINAL_DEFAULTS.items():
        assert defaults[key] != original and key.rsplit(".", 1)[-1] in page, key
    refused = [f"{role}.{name}" for role in ("DATASET_SRC", "DATASET_TARGET")
               for name in ("HYBRID_JOINTS_TYPE", "SELECT_DATA")]  # fmt: skip
    for key in ["TEST.POST_PROCESS", "EXP_PATH", "NOISE_PATH", "NOISE_SIZE", "NOISE_IND", *refused]:
        assert key not in settings() and key not in WITHOUT_EFFECT and key.rsplit(".", 1)[-1] in page
