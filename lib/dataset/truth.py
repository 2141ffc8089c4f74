"""Which source labels are wrong, where that is known: a truth file beside the annotations."""

import json
from pathlib import Path

import numpy as np

from lib.core.errors import InputError
from lib.dataset.annotations import Annotations
from lib.dataset.coco import annotation_file
from lib.dataset.keypoints import COCO_KEYPOINTS


def truth_file(root: str | Path, image_set: str) -> Path:
    """Where the right labels of a COCO-layout set lie."""
    path = annotation_file(root, image_set)
    return path.with_name(f"{path.stem}_truth.json")


def read_truth(path) -> dict:
    """Read the right labels that lie beside a noisy annotation file.

    The file is {"noise": str, "seed": int, "annotations": {id: {"keypoints": [51 numbers, as in COCO],
    "wrong": [17 booleans, whether the noisy label differs]}}}.
    Returns the same with integer ids, keypoints [17, 3] float and wrong [17] bool. Raises InputError.
    """
    try:
        content = json.loads(Path(path).read_text())
        annotations = content["annotations"].items()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise InputError(f"{path}: expected JSON with the key 'annotations', {{id: ...}}") from None
    if not {"noise", "seed"} <= content.keys():
        raise InputError(
            f"{path}: expected the keys 'noise', 'seed' and 'annotations', found {sorted(content)}"
        )
    truth, joints = {}, len(COCO_KEYPOINTS)
    for number, label in annotations:
        try:
            keypoints = np.array(label["keypoints"], dtype=float).reshape(joints, 3)
            wrong = np.array(label["wrong"]).reshape(joints)
            truth[int(number)] = {"keypoints": keypoints, "wrong": wrong.astype(bool)}
        except (ValueError, TypeError, KeyError):
            raise InputError(
                f"{path}: annotation {number}: expected 'keypoints' of {3 * joints} numbers "
                f"and 'wrong' of {joints} booleans"
            ) from None
    return {"noise": content["noise"], "seed": content["seed"], "annotations": truth}


def wrong_labels(root: str | Path, image_set: str, people: Annotations) -> np.ndarray | None:
    """[N, J] true where the label of a COCO-layout set is wrong; None where nobody knows."""
    return _of_everyone("wrong", root, image_set, people)


def right_labels(root: str | Path, image_set: str, people: Annotations) -> np.ndarray | None:
    """[N, J, 2] where the joints of a COCO-layout set really are, in pixels; None where nobody knows."""
    keypoints = _of_everyone("keypoints", root, image_set, people)
    return None if keypoints is None else keypoints[..., :2]


def _of_everyone(field: str, root: str | Path, image_set: str, people: Annotations) -> np.ndarray | None:
    path = truth_file(root, image_set)
    if people.mapping.dataset != "coco" or not path.exists():
        return None
    truth = read_truth(path)["annotations"]
    try:
        values = np.array([truth[number][field] for number in people.ids.tolist()])
    except KeyError as number:
        raise InputError(f"{path}: has no annotation {number}") from None
    return values[:, list(people.mapping.index)]
