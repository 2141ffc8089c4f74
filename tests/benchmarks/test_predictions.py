"""The benchmark of judging by predictions, on a few made-up people in MPII's files."""

import json

import numpy as np
import pytest
import scipy.io

from benchmarks.predictions import main, read_people
from lib.dataset.mpii_truth import JOINTS_IN_MAT


@pytest.fixture
def data(tmp_path):
    """24 people of 200 pixels, whose joints lie around their middle, and predictions a pixel beside them."""
    rng = np.random.default_rng(0)
    typical = rng.uniform(-80, 80, (16, 2))
    joints = 301 + typical + rng.normal(0, 5, (24, 16, 2))
    people = [
        {"image": f"{k // 2}.jpg", "center": [301, 286], "scale": 1.0, "joints": [], "joints_vis": []}
        for k in range(24)
    ]
    (tmp_path / "annot").mkdir()
    (tmp_path / "preds").mkdir()
    (tmp_path / "annot" / "valid.json").write_text(json.dumps(people), encoding="utf-8")
    truth = {
        "dataset_joints": np.array([JOINTS_IN_MAT], dtype=object),
        "jnt_missing": np.zeros((16, 24)),
        "pos_gt_src": joints.transpose(1, 2, 0),
        "headboxes_src": np.tile(np.array([[0.0, 0.0], [30.0, 40.0]])[..., None], 24),
    }
    scipy.io.savemat(tmp_path / "annot" / "gt_valid.mat", truth)
    scipy.io.savemat(tmp_path / "preds" / "net.mat", {"preds": joints + rng.normal(0, 1, joints.shape)})
    return tmp_path


def test_people_are_those_of_the_reader(data):
    people = read_people(data)
    assert people.centers[0].tolist() == [300, 300] and people.sizes[0].tolist() == [250, 250]
    assert (len(people), len(people.image_paths), people.head_sizes[0]) == (24, 12, 30)
    assert np.abs(people.joints - 300).max() < 110


def test_each_ranking_has_a_row(data, capsys):
    arguments = ["--network", "net", "--noise", "jitter:0.2", "--seeds", "0,1"]
    assert main(["--data", str(data), *arguments]) == 0
    *_, header, _, judged, distance, geometry = capsys.readouterr().out.strip().splitlines()
    assert header == "| noise | ranking | AUROC | average precision | AUROC within a joint | seeds |"
    # Every label is moved by at least 32 pixels, and the predictions are a pixel off.
    assert distance.startswith("| jitter:0.2 | distance | 1.000 ± 0.000 | 1.000 ± 0.000 |")
    assert judged.startswith("| jitter:0.2 | judged | ") and geometry.startswith("| jitter:0.2 | geometry | ")
    assert float(judged.split("|")[3].split("±")[0]) > 0.97
