"""A source's annotation file without the keypoints that a run has learned to ignore."""

import numpy as np

from lib.dataset.annotations import Annotations
from lib.ignoring.weight_table import index_by_id


def ignored(weights: np.ndarray, visible: np.ndarray, threshold: float) -> np.ndarray:
    """[N, J] true where a labelled keypoint's weight is below ``threshold``."""
    return (visible > 0) & (weights < threshold)


def cleaned(tree: dict, people: Annotations, dropped: np.ndarray) -> dict:
    """A copy of the COCO file ``tree`` (checked by read_coco) with the ``dropped`` [N, J] labels of
    ``people`` taken out: x, y and v 0, ``num_keypoints`` counted again.

    Labels of ``people`` that are not those of the file (LBI.INJECT_NOISE) replace the file's.
    All else is as it was. Raises InputError where two annotations have the same id.
    """
    position = index_by_id(people)
    index = people.mapping.index
    read = [(j, index[j]) for j in people.mapping.labelled]

    def without_dropped(annotation: dict) -> dict:
        i = position.get(annotation.get("id"))
        if i is None or annotation.get("iscrowd", 0):
            return annotation
        keypoints = list(annotation["keypoints"])
        for j, k in read:
            label = slice(3 * k, 3 * k + 3)
            keypoints[label] = [0, 0, 0] if dropped[i, j] else _trained_on(keypoints[label], people, i, j)
        if keypoints == annotation["keypoints"]:
            return annotation
        labelled = sum(state > 0 for state in keypoints[2::3])
        return annotation | {"keypoints": keypoints, "num_keypoints": labelled}

    return tree | {"annotations": [without_dropped(annotation) for annotation in tree["annotations"]]}


def _trained_on(label: list, people: Annotations, i: int, j: int) -> list:
    """x, y, v of joint j of person i: the file's own ``label`` where it is the one trained on."""
    x, y, state = label
    if not people.visible[i, j]:
        return [0, 0, 0] if state else label
    if state and np.array_equal(np.array([x, y], np.float32), people.joints[i, j]):
        return label
    return [*(round(float(side), 2) for side in people.joints[i, j]), state or 2]
