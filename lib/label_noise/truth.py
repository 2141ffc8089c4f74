"""Ground truth about label noise: which source labels are wrong, and where the joints really are.

It is read from a file beside the annotations or, for injected noise, from the run's own folder.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.dataset.annotations import Annotations, numbers, read_json
from lib.dataset.coco_file import annotation_file
from lib.dataset.keypoints import COCO_KEYPOINTS
from lib.utils.errors import InputError, short_repr
from lib.utils.files import write_text


@dataclass(frozen=True)
class Truth:
    """What is known about the labels of N instances with J joints each.

    clean_joints: [N, J, 2] true positions in pixels; NaN where no clean label is known.
    corrupted: [N, J] bool, true where the label at hand is wrong.
    """

    clean_joints: np.ndarray
    corrupted: np.ndarray


def truth_file(root: str | Path, image_set: str) -> Path:
    """Path of the clean labels of COCO's ``image_set``."""
    return file_beside(annotation_file(root, image_set))


def file_beside(annotation_path: Path) -> Path:
    """Path of the clean labels of an annotation file in COCO's layout: NAME.json -> NAME_truth.json."""
    return annotation_path.with_name(f"{annotation_path.stem}_truth.json")


def read_truth(path: str | Path, joints: int = len(COCO_KEYPOINTS)) -> dict:
    """Read a truth file.

    The file is {"noise": str, "seed": int, "annotations": {id: {"keypoints": [3 K numbers, as in COCO],
    "wrong": [K booleans, whether the noisy label differs]}}}.

    Args:
        path: the file.
        joints: K, the number of keypoints of each annotation.

    Returns:
        The file's content with integer ids, keypoints as [K, 3] float and wrong as [K] bool arrays.

    Raises:
        InputError: if the file cannot be read or differs from this format.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("annotations"), dict):
        raise InputError(f"{path}: expected JSON with the key 'annotations', {{id: ...}}")
    if not {"noise", "seed"} <= content.keys():
        raise InputError(
            f"{path}: expected the keys 'noise', 'seed' and 'annotations', found {sorted(content)}"
        )
    labels = {}
    for number, label in content["annotations"].items():
        where = f"{path}: annotation {number:.80}"
        try:
            key, keypoints, wrong = int(number), label["keypoints"], label["wrong"]
        except (ValueError, TypeError, KeyError):
            raise InputError(f"{where}: expected an integer id with 'keypoints' and 'wrong'") from None
        if not isinstance(wrong, list) or len(wrong) != joints or not all(w in (0, 1) for w in wrong):
            raise InputError(f"{where}: 'wrong' should be {joints} booleans, found {short_repr(wrong)}")
        keypoints = numbers(keypoints, (3 * joints,), where, "keypoints").reshape(joints, 3)
        labels[key] = {"keypoints": keypoints, "wrong": np.array(wrong, bool)}
    return {"noise": content["noise"], "seed": content["seed"], "annotations": labels}


def write_truth(
    path: str | Path, noise: str, seed: int, ids: Iterable[int], keypoints: np.ndarray, wrong: np.ndarray
) -> None:
    """Write a file that ``read_truth`` reads.

    Args:
        path: the file.
        noise, seed: what the labels were corrupted with.
        ids: N annotation ids.
        keypoints: [N, K, 3] clean labels as in COCO.
        wrong: [N, K] bool, whether the noisy label differs.
    """
    labels = {
        int(number): {"keypoints": clean.ravel().tolist(), "wrong": differs.tolist()}
        for number, clean, differs in zip(ids, keypoints, wrong)
    }
    write_text(path, json.dumps({"noise": noise, "seed": seed, "annotations": labels}))


def write_truth_of(path: str | Path, noise: str, seed: int, annotations: Annotations, truth: Truth) -> None:
    """Write the ``truth`` of ``annotations`` that were read from a file in COCO's layout.

    Visibility is 2 where the clean label is known. It is 0 elsewhere, also for keypoints of the data set
    that are not among the joints of ``annotations``.
    """
    mapping = annotations.mapping
    keypoints = np.zeros((len(annotations), len(mapping.own), 3))
    wrong = np.zeros(keypoints.shape[:2], bool)
    known = np.isfinite(truth.clean_joints).all(axis=2, keepdims=True)
    clean = np.where(known, np.concatenate([truth.clean_joints, 2.0 * known], axis=2), 0)
    # From the network's joints to the data set's own keypoints.
    index = [mapping.index[j] for j in mapping.labelled]
    keypoints[:, index] = clean[:, mapping.labelled]
    wrong[:, index] = truth.corrupted[:, mapping.labelled]
    write_truth(path, noise, seed, annotations.ids, keypoints, wrong)


def truth_beside(annotation_path: Path, annotations: Annotations) -> Truth | None:
    """The truth of ``annotations`` from the file beside theirs, None if there is no such file."""
    path = file_beside(annotation_path)
    return read_truth_of(path, annotations) if path.exists() else None


def read_truth_of(path: str | Path, annotations: Annotations) -> Truth:
    """Read the truth of ``annotations`` from a truth file.

    Raises:
        InputError: as ``read_truth``, and if an annotation is not in the file.
    """
    mapping = annotations.mapping
    by_id = read_truth(path, len(mapping.own))["annotations"]
    try:
        labels = [by_id[number] for number in annotations.ids.tolist()]
    except KeyError as number:
        raise InputError(f"{path}: has no annotation {number}") from None
    clean_joints = np.full((len(annotations), len(mapping.names), 2), np.nan)
    corrupted = np.zeros(clean_joints.shape[:2], bool)
    # From the data set's own keypoints to the network's joints; those without a keypoint have no clean label.
    index = [mapping.index[j] for j in mapping.labelled]
    keypoints = np.array([label["keypoints"] for label in labels])[:, index]
    clean_joints[:, mapping.labelled] = np.where(keypoints[..., 2:] > 0, keypoints[..., :2], np.nan)
    corrupted[:, mapping.labelled] = np.array([label["wrong"] for label in labels])[:, index]
    return Truth(clean_joints, corrupted)
