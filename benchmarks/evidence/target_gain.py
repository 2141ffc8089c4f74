"""How well runs do on the target's test people, person by person: PCK@0.1 of the box, and PCKh@0.5."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.real_ground import read_people
from lib.dataset.annotations import Annotations, read_json
from lib.evaluation.pck import normalized_errors
from lib.utils.errors import InputError

PCK, PCKH = "PCK@0.1", "PCKh@0.5"
HEAD = ("neck", "head_top")
PREDICTIONS = "keypoints_results.json"


@dataclass(frozen=True)
class MeasuredPeople:
    """The N test people.

    annotations: with the network's joints; one person in an image.
    heads: [N] pixels from MPII's upper neck to the top of the head; NaN where one of the two has no label.
    """

    annotations: Annotations
    heads: np.ndarray

    @property
    def headless(self) -> int:
        """The number of people who do not count in PCKh."""
        return int(np.isnan(self.heads).sum())


def read_heads(path: Path, ids: np.ndarray) -> np.ndarray:
    """[N] distances from neck to head top of the annotations ``ids``, see `MeasuredPeople`.

    Args:
        path: file in COCO's format with these joints.
    """
    tree = read_people(path)
    try:
        names = tree["categories"][0]["keypoints"]
        columns = [names.index(name) for name in HEAD]
        of_person = {person["id"]: np.array(person["keypoints"], float).reshape(-1, 3)[columns] for person in tree["annotations"]}  # fmt: skip
        ends = np.stack([of_person[number] for number in ids.tolist()])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{path}: expected {' and '.join(HEAD)} of every test person ({error})") from None
    lengths = np.linalg.norm(ends[:, 0, :2] - ends[:, 1, :2], axis=1)
    return np.where((ends[..., 2] > 0).all(axis=1) & (lengths > 0), lengths, np.nan)


def read_predictions(folder: Path, annotations: Annotations) -> np.ndarray:
    """[N, J, 2] what the finished run in ``folder`` predicts for its test people.

    Raises:
        InputError: a prediction is missing, or there are several people in an image.
    """
    path = folder / PREDICTIONS
    images = annotations.image_ids.tolist()
    if len(set(images)) < len(images):
        raise InputError(f"{path}: several test people are in one image, expected one")
    joints = annotations.visible.shape[1]
    try:
        found = {entry["image_id"]: entry["keypoints"] for entry in read_json(path)}
        points = np.array([found[image] for image in images], float).reshape(len(images), joints, 3)
    except (KeyError, TypeError, ValueError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: expected {joints} keypoints for each of {len(images)} images ({error})") from None  # fmt: skip
    return points[..., :2]


def accuracies(predicted: np.ndarray, people: MeasuredPeople, weights: np.ndarray) -> dict[str, np.ndarray]:
    """PCK@0.1, the mean over joints, and PCKh@0.5, over all labels, in percent, on every resample of the people.

    Args:
        predicted: [N, J, 2].
        weights: [1 + R, N], see `resampling.people_weights`.

    Returns:
        {measure: [1 + R]}.
    """
    truth, labelled = people.annotations.joints, people.annotations.visible > 0
    near = (normalized_errors(predicted, truth, people.annotations.box_sizes) <= 0.1) & labelled
    counts = weights @ labelled.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        of_joint = weights @ near.astype(np.float64) / counts
        with_head = labelled & ~np.isnan(people.heads)[:, None]
        hit = (normalized_errors(predicted, truth, people.heads) <= 0.5) & with_head
        pckh = (weights @ hit.sum(axis=1).astype(np.float64)) / (weights @ with_head.sum(axis=1).astype(np.float64))  # fmt: skip
    # A joint that nobody has in a resample does not count in its mean.
    known = ~np.isnan(of_joint)
    pck = np.where(known, of_joint, 0).sum(axis=1) / known.sum(axis=1)
    return {PCK: 100 * pck, PCKH: 100 * pckh}
