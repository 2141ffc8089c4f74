"""Drawn excavators with seven invented joints, in COCO's format: the data of experiments/custom/excavator.yaml.

    python tests/factories/excavators.py data/excavators

The source names two joints otherwise, lacks one, and has one more (`lamp`); its images are grey.
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np

JOINTS = ("left_track", "right_track", "cab", "boom", "stick", "bucket", "counterweight")
# What the source calls them; the target's counterweight is not among its joints.
SOURCE_JOINTS = ("cabin", "lamp", "track_left", "boom", "track_right", "bucket", "stick")
SAME = {"cab": "cabin", "left_track": "track_left", "right_track": "track_right"}
WIDTH, HEIGHT = 96, 80
COLOURS = {
    "left_track": (250, 80, 60), "right_track": (250, 80, 60), "cab": (60, 200, 240), "boom": (60, 230, 90),
    "stick": (220, 60, 220), "bucket": (240, 240, 240), "counterweight": (20, 20, 20), "lamp": (0, 255, 255),
}  # fmt: skip
PARTS = (("left_track", "right_track"), ("counterweight", "cab"), ("cab", "boom"), ("boom", "stick"), ("stick", "bucket"))  # fmt: skip


def draw_excavator(rng, canvas, side):
    """Places {joint: [2]} of one that is drawn into a quarter of ``canvas`` at ``side`` (0 left, 1 right)."""
    size = rng.uniform(0.8, 1.0)
    middle = np.array([24 + 48 * side, 44]) + rng.uniform(-3, 3, 2)
    facing = rng.choice([-1, 1])
    swing = rng.uniform(-5, 5)
    shape = {
        "left_track": (-12, 18), "right_track": (10, 18), "cab": (-2, 4), "boom": (8, -12 + swing / 2),
        "stick": (17, -4 + swing), "bucket": (18, 10 + swing), "counterweight": (-14, 4), "lamp": (-2, -4),
    }  # fmt: skip
    # Seen from the other side all but the names of the tracks is mirrored.
    places = {name: middle + size * np.array([x * facing, y]) for name, (x, y) in shape.items()}
    if facing < 0:
        places["left_track"], places["right_track"] = places["right_track"], places["left_track"]
    for a, b in PARTS:
        cv2.line(canvas, *(tuple(int(v) for v in places[n].round()) for n in (a, b)), (40, 160, 220), 4)
    for name, place in places.items():
        cv2.circle(canvas, tuple(int(v) for v in place.round()), 3, COLOURS[name], -1)
    return places


def make_set(root: Path, file: str, folder: str, names: dict, drawn: int, seed: int, grey=False) -> None:
    """Write ``root/file`` and its images in ``root/images/folder``; ``names`` {name in the file: joint drawn}."""
    rng = np.random.default_rng(seed)
    images, annotations = [], []
    (root / "images" / folder).mkdir(parents=True, exist_ok=True)
    for number in range(1, drawn + 1):
        coarse = rng.uniform(90, 170, (4, 5, 3)).astype(np.float32)
        canvas = cv2.resize(coarse, (WIDTH, HEIGHT)).astype(np.uint8)
        sides = [0, 1] if number % 2 else [int(rng.integers(2))]
        for side in sides:
            places = draw_excavator(rng, canvas, side)
            points = np.array([places[joint] for joint in names.values()])
            low, high = points.min(axis=0) - 4, points.max(axis=0) + 4
            seen = np.where(rng.random(len(points)) < 0.9, 2, 0)
            keypoints = np.column_stack([points.round(2) * (seen > 0)[:, None], seen])
            annotations.append({
                "id": len(annotations) + 1, "image_id": number, "category_id": 3, "iscrowd": 0,
                "bbox": [*low.round(2).tolist(), *(high - low).round(2).tolist()],
                "keypoints": keypoints.ravel().tolist(), "num_keypoints": int((seen > 0).sum()),
            })  # fmt: skip
        # A box of something without keypoints, as such files have them.
        annotations.append(
            {"id": len(annotations) + 1, "image_id": number, "category_id": 1, "bbox": [1, 1, 9, 9]}
        )
        name = f"{folder}/{number:04}.png"
        if grey:
            canvas = cv2.cvtColor(cv2.cvtColor(canvas, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        assert cv2.imwrite(str(root / "images" / name), canvas)
        images.append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
    categories = [{"id": 1, "name": "cone"}, {"id": 3, "name": "excavator", "keypoints": list(names)}]
    tree = {"images": images, "annotations": annotations, "categories": categories}
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(json.dumps(tree), encoding="utf-8")


def make_excavators(root: Path, source=40, target=30, test=12) -> Path:
    of_source = {name: {v: k for k, v in SAME.items()}.get(name, name) for name in SOURCE_JOINTS}
    own = {name: name for name in JOINTS}
    make_set(root / "source", "train.json", "a", of_source, source, seed=1, grey=True)
    make_set(root / "target", "annotations/train.json", "train", own, target, seed=2)
    make_set(root / "target", "annotations/test.json", "test", own, test, seed=3)
    return root


if __name__ == "__main__":
    print(make_excavators(Path(sys.argv[1])))
