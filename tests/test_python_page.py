"""docs/python.md: its code runs as it stands, and does what the page says."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OWN_LOOP = "## Ignoring variables in a training loop of your own"


def blocks(part: int) -> list[str]:
    """The code of the page before (0) or in (1) the section OWN_LOOP."""
    text = (ROOT / "docs/python.md").read_text(encoding="utf-8").split(OWN_LOOP)[part]
    return re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)


def run(code: list[str], folder: Path) -> str:
    """What the code prints, run as one program in ``folder``."""
    (folder / "page.py").write_text("\n".join(code), encoding="utf-8")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "page.py"], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def results_of(labels: Path) -> list[dict]:
    """The labels of a file in COCO's format as a network's results."""
    return [
        {
            "image_id": person["image_id"],
            "category_id": person["category_id"],
            "keypoints": [0.9 if k % 3 == 2 else value for k, value in enumerate(person["keypoints"])],
            "score": 0.9,
        }
        for person in json.loads(labels.read_text())["annotations"]
    ]


def test_the_loop_has_twenty_five_lines_at_most():
    loop = blocks(1)[1]
    assert "ignoring.learn(" in loop and len([line for line in loop.splitlines() if line.strip()]) <= 25


def test_a_loop_of_ones_own_ignores_the_wrong_labels(tmp_path):
    printed = run(blocks(1), tmp_path)  # the page's last lines check the weights
    wrong, right = map(float, re.findall(r"\d\.\d\d", printed))
    assert wrong < 0.3 < 0.8 < right


@pytest.mark.slow
def test_find_review_apply(tmp_path, data):
    labels = data / "coco/annotations/person_keypoints_train2017.json"
    shutil.copytree(data, tmp_path / "data/people")
    shutil.copy(labels, tmp_path / "doubtful.json")
    (tmp_path / "photos").symlink_to(data / "coco/images/train2017")
    (tmp_path / "results.json").write_text(json.dumps(results_of(labels)))
    printed = run([*blocks(0), "print(len(jpeg), *found.summary)"], tmp_path)
    assert "2 labels changed; 0 not agreed on" in printed and "instances have a predicted pose" in printed
    corrected = json.loads((tmp_path / "corrected.json").read_text())["annotations"]
    notes = [note for person in corrected for note in person.get("attributes", {}).get("lbi", ())]
    assert sorted(note["verdict"] for note in notes) == ["moved", "wrong"]
    assert {note["reviewer"] for note in notes} == {"program"}
