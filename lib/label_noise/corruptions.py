"""Synthetic label noise: corrupts a known share of keypoint labels, to measure how well it is detected.

The kinds follow the label errors found in real pose data sets (taxonomy of arXiv 2409.03887), plus
``exchange``, which the loss on the heatmaps alone does not reveal. Joints are identified by name, so any set
and order of joints works.

Classes of the kinds in COCO's taxonomy of localization errors (Ronchi & Perona, ICCV 2017, arXiv 1707.05388).
It compares a keypoint with the true joints by keypoint similarity, KS = exp(-d^2 / (2 area (2 sigma)^2)), a
term of OKS: jitter 0.5 <= KS < 0.85 with its own joint, inversion KS >= 0.5 with another joint of the same
instance, swap KS >= 0.5 with the joint of another instance, miss KS < 0.5 with every joint.

    exchange                 inversion, of neighboring joints of a limb
    limb_swap, person_swap   inversion, of left and right
    wrong_person             swap
    offset, jitter           miss (inversion or swap where another joint happens to be near). Both move labels
                             farther than the taxonomy's jitter, whose name ``jitter`` only shares.
    convention               miss, on the built-in people (nose instead of head top)
    mixed                    inversion or miss
    missing, visibility      outside the taxonomy: a label is absent, or present where there should be none
"""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from lib.dataset.skeleton import Skeleton
from lib.utils.errors import InputError

ARM = ("shoulder", "elbow", "wrist")
LEG = ("hip", "knee", "ankle")
SIDES = ("left", "right")

# Displacements in units of the person's size (the longer side of the box). Chosen for this project, as errors
# beyond any annotator's tolerance, not measured on real annotations: on the built-in people both leave
# KS < 0.5 with the true joint. For comparison, the radius of PCKh@0.5 is about 0.06 of the size on MPII.
OFFSET = 0.13  # to the right and down, 0.18 in all: a systematic shift, as by a faulty annotation tool
JITTER = (0.2, 0.5)  # range of the distance, in a random direction: a label anywhere nearby


@dataclass(frozen=True)
class Labels:
    """The keypoint labels of N instances with J joints each, and the data that corruptions need.

    joints: [N, J, 2] x and y in pixels.
    visible: [N, J], nonzero where the joint is labelled.
    names: names of the J joints.
    sizes: [N] size of the instance in pixels, the unit of displacements.
    image_index: [N] number of the image that shows the instance.
    bounds: [N, 2] width and height of that image in pixels.
    other_convention: for ``convention``, {joint: [N, 2] where another data set marks it}.
    """

    joints: np.ndarray
    visible: np.ndarray
    names: tuple[str, ...]
    sizes: np.ndarray
    image_index: np.ndarray
    bounds: np.ndarray
    other_convention: dict[str, np.ndarray] = field(default_factory=dict)

    def joint_indices(self, *parts: str, sides: Sequence[str] = SIDES) -> list[int]:
        """Indices of the joints of these body parts ("wrist", ...), without those that have no such name."""
        wanted = [f"{side}_{part}" for side in sides for part in parts]
        return [self.names.index(name) for name in wanted if name in self.names]

    def permuted(self, instances: np.ndarray, source: np.ndarray) -> "Labels":
        """A copy in which joint j of the ``instances`` [N] (bool) has the label of joint ``source[j]``."""
        joints, visible = self.joints.copy(), self.visible.copy()
        joints[instances] = self.joints[instances][:, source]
        visible[instances] = self.visible[instances][:, source]
        return replace(self, joints=joints, visible=visible)


class CorruptedLabels(NamedTuple):
    """Labels after corruption.

    joints: [N, J, 2] x and y in pixels, float64.
    visible: [N, J] int, 1 where the joint is labelled.
    corrupted: [N, J] bool, labels that were moved, added or removed.
    """

    joints: np.ndarray
    visible: np.ndarray
    corrupted: np.ndarray


