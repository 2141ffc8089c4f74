"""A data set and settings so small that a whole training run takes a second or two."""

import json
from pathlib import Path

import torch

from lib.synthetic.generate import PeopleConfig, make_people
from pose_estimation.main import main

CONFIG = """\
DATASET_SRC: {{ROOT: {data}/coco, ROT_FACTOR: 15, SCALE_FACTOR: 0.15}}
DATASET_TARGET: {{ROOT: {data}/mpii, ROT_FACTOR: 15, SCALE_FACTOR: 0.15}}
MODEL:
  IMAGE_SIZE: [64, 64]
  EXTRA: {{HEATMAP_SIZE: [16, 16], SIGMA: 1, NUM_LAYERS: 18, WIDTH: 4, NUM_DECONV_FILTERS: [8, 8, 8]}}
TRAIN: {{BATCH_SIZE: 6, END_EPOCH: 2, STEPS_PER_EPOCH: 2, LR: 0.003, LR_STEP: [1]}}
LBI: {{VARIABLES: persistent, LR: 0.7, SCHEDULE: together, SOURCE_MODEL_ON: source, TARGET_LR: 0.3,
      HYPERGRAD_THROUGH: optimizer, HYPERGRAD_INTERVAL: 1, VAL_BATCH_SIZE: 0, FIND_WRONG_LABELS: false}}
TEST: {{FLIP_TEST: true, BATCH_SIZE: 8}}
OUTPUT_DIR: {root}/output
LOG_DIR: {root}/log
PRINT_FREQ: 1
WORKERS: 0
THREADS: 1
"""
RUNS = "coco_to_mpii/pose_resnet_18/small"


def make_data(folder: Path) -> Path:
    sizes = PeopleConfig(seed=3, source_people=20, source_val_people=2, target_train_people=15, test_people=8)
    make_people(folder / "people", sizes)
    return folder / "people"


def write_config(root: Path, data: Path) -> Path:
    path = root / "small.yaml"
    path.write_text(CONFIG.format(data=data, root=root))
    return path


def run(config: Path, *words: str) -> int:
    """main.py's exit code."""
    return main(["--cfg", str(config), *words])


def results_of(config, mode, output="output"):
    return json.loads((config.parent / output / RUNS / mode / "results.json").read_text())


def weights_file(config, mode, output="output"):
    return torch.load(config.parent / output / RUNS / mode / "last.pth", weights_only=True)


def assert_same(a, b, where=""):
    """Equal to the last bit, through nested dicts and lists of tensors."""
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            if key not in ("seconds", "config", "metrics_bytes"):  # bytes: times have more or fewer digits
                assert_same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            assert_same(x, y)
    else:
        assert a == b, where
