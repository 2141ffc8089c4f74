"""The joints of a network and how they belong together: pairs of left and right, and the limbs between them."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lib.dataset.sides import find_pairs, side_of
from lib.utils.errors import InputError

# Limbs of people, if a data set brings none of its own and both ends are among the joints.
LIMBS = (
    ("right_ankle", "right_knee"), ("right_knee", "right_hip"), ("right_hip", "left_hip"),
    ("left_hip", "left_knee"), ("left_knee", "left_ankle"), ("right_wrist", "right_elbow"),
    ("right_elbow", "right_shoulder"), ("right_shoulder", "left_shoulder"),
    ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_hip"), ("left_shoulder", "left_hip"),
    ("upper_neck", "head_top"), ("thorax", "upper_neck"),
    ("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear"), ("right_eye", "right_ear"),
)  # fmt: skip


@dataclass(frozen=True)
class Skeleton:
    """The J joints of a network.

    names: of the joints, in the order of the heatmaps.
    pairs: (left, right) names of joints that change places in a mirrored image.
    lines: names of the joints that drawings connect.
    middle: joints that the user says have no side; no property of the network, so checkpoints do not hold them.
    """

    names: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...] = ()
    lines: tuple[tuple[str, str], ...] = ()
    middle: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        given_pairs: Mapping[str, str] | None = None,
        lines: Sequence[tuple[str, str]] = (),
    ) -> "Skeleton":
        """The skeleton of the joints ``names``.

        Args:
            names: of the joints.
            given_pairs: {left: right}, MODEL.FLIP_PAIRS; a joint with itself has no side; pairs among the other
                joints are found by name.
            lines: of the data set; if none of them has both ends among ``names``, those of people.

        Raises:
            InputError: ``given_pairs`` names something else, or a joint twice.
        """
        pairs = tuple((given_pairs or {}).items())
        middle = tuple(left for left, right in pairs if left == right)
        given = tuple(pair for pair in pairs if pair[0] != pair[1])
        seen: set[str] = set()
        for name in (*middle, *(name for pair in given for name in pair)):
            if name not in names or name in seen:
                problem = "is no joint of the network" if name not in names else "is in two pairs"
                raise InputError(f"MODEL.FLIP_PAIRS: '{name}' {problem}; the joints are {', '.join(names)}")
            seen.add(name)
        found = find_pairs([name for name in names if name not in seen])
        known = tuple((a, b) for a, b in lines if a in names and b in names)
        people = tuple((a, b) for a, b in LIMBS if a in names and b in names)
        return cls(tuple(names), (*given, *found), known or people, middle)

    @functools.cached_property
    def flip_indices(self) -> tuple[int, ...]:
        """For each joint the position of its mirror image; of a joint without a counterpart its own."""
        partner = dict(self.pairs) | {right: left for left, right in self.pairs}
        return tuple(self.names.index(partner.get(name, name)) for name in self.names)

    @property
    def limbs(self) -> list[tuple[int, int]]:
        """Pairs of joint positions to connect with a line in drawings."""
        return [(self.names.index(a), self.names.index(b)) for a, b in self.lines]

    @functools.cached_property
    def sides(self) -> tuple[str, ...]:
        """For each joint "left", "right" or "middle"."""
        sides = {left: "left" for left, _ in self.pairs} | {right: "right" for _, right in self.pairs}
        sides |= dict.fromkeys(self.middle, "middle")
        return tuple(sides.get(name) or side_of(name) for name in self.names)

    @property
    def one_sided(self) -> tuple[str, ...]:
        """Joints with a side in their name but no counterpart, so that mirroring does not swap them."""
        return tuple(
            name
            for j, name in enumerate(self.names)
            if self.sides[j] != "middle" and self.flip_indices[j] == j
        )
