"""Selects the most suspect labels, and deletes, hides or weights them in a COCO annotation file."""

from collections.abc import Callable
from dataclasses import astuple, dataclass

import numpy as np

from lib.dataset.annotations import Annotations
from lib.dataset.instances import annotation_ids
from lib.ignoring.ranking import ranked_keypoints
from lib.ignoring.suspects import THRESHOLD, count_kinds, in_words, known_labels
from lib.ignoring.weight_table import WeightTable, index_by_id
from lib.utils.errors import InputError

WEIGHTS_KEY = "keypoint_weights"  # of an annotation: one weight for each of its keypoints
IGNORED = 0.5  # weight below which a label is taken where no probabilities are known
# Of one joint's labels that may be taken (more if more of all labels may), if it has so many that this is no chance.
JOINT_SHARE, JOINT_LABELS = 0.5, 10


@dataclass(frozen=True)
class Selection:
    """Which labels to take: exactly one of the four is not None, or none for the default of the table.

    probability: those with a higher probability of being wrong.
    threshold: those with a lower weight.
    share: this share of the labelled keypoints, in [0, 1]; the most suspect first.
    count: this many; the most suspect first.
    """

    probability: float | None = None
    threshold: float | None = None
    share: float | None = None
    count: int | None = None

    def with_default(self, table: WeightTable) -> "Selection":
        """This selection; if it is empty, what is probably wrong or, in a table without probabilities, a low weight."""
        if any(value is not None for value in astuple(self)):
            return self
        return Selection(threshold=IGNORED) if table.suspects is None else Selection(probability=THRESHOLD)

    def select(self, table: WeightTable, annotations: Annotations) -> np.ndarray:
        """[N, J] bool, the labels to take. Those of which nothing is known are kept.

        Raises:
            InputError: Probabilities are wanted from a table that has none.
        """
        labelled = annotations.visible > 0
        if self.threshold is not None:
            return labelled & (table.seen > 0) & (table.weights < self.threshold)
        known = known_labels(labelled, table.seen, table.suspects)
        if self.probability is not None:
            if table.suspects is None:
                raise InputError(
                    "the weight table has no probabilities of being wrong (of an earlier version, or "
                    "LBI.FIND_WRONG_LABELS false); expected a threshold, a share or a count"
                )
            return known & (table.suspects.probability > self.probability)
        count = self.count if self.share is None else round(self.share * labelled.sum())
        selected = np.zeros(labelled.size, bool)
        selected[ranked_keypoints(table.scores, known, annotations.ids)[:count]] = True
        return selected.reshape(labelled.shape)

    def __str__(self) -> str:
        if self.probability is not None:
            return f"probability of being wrong above {self.probability:g}"
        if self.threshold is not None:
            return f"weight below {self.threshold:g}"
        return "the most suspect ones"


def summary(heading: str, annotations: Annotations, table: WeightTable, selected: np.ndarray) -> str:
    """Counts of labels under ``heading``: how many of each joint are ``selected`` [N, J], their mean weight and kinds.

    How many of the selected ones are wrong is estimated from their probabilities, if the table has any.
    """
    labelled, suspects = annotations.visible > 0, table.suspects
    visited, known = labelled & (table.seen > 0), known_labels(labelled, table.seen, suspects)
    lines = [heading]
    if suspects is not None and selected.any():
        wrong, total = suspects.probability[selected].sum(), suspects.probability[labelled].sum()
        lines.append(
            f"estimated: {wrong:.0f} of these {selected.sum()} are wrong ({100 * wrong / selected.sum():.0f} %), "
            f"out of {total:.0f} wrong labels in all; {in_words(count_kinds(suspects.kind[selected]))}"
        )
    for j, (name, native) in enumerate(zip(annotations.mapping.names, annotations.mapping.native)):
        title = name if name == native else f"{name} ({native or 'not in the source'})"
        mean = f", mean weight {table.weights[visited[:, j], j].mean():.2f}" if visited[:, j].any() else ""
        kinds = "" if suspects is None else in_words(count_kinds(suspects.kind[selected[:, j], j]))
        kinds = kinds and f": {kinds}"
        lines.append(f"  {title:16}{selected[:, j].sum():8} of {labelled[:, j].sum()}{mean}{kinds}")
    if unknown := int((labelled & ~known).sum()):
        why = "occurred in no batch" if suspects is None else "could not be read (outside of the crop)"
        lines.append(f"{unknown} labels {why}: nothing is known about them, and they are kept")
    return "\n".join(lines)


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

    ``num_keypoints`` is recounted; everything else is unchanged.

    Args:
        content: The parsed file that ``annotations`` were read from.
        annotations: The annotations that the run was trained on.
        selected: [N, J] bool.

    Raises:
        InputError: Two annotations have the same id.
    """
    return _with_labels(content, annotations, selected, lambda label, i, j: [0, 0, 0])


def hide_keypoints(content: dict, annotations: Annotations, selected: np.ndarray) -> dict:
    """`delete_keypoints`, but x and y stay: v = 0 alone makes COCO's readers take a label for missing."""
    return _with_labels(content, annotations, selected, lambda label, i, j: [*label[:2], 0])


