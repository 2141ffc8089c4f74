"""Keypoint names of the data sets, and how they map onto the joints a network is trained on.

Everything that depends on the order of joints (flip pairs, evaluation groups, labels in logs)
follows from names, so that choosing other joints needs no second list to be kept in step.
"""

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

# Limbs drawn in pictures; those whose ends are not among the joints at hand are left out.
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
class JointMapping:
    """How the joints of a network are read from a data set's own keypoints.

    names: the network's joints, in order.
    native: for each of them the data set's keypoint that is read.
    index: for each of them the position of that keypoint in the data set's own order.
    """

    dataset: str
    names: tuple[str, ...]
    native: tuple[str, ...]
    index: tuple[int, ...]

    @property
    def approximated(self) -> dict[str, str]:
        """Joints whose label means something else in this data set: {joint: keypoint read}."""
        return {j: k for j, k in zip(self.names, self.native) if j != k}


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
    own = NATIVE_KEYPOINTS[dataset]
    native = tuple(STAND_INS[dataset].get(name, name) for name in names)
    for name, keypoint in zip(names, native):
        if keypoint not in own:
            raise KeyError(name)
    return JointMapping(dataset, tuple(names), native, tuple(own.index(k) for k in native))


def flip_permutation(names: tuple[str, ...]) -> tuple[int, ...]:
    """Where each joint's label comes from in a mirrored picture: left and right change places."""
    swapped = {"left": "right", "right": "left"}
    partner = []
    for name in names:
        side, _, rest = name.partition("_")
        partner.append(names.index(f"{swapped[side]}_{rest}") if side in swapped else names.index(name))
    return tuple(partner)


def limbs(names: tuple[str, ...]) -> list[tuple[int, int]]:
    """Pairs of joint positions to join by a line when a person is drawn."""
    return [(names.index(a), names.index(b)) for a, b in LIMBS if a in names and b in names]
