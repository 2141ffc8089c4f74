"""Which source labels are wrong, where that is known: a truth file beside the annotations, or a run's own."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.dataset.annotations import Annotations, numbers, read_json
from lib.dataset.coco import annotation_file
from lib.dataset.keypoints import COCO_KEYPOINTS
from lib.utils.errors import InputError
from lib.utils.files import write_text


@dataclass(frozen=True)
class Truth:
    """right: [N, J, 2] where the joints really are, in pixels; NaN where no right label is known.
    wrong: [N, J] true where the label at hand differs."""

    right: np.ndarray
    wrong: np.ndarray


def truth_file(root: str | Path, image_set: str) -> Path:
    """Where the right labels of COCO's ``image_set`` lie."""
    return file_beside(annotation_file(root, image_set))


def file_beside(annotations: Path) -> Path:
    """Where the right labels of the COCO-layout file ``annotations`` lie."""
    return annotations.with_name(f"{annotations.stem}_truth.json")


def read_truth(path, joints: int = len(COCO_KEYPOINTS)) -> dict:
    """Read the right labels that lie beside a noisy annotation file, of objects with K = ``joints`` keypoints.

    The file is {"noise": str, "seed": int, "annotations": {id: {"keypoints": [3 K numbers, as in COCO],
    "wrong": [K booleans, whether the noisy label differs]}}}.
    Returns the same with integer ids, keypoints [K, 3] float and wrong [K] bool. Raises InputError.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("annotations"), dict):
        raise InputError(f"{path}: expected JSON with the key 'annotations', {{id: ...}}")
    if not {"noise", "seed"} <= content.keys():
        raise InputError(
            f"{path}: expected the keys 'noise', 'seed' and 'annotations', found {sorted(content)}"
        )
    truth = {}
    for number, label in content["annotations"].items():
        where = f"{path}: annotation {number:.80}"
        try:
            key, keypoints, wrong = int(number), label["keypoints"], label["wrong"]
        except (ValueError, TypeError, KeyError):
            raise InputError(f"{where}: expected a whole number, with 'keypoints' and 'wrong'") from None
        if not isinstance(wrong, list) or len(wrong) != joints or not all(w in (0, 1) for w in wrong):
            raise InputError(f"{where}: 'wrong' should be {joints} booleans, found {wrong!r:.80}")
        keypoints = numbers(keypoints, (3 * joints,), where, "keypoints").reshape(joints, 3)
        truth[key] = {"keypoints": keypoints, "wrong": np.array(wrong, bool)}
    return {"noise": content["noise"], "seed": content["seed"], "annotations": truth}


def write_truth(
    path: str | Path, noise: str, seed: int, ids: Iterable[int], keypoints: np.ndarray, wrong: np.ndarray
) -> None:
    """Write what ``read_truth`` reads: right labels ``keypoints`` [N, K, 3] and ``wrong`` [N, K]."""
    labels = {
        int(number): {"keypoints": right.ravel().tolist(), "wrong": changed.tolist()}
        for number, right, changed in zip(ids, keypoints, wrong)
    }
    write_text(path, json.dumps({"noise": noise, "seed": seed, "annotations": labels}))


def write_truth_of(path: str | Path, noise: str, seed: int, people: Annotations, truth: Truth) -> None:
    """Write the truth of ``people`` of a COCO-layout set.

    Visibility is 2 where the right label is known and 0 elsewhere, so also for the set's keypoints that
    are not among the joints of ``people``.
    """
    mapping = people.mapping
    keypoints = np.zeros((len(people), len(mapping.own), 3))
    wrong = np.zeros(keypoints.shape[:2], bool)
    known = np.isfinite(truth.right).all(axis=2, keepdims=True)
    right = np.where(known, np.concatenate([truth.right, 2.0 * known], axis=2), 0)
    index = [mapping.index[j] for j in mapping.labelled]
    keypoints[:, index] = right[:, mapping.labelled]
    wrong[:, index] = truth.wrong[:, mapping.labelled]
    write_truth(path, noise, seed, people.ids, keypoints, wrong)


def truth_beside(annotations: Path, people: Annotations) -> Truth | None:
    """The truth beside the COCO-layout file ``annotations``; None where nobody knows it."""
    path = file_beside(annotations)
    return read_truth_of(path, people) if path.exists() else None


def read_truth_of(path: str | Path, people: Annotations) -> Truth:
    """The truth in the file ``path``, for these ``people``. Raises InputError where one is not in it."""
    mapping = people.mapping
    truth = read_truth(path, len(mapping.own))["annotations"]
    try:
        labels = [truth[number] for number in people.ids.tolist()]
    except KeyError as number:
        raise InputError(f"{path}: has no annotation {number}") from None
    right = np.full((len(people), len(mapping.names), 2), np.nan)
    wrong = np.zeros(right.shape[:2], bool)
    index = [mapping.index[j] for j in mapping.labelled]
    points = np.array([label["keypoints"] for label in labels])[:, index]
    right[:, mapping.labelled] = np.where(points[..., 2:] > 0, points[..., :2], np.nan)
    wrong[:, mapping.labelled] = np.array([label["wrong"] for label in labels])[:, index]
    return Truth(right, wrong)