Corruption = Callable[[Labels, float, np.random.Generator], Labels]


def _none(labels: Labels, share: float, rng: np.random.Generator) -> Labels:
    return labels


def _exchange(labels: Labels, share: float, rng: np.random.Generator) -> Labels:
    for part, neighbor in (("wrist", "elbow"), ("ankle", "knee")):
        for side in SIDES:
            instances = rng.random(len(labels.joints)) < share
            pair = labels.joint_indices(part, neighbor, sides=(side,))
            source = np.arange(len(labels.names))
            source[pair] = pair[::-1]
            labels = labels.permuted(instances, source)
    return labels


def _swap_sides(labels: Labels, instances: np.ndarray, parts: Sequence[str]) -> Labels:
    """Exchange left and right of these body parts in the ``instances`` [N] (bool)."""
    source, affected = np.arange(len(labels.names)), labels.joint_indices(*parts)
    source[affected] = np.array(Skeleton.of(labels.names).flip_indices)[affected]
    return labels.permuted(instances, source)


def _limb_swap(labels: Labels, share: float, rng: np.random.Generator) -> Labels:
    for parts in (ARM, LEG):
        labels = _swap_sides(labels, rng.random(len(labels.joints)) < share, parts)
    return labels


def _person_swap(labels: Labels, share: float, rng: np.random.Generator) -> Labels:
    return _swap_sides(labels, rng.random(len(labels.joints)) < share, ARM + LEG)


def _displaced(labels: Labels, moved: np.ndarray, displacement: np.ndarray) -> Labels:
    """Move the labels ``moved`` [N, J] (bool) by ``displacement`` ([N, J, 2] or [2], in units of the size)."""
    step = labels.sizes[:, None, None] * displacement
    return replace(labels, joints=np.where(moved[..., None], labels.joints + step, labels.joints))


def _offset(labels: Labels, share: float, rng: np.random.Generator) -> Labels:
    return _displaced(labels, rng.random(labels.visible.shape) < share, np.array([OFFSET, OFFSET]))


def _jitter(labels: Labels, share: float, rng: np.random.Generator) -> Labels:
    moved = rng.random(labels.visible.shape) < share
    angle, distance = rng.uniform(0, 2 * np.pi, moved.shape), rng.uniform(*JITTER, moved.shape)
    return _displaced(labels, moved, np.stack([np.cos(angle), np.sin(angle)], axis=-1) * distance[..., None])


def _wrong_person(labels: Labels, share: float, rng: np.random.Generator) -> Labels:
    limbs = [labels.joint_indices(*parts, sides=(side,)) for parts in (ARM, LEG) for side in SIDES]
    joints = labels.joints.copy()
    for instance in np.flatnonzero(rng.random(len(joints)) < share):
        others = np.flatnonzero(labels.image_index == labels.image_index[instance])
        others = others[others != instance]
        # Drawn even if nobody else is in the image: the result of a seed depends on the order of the draws.
        whole, limb = rng.random() < 0.5, limbs[rng.integers(len(limbs))]
        if len(others):
            other = rng.choice(others)
            copied = np.arange(len(labels.names)) if whole else np.array(limb, dtype=int)
            copied = copied[labels.visible[other, copied] > 0]
            joints[instance, copied] = labels.joints[other, copied]
    return replace(labels, joints=joints)


def _missing(labels: Labels, share: float, rng: np.random.Generator) -> Labels:
    removed = rng.random(labels.visible.shape) < share
    return replace(labels, visible=np.where(removed, 0, labels.visible))


def _visibility(labels: Labels, share: float, rng: np.random.Generator) -> Labels:
    added = (rng.random(labels.visible.shape) < share) & (labels.visible == 0)
    added &= labels.visible.any(axis=1, keepdims=True)  # without any label there is no box to draw from
    joints = labels.joints.copy()
    for instance, joint in np.argwhere(added):
        labelled = labels.joints[instance, labels.visible[instance] > 0]
        joints[instance, joint] = rng.uniform(labelled.min(axis=0), labelled.max(axis=0))
    return replace(labels, joints=joints, visible=np.where(added, 1, labels.visible))