def write_trained_labels(content: dict, on_disk: Annotations, annotations: Annotations) -> dict:
    """Return a copy of a COCO file with the labels of ``annotations`` where they differ from those ``on_disk``.

    Raises:
        InputError: Two annotations have the same id, or the file's labels are not in pixels.
    """
    was, now = on_disk.visible > 0, annotations.visible > 0
    differs = (was != now) | (was & now & (on_disk.joints != annotations.joints).any(axis=2))

    def trained(label: list, i: int, j: int) -> list:
        # Compared as float32, the precision of Annotations.
        if was[i, j] and not np.array_equal(np.array(label[:2], np.float32), on_disk.joints[i, j]):
            raise InputError(
                f"annotation {annotations.ids[i]}: {annotations.mapping.names[j]} is {label[:2]} in the file, but "
                f"{on_disk.joints[i, j]} pixels; labels of LBI.INJECT_NOISE can only be written into a file in pixels"
            )
        if not now[i, j]:
            return [0, 0, 0]
        return [*(round(float(coordinate), 2) for coordinate in annotations.joints[i, j]), label[2] or 2]

    return _with_labels(content, annotations, differs, trained)


def add_weights(content: dict, annotations: Annotations, table: WeightTable) -> dict:
    """Return a copy of a COCO file whose annotations have ``keypoint_weights``, one weight for each keypoint.

    The order is that of the file's keypoints. Where no weight was learned (no label, no joint of the network, or
    a label of no batch) it is 1.
    """
    labelled = annotations.visible > 0
    weights = np.where(labelled & (table.seen > 0), table.weights, 1.0)
    mapping, instance_of = annotations.mapping, _instances_by_position(content, annotations)

    def weighted(position: int, entry: dict) -> dict:
        if not (keypoints := _flat_keypoints(entry)):
            return entry
        of_file = [1.0] * (len(keypoints) // 3)
        if (i := instance_of.get(position)) is not None:
            for j in mapping.labelled:
                of_file[mapping.index[j]] = round(float(weights[i, j]), 6)
        return entry | {WEIGHTS_KEY: of_file}

    return _with_entries(content, weighted)


def _with_labels(
    content: dict, annotations: Annotations, selected: np.ndarray, change: Callable[[list, int, int], list]
) -> dict:
    """A copy of a COCO file with ``change([x, y, v], i, j)`` in place of the ``selected`` labels."""
    instance_of, mapping = _instances_by_position(content, annotations), annotations.mapping

    def changed(position: int, entry: dict) -> dict:
        i = instance_of.get(position)
        if i is None or not selected[i].any():
            return entry
        keypoints = _flat_keypoints(entry)
        for j in mapping.labelled:
            if selected[i, j]:
                xyv = slice(3 * mapping.index[j], 3 * mapping.index[j] + 3)
                keypoints[xyv] = change(keypoints[xyv], i, j)
        count = sum(bool(v) and v > 0 for v in keypoints[2::3])
        if isinstance(entry["keypoints"][0], list):
            keypoints = [keypoints[k : k + 3] for k in range(0, len(keypoints), 3)]
        return entry | {"keypoints": keypoints, "num_keypoints": count}

    return _with_entries(content, changed)


def _with_entries(content: dict, change: Callable[[int, dict], dict]) -> dict:
    """A copy of a COCO file with ``change(position, entry)`` in place of each annotation."""
    return content | {"annotations": [change(k, entry) for k, entry in enumerate(content["annotations"])]}


def _flat_keypoints(entry: dict) -> list:
    """A copy of the keypoints [x, y, v, x, y, v, ...]; some tools write [[x, y, v], ...]. Empty without keypoints."""
    keypoints = entry.get("keypoints") or []
    if keypoints and isinstance(keypoints[0], list):
        return [number for point in keypoints for number in point]
    return list(keypoints)


def _instances_by_position(content: dict, annotations: Annotations) -> dict[int, int]:
    """{position in the file's list of annotations: index into ``annotations``}, for all that were trained on.

    Others may have the same id: crowds, objects of another category, and objects without a label.
    """
    entries, index, found = content["annotations"], index_by_id(annotations), {}
    categories = None if annotations.category_ids is None else set(annotations.category_ids.tolist())
    for position, number in enumerate(annotation_ids(entries, "annotations").tolist()):
        entry = entries[position]
        category = entry.get("category_id")
        is_read = not entry.get("iscrowd", 0) and any(_flat_keypoints(entry)[2::3])
        is_read = is_read and (category is None or categories is None or category in categories)
        if is_read and number in index:
            found[position] = index[number]
    instances, counts = np.unique(list(found.values()), return_counts=True)
    if (counts > 1).any():
        number = annotations.ids[int(instances[counts > 1][0])]
        raise InputError(f"annotation {number}: id given twice, so its weights are ambiguous")
    return found
