"""Drawn fish with eight joints, in COCO's format; a part of the source's labels is wrong, and the file beside says which.

    python -m tests.factories.fish data/mine

The source's water is brown and its fish are paler than the target's.
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np

from lib.label_noise.truth import file_beside, write_truth

SHAPE = {
    "mouth": (-1.0, 0.05), "eye": (-0.7, -0.12), "gill": (-0.45, 0.1), "dorsal_fin": (0.0, -0.55),
    "belly_fin": (-0.05, 0.5), "tail_base": (0.75, 0.0), "tail_top": (1.15, -0.4), "tail_bottom": (1.15, 0.4),
}  # fmt: skip
JOINTS = tuple(SHAPE)
WIDTH, HEIGHT = 160, 120
MISTAKEN = (("dorsal_fin", "belly_fin"), ("tail_top", "tail_bottom"))
EXCHANGED = 0.25  # share of the fish in which the names of MISTAKEN are exchanged
MOVED = 0.2  # share of the other labels that are far from where they belong


def draw_fish(rng, canvas, middle, paleness):
    """Places [8, 2] of one that is drawn into ``canvas``."""
    length, facing, turn = rng.uniform(22, 30), rng.choice([-1, 1]), rng.uniform(-0.4, 0.4)
    shape = np.array(list(SHAPE.values())) * [1, rng.uniform(0.8, 1.2)] + rng.normal(0, 0.03, (len(SHAPE), 2))
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    places = middle + length * (shape * [facing, 1]) @ rotation.T
    at = {name: tuple(int(v) for v in place.round()) for name, place in zip(JOINTS, places)}

    back, belly = (rng.uniform(60, 150, 3) * (1 - paleness) + 200 * paleness for _ in range(2))
    angle = float(np.degrees(turn))
    center = tuple(int(v) for v in middle.round())
    for name in ("dorsal_fin", "belly_fin"):
        fin = np.array([at["gill"], at[name], at["tail_base"]], np.int32)
        cv2.fillPoly(canvas, [fin], (back * (1.2 if name == "dorsal_fin" else 0.6)).tolist())
    tail = np.array([at["tail_base"], at["tail_top"], at["tail_bottom"]], np.int32)
    cv2.fillPoly(canvas, [tail], (back * 0.8).tolist())
    cv2.ellipse(canvas, center, (int(0.85 * length), int(0.36 * length)), angle, 0, 360, belly.tolist(), -1)
    cv2.ellipse(canvas, center, (int(0.85 * length), int(0.36 * length)), angle, 180, 360, back.tolist(), -1)
    cv2.line(canvas, at["mouth"], at["eye"], (40, 40, 200), 2)
    cv2.circle(canvas, at["eye"], 3, (250, 250, 250), -1)
    cv2.circle(canvas, at["eye"], 1, (0, 0, 0), -1)
    cv2.circle(canvas, at["gill"], 4, (back * 0.4).tolist(), 1)
    return places


def make_wrong(rng, places, box):
    """A copy of ``places`` [8, 2] with some wrong, and which are, [8]."""
    noisy, wrong = places.copy(), np.zeros(len(places), bool)
    if rng.random() < EXCHANGED:
        for pair in MISTAKEN:
            index = [JOINTS.index(name) for name in pair]
            noisy[index], wrong[index] = places[index[::-1]], True
    moved = ~wrong & (rng.random(len(places)) < MOVED)
    angle, distance = (
        rng.uniform(0, 2 * np.pi, len(places)),
        rng.uniform(0.25, 0.6, len(places)) * max(box[2:]),
    )
    away = places + distance[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    low, high = np.array(box[:2]), np.array(box[:2]) + box[2:]
    noisy[moved] = np.clip(away, low, high)[moved]
    return noisy, wrong | moved


def make_set(root: Path, file: str, folder: str, count: int, seed: int, source: bool = False) -> None:
    """Write ``root/file`` and its images in ``root/images/folder``: ``count`` fish, two to an image."""
    rng = np.random.default_rng(seed)
    images, annotations, clean, wrong = [], [], [], []
    (root / "images" / folder).mkdir(parents=True, exist_ok=True)
    for number in range(1, count // 2 + 1):
        water = rng.uniform(60, 130, (4, 5, 3)) * ([0.8, 1, 1.1] if source else [1.3, 1.1, 0.8])
        canvas = cv2.resize(water.clip(0, 255).astype(np.float32), (WIDTH, HEIGHT)).astype(np.uint8)
        for side in (0, 1):
            middle = np.array([WIDTH * (0.27 + 0.46 * side), HEIGHT / 2]) + rng.uniform(-6, 6, 2)
            places = draw_fish(rng, canvas, middle, 0.4 if source else 0.0)
            low, high = places.min(axis=0) - 3, places.max(axis=0) + 3
            box = [*low.tolist(), *(high - low).tolist()]
            seen = np.where(rng.random(len(JOINTS)) < 0.95, 2, 0)
            noisy, is_wrong = (
                make_wrong(rng, places, box) if source else (places, np.zeros(len(JOINTS), bool))
            )
            keypoints = [np.column_stack([xy.round(2) * (seen > 0)[:, None], seen]) for xy in (noisy, places)]
            clean.append(keypoints[1])
            wrong.append(is_wrong & (seen > 0))
            annotations.append({
                "id": len(annotations) + 1, "image_id": number, "category_id": 1, "iscrowd": 0, "bbox": box,
                "area": box[2] * box[3], "keypoints": keypoints[0].ravel().tolist(), "num_keypoints": int((seen > 0).sum()),
            })  # fmt: skip
        name = f"{folder}/{number:04}.png"
        assert cv2.imwrite(str(root / "images" / name), canvas)
        images.append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
    categories = [{"id": 1, "name": "fish", "keypoints": list(JOINTS)}]
    tree = {"images": images, "annotations": annotations, "categories": categories}
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(json.dumps(tree), encoding="utf-8")
    if source:
        ids = [annotation["id"] for annotation in annotations]
        write_truth(file_beside(root / file), "fish", seed, ids, np.array(clean), np.array(wrong))


def make_fish(root: Path, source=300, target=60, test=40, seed=0) -> Path:
    make_set(root / "source", "train.json", "a", source, 10 * seed + 1, source=True)
    make_set(root / "target", "annotations/train.json", "train", target, 10 * seed + 2)
    make_set(root / "target", "annotations/test.json", "test", test, 10 * seed + 3)
    return root


if __name__ == "__main__":
    print(make_fish(Path(sys.argv[1])))