def _convention(labels: Labels, share: float, rng: np.random.Generator) -> Labels:
    joints, instances = labels.joints.copy(), rng.random(len(labels.joints)) < share
    for name, position in labels.other_convention.items():
        joints[instances, labels.names.index(name)] = np.asarray(position)[instances]
    return replace(labels, joints=joints)


def _mixed(labels: Labels, share: float, rng: np.random.Generator) -> Labels:
    kinds = (_exchange, _limb_swap, _person_swap, _offset, _jitter)
    kind_of = rng.integers(len(kinds), size=len(labels.joints))
    joints, visible = labels.joints.copy(), labels.visible.copy()
    # Every kind corrupts all instances, and each instance takes its own kind's result.
    for index, kind in enumerate(kinds):
        instances, corrupted = kind_of == index, kind(labels, share, rng)
        joints[instances], visible[instances] = corrupted.joints[instances], corrupted.visible[instances]
    return replace(labels, joints=joints, visible=visible)


class NoiseKind(NamedTuple):
    """One kind of label noise.

    meaning: one line for ``--help``.
    apply: returns the labels with about a ``share`` of them corrupted.
    needs_limbs: corrupts the joints of arms and legs, so it means nothing for joints of other objects.
    """

    meaning: str
    apply: Corruption
    needs_limbs: bool = False


NOISE_KINDS = {
    "none": NoiseKind("Nothing is corrupted.", _none),
    "exchange": NoiseKind("Wrist and elbow, or ankle and knee, exchanged; per limb.", _exchange, True),
    "limb_swap": NoiseKind("Left and right exchanged; per pair of arms or legs.", _limb_swap, True),
    "person_swap": NoiseKind("Left and right exchanged in the whole body; per person.", _person_swap, True),
    "offset": NoiseKind("Moved by a constant share of the person's size; per joint.", _offset),
    "jitter": NoiseKind("Moved far in a random direction; per joint.", _jitter),
    "wrong_person": NoiseKind(
        "One limb or (half the time) all joints put on another person; per person.", _wrong_person, True
    ),
    "missing": NoiseKind("The label is removed; per joint.", _missing),
    "visibility": NoiseKind(
        "An unlabelled joint gets a label, inside the box of the others; per joint.", _visibility
    ),
    "convention": NoiseKind("Marked where another data set marks it; per person.", _convention),
    "mixed": NoiseKind("Each person draws exchange, limb_swap, person_swap, offset or jitter.", _mixed, True),
}


def parse_noises(text: str) -> list[tuple[str, float]]:
    """Parse "KIND:SHARE", or several joined by "+", into [(kind, share)], applied in that order.

    Raises:
        InputError: as ``parse_noise``.
    """
    return [parse_noise(part) for part in text.split("+")]


def parse_noise(text: str) -> tuple[str, float]:
    """Parse one "KIND:SHARE" ("jitter:0.6"; "none" needs no share) into (kind, share).

    Raises:
        InputError: if the kind is unknown or the share is not a number in [0, 1].
    """
    kind, colon, share = text.partition(":")
    if kind not in NOISE_KINDS:
        nearest = difflib.get_close_matches(kind, NOISE_KINDS, n=1, cutoff=0)[0]
        raise InputError(
            f"noise '{text}': there is no kind '{kind}', did you mean '{nearest}'? "
            f"The kinds are {', '.join(NOISE_KINDS)}"
        )
    if kind == "none" and not colon:
        return kind, 0.0
    try:
        number = float(share)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise InputError(f"noise '{text}': the share is '{share}', expected KIND:SHARE, the share in [0, 1]")
    return kind, number


