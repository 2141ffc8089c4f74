"""The second opinion on real labels: for some people, whether each of their labels is right or wrong."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.dataset.annotations import read_json
from lib.utils.errors import InputError, short_repr

WRONG, RIGHT = "wrong", "right"
VERDICTS = (
    RIGHT,
    WRONG,
    "label_ok",
    "doubt",
    "unlabelled",
)  # all but the first two say nothing about the label


@dataclass(frozen=True)
class SecondOpinion:
    """Verdicts on N people with J joints.

    ids: int64 [N], their annotations, ascending.
    joints: names of the joints.
    verdicts: str [N, J], see VERDICTS.
    """

    ids: np.ndarray
    joints: tuple[str, ...]
    verdicts: np.ndarray

    def half(self, which: str) -> "SecondOpinion":
        """The people of "even" or "odd" annotation ids, or "all"."""
        keep = {"even": self.ids % 2 == 0, "odd": self.ids % 2 == 1, "all": self.ids >= 0}[which]
        return SecondOpinion(self.ids[keep], self.joints, self.verdicts[keep])

    def count(self, verdict: str) -> int:
        """The number of labels with this verdict."""
        return int((self.verdicts == verdict).sum())

    def labels(self, verdict: str) -> set[tuple[int, str]]:
        """(annotation id, joint) of the labels with this verdict."""
        people, joints = np.nonzero(self.verdicts == verdict)
        return {(int(self.ids[i]), self.joints[j]) for i, j in zip(people, joints)}


def read_second_opinion(path: Path) -> SecondOpinion:
    """Read {"joints": [names], "people": [{"annotation_id", "verdict": [one for each joint]}]}; more keys may be there.

    Raises:
        InputError: the file cannot be read or is not like this, or is about a person twice.
    """
    tree = read_json(path)
    try:
        joints = tuple(tree["joints"])
        people = sorted((int(person["annotation_id"]), list(person["verdict"])) for person in tree["people"])
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{path}: expected joints, and people with annotation_id and verdict") from None
    for number, (annotation, verdicts) in enumerate(people):
        strange = [verdict for verdict in verdicts if verdict not in VERDICTS]
        if strange or len(verdicts) != len(joints):
            found = short_repr(strange[0]) if strange else f"{len(verdicts)} verdicts"
            raise InputError(f"{path}: annotation {annotation}: found {found}, expected {len(joints)} of {', '.join(VERDICTS)}")  # fmt: skip
        if number and annotation == people[number - 1][0]:
            raise InputError(f"{path}: annotation {annotation} is there twice")
    verdicts = np.array([verdicts for _, verdicts in people], dtype="<U10").reshape(len(people), len(joints))
    return SecondOpinion(np.array([annotation for annotation, _ in people], np.int64), joints, verdicts)
