"""Drawn stick people in the layout of the real ones, Leeds Sports Pose Extended and MPII (benchmarks/lspet_ground.py)."""

import json
from pathlib import Path

import cv2
import numpy as np

JOINTS = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow",
    "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head_top",
)  # fmt: skip
LINES = (
    (1, 2),
    (2, 3),
    (4, 5),
    (5, 6),
    (7, 8),
    (8, 9),
    (9, 13),
    (13, 10),
    (10, 11),
    (11, 12),
    (13, 14),
    (3, 4),
)
STANDING = np.array([
    (22, 70), (23, 56), (25, 42), (35, 42), (37, 56), (38, 70), (14, 42), (17, 32), (22, 22), (38, 22), (43, 32),
    (46, 42), (30, 19), (30, 8),
], float)  # fmt: skip
WIDTH, HEIGHT = 60, 80


def make_layout(root: Path, lspet: int = 24, train: int = 24, test: int = 8, asked: int = 12) -> Path:
    """Write the four files and the images; every third person of the second opinion has a wrong left wrist.

    Every fifth test person lacks the head's top.
    """
    source = _write(root, "lspet_train", lspet, 1, lambda i: i < asked and i % 3 == 0)
    _write(root, "mpii_train", train, 2)
    tested = _write(root, "mpii_test", test, 3)
    for person in tested["annotations"][::5]:
        person["keypoints"][-3:] = [0, 0, 0]
    (root / "mpii_test.json").write_text(json.dumps(tested))
    people = []
    for number, person in enumerate(source["annotations"][:asked]):
        verdicts = ["right"] * 12
        verdicts[0] = "doubt"
        if number % 3 == 0:
            verdicts[JOINTS.index("left_wrist")] = "wrong"
        at = [[x + 1, y, 0.9] for x, y in np.array(person["keypoints"]).reshape(-1, 3)[:12, :2].tolist()]
        people.append({"annotation_id": person["id"], "verdict": verdicts, "exchange": [False] * 12, "movenet": at})  # fmt: skip
    second = {"joints": JOINTS[:12], "what": "drawn", "people": people}
    (root / "lspet_second_opinion.json").write_text(json.dumps(second))
    return root


def _write(root, name, count, seed, is_wrong=lambda i: False):
    rng = np.random.default_rng(seed)
    (root / "images").mkdir(parents=True, exist_ok=True)
    images, people = [], []
    for i in range(count):
        joints = (STANDING + rng.normal(0, 1.5, (14, 2))).round(2)
        canvas = cv2.resize(rng.uniform(80, 170, (4, 5, 3)).astype(np.float32), (WIDTH, HEIGHT)).astype(np.uint8)  # fmt: skip
        for a, b in LINES:
            cv2.line(canvas, *(tuple(int(v) for v in joints[j - 1]) for j in (a, b)), (30, 60, 220), 2)
        file = f"{name}_{i + 1:03}.jpg"
        cv2.imwrite(str(root / "images" / file), canvas)
        images.append({"id": i + 1, "file_name": file, "width": WIDTH, "height": HEIGHT, "crop_offset": [0, 0],
                       "crop_scale": [1.0, 1.0], "source_file": f"{name}_{i + 1}"})  # fmt: skip
        if is_wrong(i):
            joints[JOINTS.index("left_wrist")] = (10, 10)
        low, high = joints.min(axis=0), joints.max(axis=0)
        people.append({
            "id": 101 + i, "image_id": i + 1, "category_id": 1, "iscrowd": 0, "num_keypoints": 14,
            "keypoints": np.column_stack([joints, np.full(14, 2)]).ravel().tolist(),
            "bbox": [*low.round(2).tolist(), *(high - low).round(2).tolist()], "area": float(np.prod(high - low)),
        })  # fmt: skip
    category = {"id": 1, "name": "person", "keypoints": JOINTS, "skeleton": [*LINES, (9, 3), (10, 4)]}
    tree = {"info": {}, "images": images, "annotations": people, "categories": [category]}
    (root / f"{name}.json").write_text(json.dumps(tree))
    return tree
