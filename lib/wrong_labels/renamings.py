"""The ways in which the names of an instance's labels can be permuted, and of which kind each of them is."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from lib.dataset.skeleton import Skeleton
from lib.wrong_labels.name_permutations import name_permutations


class Kind(IntEnum):
    """What is wrong with a label. The first five are told apart by the label model, the others afterwards."""

    RIGHT = 0
    EXCHANGED = 1  # with another joint that is not its mirror image
    LIMB_SIDES = 2  # left and right, of some joints
    PERSON_SIDES = 3  # left and right, of all joints
    MOVED = 4  # to where no joint of the instance is
    OTHER_INSTANCE = 5  # to a joint of another instance
    SURPLUS = 6  # there is no such joint to be seen
    MISSING = 7  # there is a joint, but no label

    @property
    def text(self) -> str:
        """As in tables: "person sides"."""
        return self.name.lower().replace("_", " ")


MODELLED = 5  # kinds that the label model knows


@dataclass(frozen=True)
class Renamings:
    """P permutations of J names.

    permutations: int [P, J], the identity first; under row p, label j lies where joint permutations[p, j] belongs.
    kinds: int [P, J] of Kind, what each label is under each of them, if it is not moved as well.
    flip: int [J], the mirror image of each joint.
    """

    permutations: np.ndarray
    kinds: np.ndarray
    flip: np.ndarray

    @classmethod
    def of(cls, skeleton: Skeleton) -> "Renamings":
        """Those of `name_permutations`."""
        permutations = name_permutations(skeleton)
        joints, flip = np.arange(len(skeleton.names)), np.array(skeleton.flip_indices)
        same, mirrored = permutations == joints, permutations == flip
        whole = mirrored[:, flip != joints].all(axis=1)[:, None]
        sides = np.where(whole, Kind.PERSON_SIDES, Kind.LIMB_SIDES)
        kinds = np.where(same, Kind.RIGHT, np.where(mirrored, sides, Kind.EXCHANGED))
        return cls(permutations, kinds, flip)

    @property
    def renamed(self) -> np.ndarray:
        """[P, J] bool, the labels that a permutation concerns."""
        return self.permutations != np.arange(self.permutations.shape[1])
