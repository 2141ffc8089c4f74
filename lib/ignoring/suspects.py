"""What is held of every label of the source: whether it is wrong, in what way, and where it belongs."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

THRESHOLD = 0.5  # probability of being wrong above which a label is flagged
REVIEWED = "reviewed"  # kind of labels that are not judged since somebody has reviewed them
NOT_JUDGED = ("", "missing")  # kinds of keypoints without a label, and of labels that could not be read


@dataclass(frozen=True)
class Suspects:
    """Of N instances with J joints, in annotation order.

    probability: [N, J] of the label being wrong; 0 where there is none.
    kind: str [N, J], what is wrong with it if it is wrong ("right" if that is more likely): "exchanged", "limb sides",
        "person sides", "moved", "other instance", "surplus"; REVIEWED for what is known; where there is no label,
        "missing" if there should be one, else "".
    partner: int [N, J] the joint whose place an exchanged label has; -1 for none.
    proposed: [N, J, 2] where the joint is thought to be, image pixels; NaN where nothing is proposed.
    sureness: [N, J] in [0, 1], of the kind, given that the label is wrong; for a missing label, that there is a joint.
    """

    probability: np.ndarray
    kind: np.ndarray
    partner: np.ndarray
    proposed: np.ndarray
    sureness: np.ndarray

    def of(self, rows: list[int] | np.ndarray) -> "Suspects":
        """Those of some instances, by position."""
        return Suspects(*(getattr(self, field.name)[rows] for field in fields(self)))

    @property
    def judged(self) -> np.ndarray:
        """[N, J] bool, the labels that were read and judged."""
        return ~np.isin(self.kind, NOT_JUDGED)

    def verdict(self, i: int, j: int) -> str:
        """Of label ``j`` of instance ``i``: "wrong 97 %"."""
        return f"wrong {100 * self.probability[i, j]:.0f} %"

    def reason(self, i: int, j: int, names: Sequence[str]) -> str:
        """What is wrong with label ``j`` of instance ``i`` in words, empty if it is rather right; ``names`` of the joints.

        As "exchanged with right wrist".
        """
        kind, partner = str(self.kind[i, j]), int(self.partner[i, j])
        if kind in NOT_JUDGED or kind == "right":
            return ""
        other = f" with {names[partner].replace('_', ' ')}" if partner >= 0 else ""
        return REASONS.get(kind, kind) + (other if kind == "exchanged" else "")


REASONS = {
    "limb sides": "left and right of the limb",
    "person sides": "left and right of the person",
    "other instance": "of another instance",
    "surplus": "no such joint to be seen",
}  # where the kind's name alone does not tell


def count_kinds(kind: np.ndarray) -> dict[str, int]:
    """How many of some labels are of each ``kind``, the most frequent first; labels that were not read have none."""
    names, counts = np.unique(kind[kind != ""], return_counts=True)
    return {str(names[k]): int(counts[k]) for k in np.argsort(-counts, kind="stable")}


def in_words(kinds: dict[str, int]) -> str:
    """The counts of `count_kinds`: "621 moved, 395 exchanged"."""
    return ", ".join(f"{n} {'rather right' if kind == 'right' else kind}" for kind, n in kinds.items())


def known_labels(labelled: np.ndarray, seen: np.ndarray, suspects: Suspects | None) -> np.ndarray:
    """[N, J] bool: the labels that something is known about.

    Args:
        labelled: [N, J] bool, the keypoints that have a label.
        seen: [N, J] number of batches that contained the keypoint.
        suspects: what is held of the labels; if they were not judged, the weights of labels of no batch say nothing.
    """
    return labelled & (seen > 0 if suspects is None else suspects.judged)
