"""A few made-up people in MPII's files, with a network's predictions."""

import json
from pathlib import Path

import numpy as np
import scipy.io

from lib.dataset.mpii_truth import JOINTS_IN_MAT


def write_predicted_people(folder: Path) -> Path:
    """24 people of 200 pixels, whose joints lie around their middle, and predictions (net) a pixel beside them."""
    rng = np.random.default_rng(0)
    typical = rng.uniform(-80, 80, (16, 2))
    joints = 301 + typical + rng.normal(0, 5, (24, 16, 2))
    people = [
        {"image": f"{k // 2}.jpg", "center": [301, 286], "scale": 1.0, "joints": [], "joints_vis": []}
        for k in range(24)
    ]
    (folder / "annot").mkdir()
    (folder / "preds").mkdir()
    (folder / "annot" / "valid.json").write_text(json.dumps(people), encoding="utf-8")
    truth = {
        "dataset_joints": np.array([JOINTS_IN_MAT], dtype=object),
        "jnt_missing": np.zeros((16, 24)),
        "pos_gt_src": joints.transpose(1, 2, 0),
        "headboxes_src": np.tile(np.array([[0.0, 0.0], [30.0, 40.0]])[..., None], 24),
    }
    scipy.io.savemat(folder / "annot" / "gt_valid.mat", truth)
    scipy.io.savemat(folder / "preds" / "net.mat", {"preds": joints + rng.normal(0, 1, joints.shape)})
    return folder
