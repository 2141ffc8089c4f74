"""Removes the ignored keypoints from a COCO annotation file."""

import numpy as np

from lib.dataset.annotations import Annotations
from lib.ignoring.weight_table import index_by_id


def ignored_keypoints(weights: np.ndarray, visible: np.ndarray, threshold: float) -> np.ndarray:
    """[N, J] true for labelled keypoints (``visible`` > 0) with a weight below ``threshold``."""
    return (visible > 0) & (weights < threshold)


def remove_keypoints(content: dict, annotations: Annotations, dropped: np.ndarray) -> dict:
    """Return a copy of a COCO file with the ``dropped`` labels set to x, y, v = 0.

    ``num_keypoints`` is recounted. Labels that differ from the file's (LBI.INJECT_NOISE) replace
    them; everything else is unchanged.

    Args:
        content: The parsed file, already checked by `read_coco`.
        annotations: The annotations that the run was trained on.
        dropped: [N, J] true for the labels to remove.

    Raises:
        InputError: Two annotations have the same id.
    """
    instances = index_by_id(annotations)
    mapping = annotations.mapping
    # Pairs of the network's joint and the file's keypoint; other keypoints of the file stay as they are.
    labelled_joints = [(j, mapping.index[j]) for j in mapping.labelled]

    def clean(annotation: dict) -> dict:
        i = instances.get(annotation.get("id"))
        if i is None or annotation.get("iscrowd", 0):
            return annotation
        keypoints = list(annotation["keypoints"])
        for j, k in labelled_joints:
            xyv = slice(3 * k, 3 * k + 3)
            if dropped[i, j]:
                keypoints[xyv] = [0, 0, 0]
            else:
                keypoints[xyv] = _training_label(keypoints[xyv], annotations, i, j)
        if keypoints == annotation["keypoints"]:
            return annotation
        count = sum(v > 0 for v in keypoints[2::3])
        return annotation | {"keypoints": keypoints, "num_keypoints": count}

    return content | {"annotations": [clean(annotation) for annotation in content["annotations"]]}


def _training_label(label: list, annotations: Annotations, i: int, j: int) -> list:
    """[x, y, v] of joint j of instance i as trained on; ``label`` from the file if it is the same."""
    x, y, v = label
    if not annotations.visible[i, j]:
        return [0, 0, 0] if v else label
    # Compared as float32, the precision of Annotations, so that unchanged labels keep the file's digits.
    if v and np.array_equal(np.array([x, y], np.float32), annotations.joints[i, j]):
        return label
    return [*(round(float(coordinate), 2) for coordinate in annotations.joints[i, j]), v or 2]
