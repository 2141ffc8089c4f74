"""Selects the most suspect labels, and deletes, hides or weights them in a COCO annotation file."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lib.dataset.annotations import Annotations
from lib.ignoring.ranking import ranked_keypoints
from lib.ignoring.weight_table import WeightTable, index_by_id
from lib.utils.errors import InputError

WEIGHTS_KEY = "keypoint_weights"  # of an annotation: one weight for each of its keypoints
# Of one joint's labels that may be taken (more if more of all labels may), if it has so many that this is no chance.
JOINT_SHARE, JOINT_LABELS = 0.5, 10


@dataclass(frozen=True)
class Selection:
    """Which labels to take: exactly one of the three is not None.

    threshold: those with a lower weight.
    share: this share of the labelled keypoints, in [0, 1]; the most suspect first.
    count: this many; the most suspect first.
    """

    threshold: float | None = None
    share: float | None = None
    count: int | None = None

    def select(self, table: WeightTable, annotations: Annotations) -> np.ndarray:
        """[N, J] bool, the labels to take. Those of no batch are kept: nothing was learned about them."""
        labelled = annotations.visible > 0
        known = labelled & (table.seen > 0)
        if self.threshold is not None:
            return known & (table.weights < self.threshold)
        count = self.count if self.share is None else round(self.share * labelled.sum())
        selected = np.zeros(labelled.size, bool)
        selected[ranked_keypoints(table.scores, known, annotations.ids)[:count]] = True
        return selected.reshape(labelled.shape)

    def __str__(self) -> str:
        if self.threshold is not None:
            return f"weight below {self.threshold:g}"
        return "the most suspect ones"


def excess(selected: np.ndarray, annotations: Annotations, allowed: float) -> str:
    """What is selected beyond the shares that are allowed, in words; empty if nothing is.

    Args:
        selected: [N, J] bool.
        annotations: the N annotations.
        allowed: share of all labelled keypoints; of those of a joint with at least JOINT_LABELS, it is JOINT_SHARE,
            or ``allowed`` if that is more.
    """
    labels = (annotations.visible > 0).sum(axis=0)
    shares = selected.sum(axis=0) / np.maximum(labels, 1)
    of_joint = max(allowed, JOINT_SHARE)
    parts = []
    if (share := selected.sum() / max(labels.sum(), 1)) > allowed:
        parts.append(f"{100 * share:.1f} % of all labels (allowed: {100 * allowed:g} %)")
    beyond = [
        f"{annotations.mapping.names[j]} {100 * shares[j]:.0f} %"
        for j in np.flatnonzero((shares > of_joint) & (labels >= JOINT_LABELS))
    ]
    if beyond:
        parts.append(f"of single joints {', '.join(beyond)} (allowed: {100 * of_joint:g} %)")
    return " and ".join(parts)


def delete_keypoints(content: dict, annotations: Annotations, selected: np.ndarray) -> dict:
    """Return a copy of a COCO file with the ``selected`` labels set to x, y, v = 0.

    ``num_keypoints`` is recounted. Labels that differ from the file's (LBI.INJECT_NOISE) replace
    them; everything else is unchanged.

    Args:
        content: The parsed file, already checked by `read_coco`.
        annotations: The annotations that the run was trained on.
        selected: [N, J] bool.

    Raises:
        InputError: Two annotations have the same id.
    """
    return _with_keypoints(content, annotations, selected, lambda label: [0, 0, 0])


def hide_keypoints(content: dict, annotations: Annotations, selected: np.ndarray) -> dict:
    """`delete_keypoints`, but x and y stay: v = 0 alone makes COCO's readers take a label for missing."""
    return _with_keypoints(content, annotations, selected, lambda label: [*label[:2], 0])


def add_weights(content: dict, annotations: Annotations, table: WeightTable) -> dict:
    """Return a copy of a COCO file whose annotations have ``keypoint_weights``, one weight for each keypoint.

    The order is that of the file's keypoints. Where no weight was learned (no label, no joint of the network, or
    a label of no batch) it is 1. Labels that differ from the file's (LBI.INJECT_NOISE) replace them.
    """
    labelled = annotations.visible > 0
    weights = np.where(labelled & (table.seen > 0), table.weights, 1.0)
    mapping, instance_of = annotations.mapping, _instances_by_position(content, annotations)

    def weighted(position: int, annotation: dict) -> dict:
        if not isinstance(keypoints := annotation.get("keypoints"), list):
            return annotation
        of_file = [1.0] * (len(keypoints) // 3)
        if (i := instance_of.get(position)) is not None:
            for j in mapping.labelled:
                of_file[mapping.index[j]] = round(float(weights[i, j]), 6)
        return annotation | {WEIGHTS_KEY: of_file}

    entries = delete_keypoints(content, annotations, np.zeros_like(labelled))["annotations"]
    return content | {"annotations": [weighted(k, entry) for k, entry in enumerate(entries)]}


def _with_keypoints(
    content: dict, annotations: Annotations, selected: np.ndarray, take: Callable[[list], list]
) -> dict:
    """A copy of a COCO file with the labels as trained on, and ``take([x, y, v])`` of the ``selected`` ones."""
    instance_of, mapping = _instances_by_position(content, annotations), annotations.mapping
    # Pairs of the network's joint and the file's keypoint; other keypoints of the file stay as they are.
    labelled_joints = [(j, mapping.index[j]) for j in mapping.labelled]

    def changed(position: int, annotation: dict) -> dict:
        i = instance_of.get(position)
        if i is None:
            return annotation
        keypoints = list(annotation["keypoints"])
        for j, k in labelled_joints:
            xyv = slice(3 * k, 3 * k + 3)
            label = _training_label(keypoints[xyv], annotations, i, j)
            keypoints[xyv] = take(label) if selected[i, j] else label
        if keypoints == annotation["keypoints"]:
            return annotation
        count = sum(bool(v) and v > 0 for v in keypoints[2::3])
        return annotation | {"keypoints": keypoints, "num_keypoints": count}

    return content | {"annotations": [changed(k, entry) for k, entry in enumerate(content["annotations"])]}


def _instances_by_position(content: dict, annotations: Annotations) -> dict[int, int]:
    """{position in the file's list of annotations: index into ``annotations``}, for all that were trained on.

    Others may have the same id: crowds, and objects without a label.
    """
    index, found = index_by_id(annotations), {}
    for position, entry in enumerate(content["annotations"]):
        is_object = not entry.get("iscrowd", 0) and any((entry.get("keypoints") or [])[2::3])
        if is_object and (i := index.get(entry.get("id"))) is not None:
            found[position] = i
    instances, counts = np.unique(list(found.values()), return_counts=True)
    if (counts > 1).any():
        number = annotations.ids[int(instances[counts > 1][0])]
        raise InputError(f"annotation {number}: id given twice, so its weights are ambiguous")
    return found


def _training_label(label: list, annotations: Annotations, i: int, j: int) -> list:
    """[x, y, v] of joint j of instance i as trained on; ``label`` from the file if it is the same."""
    x, y, v = label
    if not annotations.visible[i, j]:
        return [0, 0, 0] if v else label
    # Compared as float32, the precision of Annotations, so that unchanged labels keep the file's digits.
    if v and np.array_equal(np.array([x, y], np.float32), annotations.joints[i, j]):
        return label
    return [*(round(float(coordinate), 2) for coordinate in annotations.joints[i, j]), v or 2]
