"""Drawn people in MPII's layout: annotation lists and the file of its evaluation, ``gt_valid.mat``.

Coordinates in these files are 1-based, as in MATLAB.
"""

import io
import json
import math
from pathlib import Path
from typing import Any, cast

import numpy as np
import scipy.io

from lib.dataset.keypoints import MPII_KEYPOINTS
from lib.dataset.mpii_truth import HEAD_PER_BOX_DIAGONAL, HEAD_PER_SCALE, JOINTS_IN_MAT
from lib.synthetic.drawing import FIGURE_JOINTS, DrawnImage, Person, people_of
from lib.utils.files import write_text


def mpii_annotations(images: list[DrawnImage]) -> list[dict]:
    """Entries of an MPII annotation file in SimpleBaseline's JSON format, one for each person.

    Readers move the centre down by 15 * scale (SimpleBaseline's mpii.py). It is written higher by as much, so
    that they get the middle of the box.
    """
    entries = []
    for image, person in people_of(images):
        joints, inside = _joints_of(image, person)
        left, top, width, height = person.box
        scale = _scale(person)
        centre = [left + width / 2 + 1, top + height / 2 + 1 - 15 * scale]
        entries.append(
            {
                "joints_vis": inside.astype(int).tolist(),
                "joints": np.where(inside[:, None], joints, -1.0).tolist(),
                "image": image.file_name,
                "scale": round(scale, 6),
                "center": [round(number, 3) for number in centre],
            }
        )
    return entries


def write_mpii(path: Path, images: list[DrawnImage]) -> None:
    """Write an MPII annotation file."""
    write_text(path, json.dumps(mpii_annotations(images)))


def write_gt_valid(path: Path, images: list[DrawnImage]) -> None:
    """Write ``gt_valid.mat``, the ground truth of MPII's evaluation.

    Its arrays, with the N people on the last axis: jnt_missing [16, N], pos_gt_src [16, 2, N] (0 where a
    joint is missing) and headboxes_src [2, 2, N].
    """
    people = people_of(images)
    joints, inside = (
        np.stack(arrays, axis=-1) for arrays in zip(*(_joints_of(image, person) for image, person in people))
    )
    names = np.empty((1, len(JOINTS_IN_MAT)), dtype=object)
    names[0] = JOINTS_IN_MAT
    buffer = io.BytesIO()
    scipy.io.savemat(
        cast(Any, buffer),  # scipy's stubs know no open files
        {
            "dataset_joints": names,
            "jnt_missing": (~inside).astype(np.uint8),
            "pos_gt_src": np.where(inside[:, None], joints, 0.0),
            "headboxes_src": np.stack([_head_box(person) for _, person in people], axis=-1),
        },
        do_compression=True,
    )
    # The first 116 bytes are a comment with the date; a constant one makes the file reproducible.
    path.write_bytes(b"MATLAB 5.0 MAT-file, drawn people".ljust(116) + buffer.getvalue()[116:])


def _joints_of(image: DrawnImage, person: Person) -> tuple[np.ndarray, np.ndarray]:
    """Joints [16, 2], 1-based, and whether each lies in the image, [16] bool."""
    joints = person.joints[[FIGURE_JOINTS.index(name) for name in MPII_KEYPOINTS]].round(2)
    return joints + 1, image.contains(joints)


def _scale(person: Person) -> float:
    """MPII's scale: the longer side of the person's box in units of 200 pixels."""
    return max(person.box[2:]) / 200


def _head_box(person: Person) -> np.ndarray:
    """Two corners [2, 2], 1-based, of a square around the head whose size gives PCKh's unit of length.

    The unit is 0.6 times the diagonal of the box. In MPII it is the head's size, an eighth of the stature: 25
    times a scale that does not depend on the pose. Here ``scale`` is the box's, for crops as tight as COCO's.
    """
    neck, top = (person.joints[FIGURE_JOINTS.index(name)] for name in ("upper_neck", "head_top"))
    half = HEAD_PER_SCALE * person.stature / 200 / (HEAD_PER_BOX_DIAGONAL * math.sqrt(2)) / 2
    return (neck + top) / 2 + 1 + np.array([[-half], [half]])
