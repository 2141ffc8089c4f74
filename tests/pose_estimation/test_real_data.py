"""The shipped configuration on real images of COCO and MPII: the whole way, not the learning."""

import csv
import json
from pathlib import Path

import pytest

from lib.dataset.keypoints import COCO_KEYPOINTS
from lib.ignoring.modes import MODES
from lib.label_noise.source import INJECTED_TRUTH
from lib.label_noise.truth import read_truth
from pose_estimation import export_cleaned, report, show_ignored
from pose_estimation.main import main

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
CONFIG = "experiments/coco/resnet50/256x192_d256x3_adam_lr1e-3_lbi.yaml"

pytestmark = pytest.mark.skipif(
    not SHARED.exists(), reason="the sample of real COCO and MPII images is not here"
)


# A network as small as the demo's, on the real images.
TINY = ["--batch_size", "4", "TRAIN.STEPS_PER_EPOCH", "4",
        "MODEL.IMAGE_SIZE", "[64, 64]", "MODEL.EXTRA.HEATMAP_SIZE", "[16, 16]",
        "MODEL.EXTRA.SIGMA", "1", "MODEL.EXTRA.NUM_LAYERS", "18", "MODEL.EXTRA.WIDTH", "4",
        "MODEL.EXTRA.NUM_DECONV_FILTERS", "[8, 8, 8]"]  # fmt: skip


def train_an_epoch(mode, folder, *more):
    words = ["--cfg", CONFIG, f"--{mode}", "--batch_size", "2", "--workers", "0", "--num_epochs", "1",
             "LBI.WARMUP", "0", "LBI.HYPERGRAD_INTERVAL", "1", "--save_dir", str(folder / "output"), "LOG_DIR", str(folder / "log"), "MODEL.PRETRAINED", "",
             "DATASET_SRC.ROOT", str(SHARED / "coco"), "DATASET_TARGET.ROOT", str(SHARED / "mpii"), *more]  # fmt: skip
    assert main(words) == 0
    (results,) = (folder / "output").rglob("results.json")
    return results


def test_one_mode_with_both_weights(tmp_path, capsys):
    results = train_an_epoch("ours5", tmp_path, "LBI.FIND_WRONG_LABELS", "false")
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == str(results)
    for line in ("source: 86 people", "target T: 2 people", "validation V: 1 people", "test: 2 people",
                 "label shift: head is nose in the source (coco) but head_top in the target (mpii)"):  # fmt: skip
        assert line in printed


def test_noise_injected_into_real_labels_is_judged_and_exported(tmp_path, capsys):
    file = SHARED / "coco" / "annotations" / "person_keypoints_train2017.json"
    disk = {a["id"]: a["keypoints"] for a in json.loads(file.read_text())["annotations"]}
    folder = train_an_epoch("ours1", tmp_path, *TINY, "LBI.INJECT_NOISE", "jitter:0.4").parent
    assert "LBI.INJECT_NOISE jitter:0.4, seed 0" in capsys.readouterr().out

    truth = read_truth(folder / INJECTED_TRUTH)
    rows = list(csv.DictReader((folder / "ignoring_weights.csv").open()))
    labelled, wrong, right = [row for row in rows if row["target_weight"] == "1"], [], []
    for row in labelled:
        k = COCO_KEYPOINTS.index("nose" if row["joint"] == "head" else row["joint"])
        label = truth["annotations"][int(row["annotation_id"])]
        assert label["keypoints"][k, :2].tolist() == disk[int(row["annotation_id"])][3 * k : 3 * k + 2]
        (wrong if label["wrong"][k] else right).append(float(row["weight"]))
    assert 0.3 < len(wrong) / len(labelled) < 0.5
    pairs = [(r > w) + (r == w) / 2 for r in right for w in wrong]
    weights = json.loads((folder / "results.json").read_text())["weights"]
    # The table has six digits, so a few close weights tie in it.
    assert weights["B"]["auroc"] == pytest.approx(sum(pairs) / len(pairs), abs=1e-3)

    threshold, output = sorted(right + wrong)[len(labelled) // 4], tmp_path / "cleaned.json"
    words = [str(folder), "--threshold", str(threshold), "--output", str(output)]
    assert export_cleaned.main(words) == 0
    cleaned = {a["id"]: a["keypoints"] for a in json.loads(output.read_text())["annotations"]}
    for row in labelled:
        k = COCO_KEYPOINTS.index("nose" if row["joint"] == "head" else row["joint"])
        dropped = float(row["weight"]) < threshold and int(row["times_seen"]) > 0
        assert (cleaned[int(row["annotation_id"])][3 * k + 2] == 0) == dropped
    assert show_ignored.main([str(folder), "--output", str(tmp_path / "ignored.png")]) == 0
    assert report.main([str(folder)]) == 0
    page = (folder / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") > 10 and ">wrong label<" in page


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_every_mode(mode, tmp_path):
    train_an_epoch(mode, tmp_path)
