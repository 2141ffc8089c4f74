"""examples/: the notebook runs from top to bottom, without Jupyter, and is committed without outputs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lib.label_noise.truth import read_truth, truth_file

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "examples/find_wrong_labels.ipynb"
CHECKED = 'print("all cells ran")'
# What follows the cell of parameters, as papermill would insert it.
ELSEWHERE = "DATA, FOLDER = Path('people'), Path('found')"
SMALL = """
PEOPLE = PeopleConfig(seed=3, source_people=20, source_val_people=2, target_train_people=15, test_people=8)
SETTINGS = {"TRAIN.STEPS_PER_EPOCH": 2, "TRAIN.END_EPOCH": 2, "TRAIN.LR_STEP": [1], "MODEL.EXTRA.WIDTH": 4,
            "MODEL.EXTRA.NUM_DECONV_FILTERS": [8, 8, 8], "TEST.FLIP_TEST": False, "DEVICE": "cpu", "THREADS": 1}
"""


def cells() -> list[dict]:
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]


def run(folder: Path, parameters: str) -> str:
    """What the code cells print, run as one program in ``folder``, with other ``parameters``."""
    parts = []
    for cell in cells():
        if cell["cell_type"] == "code":
            parts.append("".join(cell["source"]))
            if "parameters" in cell["metadata"].get("tags", ()):
                parts.append(parameters)
    (folder / "notebook.py").write_text("\n".join([*parts, CHECKED]), encoding="utf-8")
    (folder / "pose_estimation").mkdir()  # the mark of a checkout
    (folder / "lib").symlink_to(ROOT / "lib")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "notebook.py"], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert CHECKED.split('"')[1] in done.stdout
    return done.stdout


def check_corrections(folder: Path) -> int:
    """The number of labels that the corrected file has otherwise; they are where the truth is."""
    path = folder / "people/coco/annotations/person_keypoints_train2017.json"
    before, after = (
        json.loads(p.read_text())["annotations"] for p in (path, folder / "found/corrected.json")
    )
    truth, count = read_truth(truth_file(folder / "people/coco", "train2017"))["annotations"], 0
    for former, person in zip(before, after):
        was, now = (np.array(each["keypoints"], float).reshape(-1, 3) for each in (former, person))
        known, changed = truth[person["id"]], (was != now).any(1)
        assert known["wrong"][changed].all()
        np.testing.assert_allclose(now[changed], known["keypoints"][changed], atol=0.01)
        count += int(changed.sum())
    return count


def test_it_is_committed_as_jupyter_takes_it_and_without_outputs():
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert content["nbformat"] == 4 and len({cell["id"] for cell in cells()}) == len(cells())
    for cell in cells():
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
            compile("".join(cell["source"]), cell["id"], "exec")
    assert sum("parameters" in cell["metadata"].get("tags", ()) for cell in cells()) == 1


def test_it_runs_from_top_to_bottom(tmp_path):
    printed = run(tmp_path, f"{ELSEWHERE}\n{SMALL}")
    assert "labels are wrong" in printed and "100 reviewed" in printed
    assert (tmp_path / "found/suspects.jpg").stat().st_size > 1000
    changed = check_corrections(tmp_path)
    assert 0 < changed <= 100 and f"{changed} labels corrected" in printed


@pytest.mark.slow
def test_in_its_usual_form_it_finds_wrong_labels(tmp_path):
    run(tmp_path, ELSEWHERE)
    assert check_corrections(tmp_path) > 90  # 44 of 100 at random