def corrupt_in_turn(
    labels: Labels, noises: list[tuple[str, float]], rng: np.random.Generator, keep_labelled: bool = False
) -> CorruptedLabels:
    """Apply several kinds of noise, [(kind, share)], one after another; other arguments as ``corrupt``.

    ``corrupted`` compares the final with the original labels, since one corruption can undo another.
    """
    result = labels
    for kind, share in noises:
        joints, visible, _ = corrupt(result, kind, share, rng, keep_labelled)
        result = replace(result, joints=joints, visible=visible)
    visible = (np.asarray(result.visible) > 0).astype(int)
    joints = np.array(result.joints, dtype=float)
    return CorruptedLabels(joints, visible, labels_differ(labels.joints, labels.visible, joints, visible))


def corrupt(
    labels: Labels, kind: str, share: float, rng: np.random.Generator, keep_labelled: bool = False
) -> CorruptedLabels:
    """Corrupt a share of the labels in the way of one of the NOISE_KINDS.

    Moved labels stay within the image. When a labelled joint and its unlabelled counterpart are exchanged,
    the label counts as removed from the one and added to the other.

    Args:
        labels: clean labels, not modified.
        kind: key of NOISE_KINDS.
        share: probability in [0, 1] that a unit of the kind (joint, limb or instance) is corrupted.
        rng: source of the random numbers.
        keep_labelled: only ``missing`` and ``visibility`` may change which joints have a label; joints that
            another kind would label or unlabel keep their original labels.

    Returns:
        The new labels, in float64 and int, and which of them differ from ``labels``.

    Raises:
        InputError: for ``convention`` without ``labels.other_convention``, and for a kind that needs arms or
            legs if no joint of theirs is among ``labels.names``.
    """
    if kind == "convention" and not labels.other_convention:
        raise InputError("noise 'convention': no second convention is known for any of these joints")
    if NOISE_KINDS[kind].needs_limbs and not labels.joint_indices(*ARM, *LEG):
        general = [name for name, k in NOISE_KINDS.items() if not k.needs_limbs and name != "convention"]
        raise InputError(
            f"noise '{kind}' needs joints of arms or legs (left_wrist, right_knee, ...), found only "
            f"{', '.join(labels.names):.200}; kinds for any joints are {', '.join(general)}"
        )
    clean = replace(
        labels,
        joints=np.array(labels.joints, dtype=float),
        visible=(np.asarray(labels.visible) > 0).astype(int),
    )
    noisy = NOISE_KINDS[kind].apply(clean, share, rng)
    if keep_labelled and kind not in ("missing", "visibility"):
        same = noisy.visible == clean.visible
        joints = np.where(same[..., None], noisy.joints, clean.joints)
        noisy = replace(noisy, joints=joints, visible=clean.visible)

    # Only moved labels are clipped to the image: clean ones may lie outside. A label that clipping puts back
    # where it was is not corrupted.
    moved = (noisy.joints != clean.joints).any(axis=2, keepdims=True)
    within = np.clip(noisy.joints, 0, clean.bounds[:, None] - 1)
    joints = np.where(moved, within, clean.joints)
    corrupted = labels_differ(clean.joints, clean.visible, joints, noisy.visible)
    return CorruptedLabels(np.where(corrupted[..., None], joints, clean.joints), noisy.visible, corrupted)


def labels_differ(
    joints: np.ndarray, visible: np.ndarray, other_joints: np.ndarray, other_visible: np.ndarray
) -> np.ndarray:
    """[N, J] bool, true where only one of two label sets has a label, or both have one at different places.

    Args:
        joints, other_joints: [N, J, 2] pixels.
        visible, other_visible: [N, J], nonzero where labelled.
    """
    visible, other_visible = np.asarray(visible) > 0, np.asarray(other_visible) > 0
    moved = (np.asarray(joints) != np.asarray(other_joints)).any(axis=-1)
    return (visible != other_visible) | (moved & visible)
