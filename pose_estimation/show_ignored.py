"""Draw the most ignored source keypoints of a run on their pictures.

    python pose_estimation/show_ignored.py output/coco_to_mpii/pose_resnet_18/people/ours1 --output ignored.png

Thin skeleton: the person's labels. Red ring: the ignored label, with its joint and weight.
Green cross: where the joint really is, for data whose truth is known.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.core.data import source_of_run
from lib.core.errors import InputError
from lib.dataset.annotations import Annotations
from lib.dataset.crop import apply_matrix, crop_matrix
from lib.dataset.pictures import read_picture
from lib.dataset.truth import Truth
from lib.ignoring.ledger import read_ledger
from lib.utils.pictures import contact_sheet, draw_skeleton

CELL = 220  # pixels of one picture of the gallery
WRONG, RIGHT = (255, 40, 40), (60, 255, 60)


def most_ignored(weights: np.ndarray, people: Annotations, count: int) -> list[tuple[int, int]]:
    """(person, joint) of the labelled keypoints with the lowest weights, one for each person."""
    order = np.argsort(np.where(people.visible > 0, weights, np.inf), axis=None, kind="stable")
    chosen: dict[int, int] = {}
    for person, joint in zip(*np.unravel_index(order, weights.shape)):
        if len(chosen) == count:
            break
        if people.visible[person, joint]:
            chosen.setdefault(int(person), int(joint))
    return list(chosen.items())


def draw_cell(people: Annotations, person: int, joint: int, weight: float, truth: Truth | None) -> np.ndarray:
    side = people.sizes[person].max() * 1.1
    matrix = crop_matrix(people.centers[person], (side, side), (CELL, CELL))
    picture = read_picture(people.pictures[people.picture[person]])
    if picture is None:
        raise InputError(f"{people.pictures[people.picture[person]]}: cannot be read as a picture")
    crop = cv2.warpAffine(picture, matrix, (CELL, CELL), flags=cv2.INTER_LINEAR)
    joints = apply_matrix(matrix, people.joints[person])
    names = people.mapping.names
    crop = draw_skeleton(crop, joints, people.visible[person] > 0, names)
    cv2.circle(crop, tuple(int(v) for v in joints[joint]), 11, WRONG, 2, cv2.LINE_AA)
    if truth is not None and np.isfinite(truth.right[person, joint]).all():
        place = tuple(int(v) for v in apply_matrix(matrix, truth.right[person, joint]))
        cv2.drawMarker(crop, place, RIGHT, cv2.MARKER_TILTED_CROSS, 16, 3, cv2.LINE_AA)
    cv2.rectangle(crop, (0, CELL - 20), (CELL, CELL), (0, 0, 0), -1)
    text = f"{names[joint].replace('_', ' ')}: {weight:.2f}"
    cv2.putText(crop, text, (6, CELL - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return crop


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="output folder of a run that learned weights")
    parser.add_argument("--output", type=Path, default=Path("ignored.png"), help="picture to write")
    parser.add_argument("--rows", type=int, default=2)
    parser.add_argument("--columns", type=int, default=6)
    arguments = parser.parse_args(words)
    try:
        _, people, truth = source_of_run(arguments.run)
        weights = read_ledger(arguments.run / "ignoring_weights.csv", people)
        chosen = most_ignored(weights, people, arguments.rows * arguments.columns)
        cells = [draw_cell(people, i, j, weights[i, j], truth) for i, j in chosen]
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    cells += [np.zeros_like(cells[0])] * (arguments.rows * arguments.columns - len(cells))
    rows = [cells[i : i + arguments.columns] for i in range(0, len(cells), arguments.columns)]
    cv2.imwrite(str(arguments.output), contact_sheet(rows)[..., ::-1])
    print(arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
