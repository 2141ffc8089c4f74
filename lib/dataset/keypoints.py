"""Keypoint names of the data sets, and how they map onto the joints of a network.

Everything that depends on the order of joints (flip pairs, evaluation groups, labels in logs) is derived from
the names, so a network with other joints needs no second list; see skeleton.py.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from lib.dataset.skeleton import Skeleton

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


@dataclass(frozen=True)
class JointMapping:
    """Which keypoint of a data set each joint of a network is read from.

    dataset: name of the data set's layout ("coco", "mpii", "coco_format").
    skeleton: the network's joints.
    native: for each joint the data set's keypoint, or None if it has no label for the joint.
    own: all keypoints of the data set, in its own order.
    """

    dataset: str
    skeleton: Skeleton
    native: tuple[str | None, ...]
    own: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the network's joints, in order."""
        return self.skeleton.names

    @property
    def flip_indices(self) -> tuple[int, ...]:
        """See `Skeleton`."""
        return self.skeleton.flip_indices

    @property
    def limbs(self) -> list[tuple[int, int]]:
        """See `Skeleton`."""
        return self.skeleton.limbs

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
    mapping = map_by_name(dataset, NATIVE_KEYPOINTS[dataset], Skeleton.of(names))
    if mapping.missing:
        raise KeyError(mapping.missing[0])
    return mapping


def map_by_name(
    dataset: str, own: tuple[str, ...], skeleton: Skeleton, given: dict[str, str] | None = None
) -> JointMapping:
    """Map the joints of a network onto the keypoints of a data set, as far as it has them.

    Args:
        dataset: name of the data set's layout.
        own: its keypoints.
        skeleton: the network's joints.
        given: {joint: keypoint}, overrides equal names; an empty keypoint means that there is none.

    Raises:
        ValueError: ``given`` has an unknown name, or two joints would be read from one keypoint.
    """
    given, names = given or {}, skeleton.names
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
    return JointMapping(dataset, skeleton, native, tuple(own))


def _expect_known(names: Iterable[str], known: tuple[str, ...], what: str) -> None:
    """Raise ValueError for the first of ``names`` that is not ``known``."""
    for name in names:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)[0]
            raise ValueError(
                f"there is no {what} '{name}', the nearest is '{nearest}'; there are {', '.join(known)}"
            )
