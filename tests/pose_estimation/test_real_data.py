"""The shipped configuration on real pictures of COCO and MPII: the whole way, not the learning."""

from pathlib import Path

import pytest

from lib.ignoring.modes import MODES
from pose_estimation.main import main

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
CONFIG = "experiments/coco/resnet50/256x192_d256x3_adam_lr1e-3_lbi.yaml"

pytestmark = pytest.mark.skipif(
    not SHARED.exists(), reason="the sample of real COCO and MPII pictures is not here"
)


def train_an_epoch(mode, folder):
    words = ["--cfg", CONFIG, f"--{mode}", "--batch_size", "2", "--workers", "0", "--num_epochs", "1",
             "--save_dir", str(folder / "output"), "LOG_DIR", str(folder / "log"), "MODEL.PRETRAINED", "",
             "DATASET_SRC.ROOT", str(SHARED / "coco"), "DATASET_TARGET.ROOT", str(SHARED / "mpii")]  # fmt: skip
    assert main(words) == 0
    (results,) = (folder / "output").rglob("results.json")
    return results


def test_one_mode_with_both_weights(tmp_path, capsys):
    results = train_an_epoch("ours5", tmp_path)
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == str(results)
    for line in ("source: 86 people", "target T: 2 people", "validation V: 1 people", "test: 2 people",
                 "label shift: head is nose in the source (coco) but head_top in the target (mpii)"):  # fmt: skip
        assert line in printed


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_every_mode(mode, tmp_path):
    train_an_epoch(mode, tmp_path)
