"""Write a keypoint annotation file as large as COCO's train2017, with random people and empty image files.

    python benchmarks/big_coco.py FOLDER [--images 118287] [--people 262465] [--labelled 149813] [--seed 0]

The file has all of COCO's fields, including polygons, so that reading it costs the same (240 MB).
The images are empty files, since readers only check that they exist.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.dataset.coco_file import annotation_file
from lib.dataset.keypoints import COCO_KEYPOINTS

SET = "train2017"
IMAGES, PEOPLE, LABELLED = 118_287, 262_465, 149_813
CROWDS = 0.01  # share of crowds, with run-length masks, among the people without keypoints
CORNERS = 35  # of a polygon, on average; gives 240 MB at COCO's size
CHUNK = 10_000  # annotations in memory at once


def write_big_coco(
    root: Path, images: int = IMAGES, people: int = PEOPLE, labelled: int = LABELLED, seed: int = 0
) -> Path:
    """Write COCO's layout below ``root``; the same seed gives the same file.

    Args:
        images, people: their numbers.
        labelled: number of people with keypoints.

    Returns:
        The path of the annotation file.
    """
    rng = np.random.default_rng(seed)
    folder = root / "images" / SET
    folder.mkdir(parents=True, exist_ok=True)
    image_ids = np.sort(rng.choice(np.arange(1, 5 * images), images, replace=False))
    sizes = np.where(rng.random(images) < 0.7, 0, 1)[:, None] * np.array([-160, 160]) + np.array([640, 480])
    of_image = rng.integers(0, images, people)
    has_keypoints = np.zeros(people, bool)
    has_keypoints[rng.choice(people, labelled, replace=False)] = True

    path = annotation_file(root, SET)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(
            '{"info":{"description":"random people, made to measure readers","year":2017},"licenses":[],'
        )
        file.write('"images":')
        _write_list(file, [[_image(int(i), *size.tolist()) for i, size in zip(image_ids, sizes)]])
        file.write(',"annotations":')
        starts = range(0, people, CHUNK)
        _write_list(
            file,
            (
                _people(rng, start, image_ids, sizes, of_image[start : start + CHUNK], has_keypoints)
                for start in starts
            ),
        )
        file.write(f',"categories":{json.dumps([_category()])}}}')
    for number in image_ids:
        (folder / f"{number:012}.jpg").touch()
    return path


def _write_list(file, chunks) -> None:
    file.write("[")
    for number, entries in enumerate(chunks):
        file.write("," if number else "")
        file.write(json.dumps(entries, separators=(",", ":"))[1:-1])
    file.write("]")


def _image(number: int, width: int, height: int) -> dict:
    name = f"{number:012}.jpg"
    return {
        "license": number % 8, "file_name": name, "coco_url": f"http://images.cocodataset.org/{SET}/{name}",
        "height": height, "width": width, "date_captured": "2013-11-14 17:02:52",
        "flickr_url": f"http://farm9.staticflickr.com/8186/{number:010}_f9a8d2a6f5_z.jpg", "id": number,
    }  # fmt: skip


def _category() -> dict:
    return {"supercategory": "person", "id": 1, "name": "person", "keypoints": COCO_KEYPOINTS, "skeleton": []}


def _people(rng, start: int, image_ids, sizes, of_image, has_keypoints) -> list[dict]:
    """The annotations from number ``start`` on."""
    count = len(of_image)
    image = sizes[of_image]
    side = image * rng.uniform(0.05, 0.9, (count, 2))
    corner = np.round((image - side) * rng.random((count, 2)), 2)
    side = np.round(side, 2)
    inside = corner[:, None] + side[:, None] * rng.random((count, len(COCO_KEYPOINTS), 2))
    visibility = rng.choice(3, (count, len(COCO_KEYPOINTS)), p=(0.35, 0.1, 0.55))
    visibility[:, 0] = 2
    visibility[~has_keypoints[start : start + count]] = 0
    keypoints = np.concatenate([inside.astype(int), visibility[..., None]], axis=2)
    keypoints[visibility == 0] = 0
    corners = rng.integers(CORNERS // 2, CORNERS * 3 // 2 + 1, count)
    crowd = ~has_keypoints[start : start + count] & (rng.random(count) < CROWDS)
    annotations = []
    for i in range(count):
        if crowd[i]:
            outline = {"counts": rng.integers(1, 300, 200).tolist(), "size": image[i, ::-1].tolist()}
        else:
            points = corner[i] + side[i] * rng.random((corners[i], 2))
            outline = [[round(value, 2) for value in points.ravel().tolist()]]
        annotations.append({
            "segmentation": outline, "num_keypoints": int((visibility[i] > 0).sum()),
            "area": round(float(side[i].prod()) * 0.53, 5), "iscrowd": int(crowd[i]),
            "keypoints": keypoints[i].ravel().tolist(), "image_id": int(image_ids[of_image[i]]),
            "bbox": [*corner[i].tolist(), *side[i].tolist()], "category_id": 1, "id": 100_000 + start + i,
        })  # fmt: skip
    return annotations


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--labelled", type=int, default=LABELLED)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    path = write_big_coco(options.folder, options.images, options.people, options.labelled, options.seed)
    print(f"{path}: {path.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
