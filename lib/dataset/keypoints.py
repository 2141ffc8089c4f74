"""Keypoint names of the data sets, and how they map onto the joints of a network.

Everything that depends on the order of joints (flip pairs, evaluation groups, labels in logs) is derived from
the names, so a network with other joints needs no second list.
"""

import difflib
import re
from collections.abc import Iterable
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

# {data set: {joint: keypoint that is read if the data set does not annotate the joint itself}}
STAND_INS = {"coco": {"head": "nose"}, "mpii": {"head": "head_top"}}

# Limbs to draw, if both ends are among the joints.
LIMBS = (
    ("right_ankle", "right_knee"), ("right_knee", "right_hip"), ("right_hip", "left_hip"),
    ("left_hip", "left_knee"), ("left_knee", "left_ankle"), ("right_wrist", "right_elbow"),
    ("right_elbow", "right_shoulder"), ("right_shoulder", "left_shoulder"),
    ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_hip"), ("left_shoulder", "left_hip"),
    ("upper_neck", "head_top"), ("thorax", "upper_neck"),
    ("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear"), ("right_eye", "right_ear"),
)  # fmt: skip


# The side in a joint's name: left_eye, eye-right, LeftEye, L_Eye, r_eye, lEye, eye.R, ...
SIDE = re.compile("[Ll]eft|[Rr]ight|LEFT|RIGHT|(?<![A-Za-z])[LlRr](?![a-z])")
OTHER_SIDE = {"left": "right", "right": "left", "l": "r", "r": "l"}


@dataclass(frozen=True)
class JointMapping:
    """Which keypoint of a data set each joint of a network is read from.

    dataset: name of the data set's layout ("coco", "mpii", "coco_format").
    names: the network's joints, in order.
    native: for each joint the data set's keypoint, or None if it has no label for the joint.
    own: all keypoints of the data set, in its own order.
    """

    dataset: str
    names: tuple[str, ...]
    native: tuple[str | None, ...]
    own: tuple[str, ...]

    @property
    def index(self) -> tuple[int, ...]:
        """For each joint the position of its keypoint in ``own``, or -1."""
        position = {keypoint: k for k, keypoint in enumerate(self.own)}
        return tuple(-1 if keypoint is None else position[keypoint] for keypoint in self.native)

    @property
    def labelled(self) -> list[int]:
        """Positions of the joints that have a keypoint."""
        return [j for j, keypoint in enumerate(self.native) if keypoint is not None]

    @property
    def approximated(self) -> dict[str, str]:
        """{joint: keypoint} where the two names differ."""
        return {j: k for j, k in zip(self.names, self.native) if k is not None and j != k}

    @property
    def missing(self) -> tuple[str, ...]:
        """Joints without a keypoint."""
        return tuple(j for j, k in zip(self.names, self.native) if k is None)

    @property
    def unused(self) -> tuple[str, ...]:
        """Keypoints that no joint is read from."""
        return tuple(keypoint for keypoint in self.own if keypoint not in self.native)


def network_joints(num_joints: int) -> tuple[str, ...]:
    """Joint names of a network with 13 (shared by COCO and MPII), 16 (MPII) or 17 (COCO) outputs.

    Raises KeyError for any other number.
    """
    by_count = {len(names): names for names in (SHARED_KEYPOINTS, MPII_KEYPOINTS, COCO_KEYPOINTS)}
    return by_count[num_joints]


def joint_mapping(dataset: str, names: tuple[str, ...]) -> JointMapping:
    """Map the joints ``names`` onto the keypoints of ``dataset`` ("coco" or "mpii") by name.

    Raises KeyError with the first joint that the data set does not annotate.
    """
    mapping = map_by_name(dataset, NATIVE_KEYPOINTS[dataset], names)
    if mapping.missing:
        raise KeyError(mapping.missing[0])
    return mapping


def map_by_name(
    dataset: str, own: tuple[str, ...], names: tuple[str, ...], given: dict[str, str] | None = None
) -> JointMapping:
    """Map the joints of a network onto the keypoints of a data set, as far as it has them.

    Args:
        dataset: name of the data set's layout.
        own: its keypoints.
        names: the network's joints.
        given: {joint: keypoint}, overrides equal names; an empty keypoint means that there is none.

    Raises:
        ValueError: ``given`` has an unknown name, or two joints would be read from one keypoint.
    """
    given = given or {}
    _expect_known(given, names, "joint of the network")
    _expect_known([keypoint for keypoint in given.values() if keypoint], own, "keypoint of the data set")
    stand_ins = STAND_INS.get(dataset, {})
    # A stand-in is not used if it is a joint itself, as the nose is in a network of COCO's 17 joints.
    keypoint_of = {joint: keypoint for joint, keypoint in stand_ins.items() if keypoint not in names} | given
    native = tuple(k if (k := keypoint_of.get(name, name)) in own else None for name in names)
    twice = next((k for k in native if k is not None and native.count(k) > 1), None)
    if twice is not None:
        read_as = " and as ".join(name for name, keypoint in zip(names, native) if keypoint == twice)
        raise ValueError(
            f"{twice} would be read as {read_as}; map all but one to another keypoint, or to '' for none"
        )
    return JointMapping(dataset, tuple(names), native, tuple(own))


def _expect_known(names: Iterable[str], known: tuple[str, ...], what: str) -> None:
    """Raise ValueError for the first of ``names`` that is not ``known``."""
    for name in names:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)[0]
            raise ValueError(
                f"there is no {what} '{name}', the nearest is '{nearest}'; there are {', '.join(known)}"
            )


def flip_permutation(names: tuple[str, ...]) -> tuple[int, ...]:
    """For each joint the position of its mirror image: left and right are swapped.

    A joint without a side, or whose counterpart is not among ``names``, maps to itself.
    """
    flip_indices = [_mirrored(name, names) for name in names]
    # Keep only pairs that point at each other, so that the result is its own inverse.
    return tuple(p if flip_indices[p] == j else j for j, p in enumerate(flip_indices))


def _mirrored(name: str, names: tuple[str, ...]) -> int:
    """Position of the joint whose name differs from ``name`` only in the side, or else its own."""
    for side in SIDE.finditer(name):
        other = _like(side[0], OTHER_SIDE[side[0].lower()])
        swapped = name[: side.start()] + other + name[side.end() :]
        if swapped in names:
            return names.index(swapped)
    return names.index(name)


def _like(pattern: str, word: str) -> str:
    """``word`` in the letter case of ``pattern``."""
    if pattern.isupper():
        return word.upper()
    return word.capitalize() if pattern[0].isupper() else word


def side_of(name: str) -> str:
    """Return "left" or "right", or "middle" for a name without a side."""
    side = SIDE.search(name)
    if side is None:
        return "middle"
    return "left" if side[0][0] in "lL" else "right"


def one_sided(names: tuple[str, ...]) -> tuple[str, ...]:
    """Joints with a side whose counterpart is not among ``names``, so that mirroring does not swap them."""
    flip_indices = flip_permutation(names)
    return tuple(name for j, name in enumerate(names) if side_of(name) != "middle" and flip_indices[j] == j)


def limbs(names: tuple[str, ...]) -> list[tuple[int, int]]:
    """Pairs of joint positions to connect with a line in drawings."""
    return [(names.index(a), names.index(b)) for a, b in LIMBS if a in names and b in names]
