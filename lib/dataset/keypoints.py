"""Keypoint names of the data sets, and how they map onto the joints a network is trained on.

Everything that depends on the order of joints (flip pairs, evaluation groups, labels in logs)
follows from names, so that choosing other joints needs no second list to be kept in step.
"""

import difflib
import re
from dataclasses import dataclass

COCO_KEYPOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip",
    "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip

MPII_KEYPOINTS = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis",
    "thorax", "upper_neck", "head_top", "right_wrist", "right_elbow", "right_shoulder",
    "left_shoulder", "left_elbow", "left_wrist",
)  # fmt: skip

SHARED_KEYPOINTS = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "head",
    "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
)  # fmt: skip

NATIVE_KEYPOINTS = {"coco": COCO_KEYPOINTS, "mpii": MPII_KEYPOINTS}

# Joints that a data set does not annotate under the shared name, and the label that stands in.
STAND_INS = {"coco": {"head": "nose"}, "mpii": {"head": "head_top"}}

# Limbs drawn in images; those whose ends are not among the joints at hand are left out.
LIMBS = (
    ("right_ankle", "right_knee"), ("right_knee", "right_hip"), ("right_hip", "left_hip"),
    ("left_hip", "left_knee"), ("left_knee", "left_ankle"), ("right_wrist", "right_elbow"),
    ("right_elbow", "right_shoulder"), ("right_shoulder", "left_shoulder"),
    ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_hip"), ("left_shoulder", "left_hip"),
    ("upper_neck", "head_top"), ("thorax", "upper_neck"),
    ("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear"), ("right_eye", "right_ear"),
)  # fmt: skip


# What says in a name on which side a joint is: left_eye, eye-right, LeftEye, L_Eye, r_eye, lEye, eye.R, ...
SIDE = re.compile("[Ll]eft|[Rr]ight|LEFT|RIGHT|(?<![A-Za-z])[LlRr](?![a-z])")
OTHER_SIDE = {"left": "right", "right": "left", "l": "r", "r": "l"}


@dataclass(frozen=True)
class JointMapping:
    """How the joints of a network are read from a data set's own keypoints.

    names: the network's joints, in order.
    native: for each of them the data set's keypoint that is read, None where it has no label for it.
    own: all keypoints of the data set, in its own order.
    """

    dataset: str
    names: tuple[str, ...]
    native: tuple[str | None, ...]
    own: tuple[str, ...]

    @property
    def index(self) -> tuple[int, ...]:
        """For each joint the position of the keypoint that is read, -1 where there is none."""
        position = {keypoint: k for k, keypoint in enumerate(self.own)}
        return tuple(-1 if keypoint is None else position[keypoint] for keypoint in self.native)

    @property
    def labelled(self) -> list[int]:
        """Positions of the joints that the data set has labels for."""
        return [j for j, keypoint in enumerate(self.native) if keypoint is not None]

    @property
    def approximated(self) -> dict[str, str]:
        """Joints whose label has another name in this data set: {joint: keypoint read}."""
        return {j: k for j, k in zip(self.names, self.native) if k is not None and j != k}

    @property
    def missing(self) -> tuple[str, ...]:
        """Joints that the data set has no label for."""
        return tuple(j for j, k in zip(self.names, self.native) if k is None)

    @property
    def unused(self) -> tuple[str, ...]:
        """Keypoints of the data set that no joint is read from."""
        return tuple(keypoint for keypoint in self.own if keypoint not in self.native)


def network_joints(num_joints: int) -> tuple[str, ...]:
    """Names of the joints of a network with ``num_joints`` outputs (13 shared, 16 MPII, 17 COCO).

    Raises KeyError for any other number.
    """
    by_count = {len(names): names for names in (SHARED_KEYPOINTS, MPII_KEYPOINTS, COCO_KEYPOINTS)}
    return by_count[num_joints]


def joint_mapping(dataset: str, names: tuple[str, ...]) -> JointMapping:
    """Map the network's joints ``names`` onto ``dataset`` ('coco' or 'mpii') by name.

    Raises KeyError naming the first joint that the data set does not annotate.
    """
    mapping = map_by_name(dataset, NATIVE_KEYPOINTS[dataset], names)
    if mapping.missing:
        raise KeyError(mapping.missing[0])
    return mapping


def map_by_name(
    dataset: str, own: tuple[str, ...], names: tuple[str, ...], given: dict[str, str] | None = None
) -> JointMapping:
    """Map the network's joints ``names`` onto a data set's ``own`` keypoints, as far as it has them.

    ``given`` {joint: keypoint} goes before equal names; an empty keypoint says that the data set has none.
    Raises ValueError for a name in it that there is not, and for a keypoint that two joints would be read from.
    """
    given = given or {}
    _expect_known(given, names, "joint of the network")
    _expect_known([keypoint for keypoint in given.values() if keypoint], own, "keypoint of the data set")
    stand_ins = STAND_INS.get(dataset, {})
    asked = {joint: keypoint for joint, keypoint in stand_ins.items() if keypoint not in names} | given
    native = tuple(k if (k := asked.get(name, name)) in own else None for name in names)
    twice = next((k for k in native if k is not None and native.count(k) > 1), None)
    if twice is not None:
        read_as = " and as ".join(name for name, keypoint in zip(names, native) if keypoint == twice)
        raise ValueError(
            f"{twice} would be read as {read_as}; give all but one another keypoint, or '' for none"
        )
    return JointMapping(dataset, tuple(names), native, tuple(own))


def _expect_known(found, known: tuple[str, ...], what: str) -> None:
    for name in found:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)[0]
            raise ValueError(
                f"there is no {what} '{name}', the nearest is '{nearest}'; there are {', '.join(known)}"
            )


def flip_permutation(names: tuple[str, ...]) -> tuple[int, ...]:
    """Where each joint's label comes from in a mirrored image: left and right change places.

    A joint without a side, and one whose other side is not among ``names``, keeps its own label.
    """
    flip_indices = [_mirrored(name, names) for name in names]
    return tuple(p if flip_indices[p] == j else j for j, p in enumerate(flip_indices))


def _mirrored(name: str, names: tuple[str, ...]) -> int:
    """Position of the joint whose name differs from ``name`` in the side alone; its own where there is none."""
    for side in SIDE.finditer(name):
        other = _like(side[0], OTHER_SIDE[side[0].lower()])
        swapped = name[: side.start()] + other + name[side.end() :]
        if swapped in names:
            return names.index(swapped)
    return names.index(name)


def _like(pattern: str, word: str) -> str:
    """``word`` in the letters' case of ``pattern``."""
    if pattern.isupper():
        return word.upper()
    return word.capitalize() if pattern[0].isupper() else word


def side_of(name: str) -> str:
    """left, right, or middle for a joint whose name has no side."""
    side = SIDE.search(name)
    if side is None:
        return "middle"
    return "left" if side[0][0] in "lL" else "right"


def one_sided(names: tuple[str, ...]) -> tuple[str, ...]:
    """Joints of the left or right whose other side is not among ``names``: mirroring leaves their label as it is."""
    flip_indices = flip_permutation(names)
    return tuple(name for j, name in enumerate(names) if side_of(name) != "middle" and flip_indices[j] == j)


def limbs(names: tuple[str, ...]) -> list[tuple[int, int]]:
    """Pairs of joint positions to join by a line when a person is drawn."""
    return [(names.index(a), names.index(b)) for a, b in LIMBS if a in names and b in names]
