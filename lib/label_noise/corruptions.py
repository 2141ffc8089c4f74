"""Wrong labels of known kinds, to measure what ignoring wrong labels is worth.

The kinds follow the errors found in real pose data sets (taxonomy of arXiv 2409.03887), plus
``exchange``, which no loss on the heatmaps alone gives away. Everything works on joints by name, so
any set and order of joints will do.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from lib.dataset.keypoints import flip_permutation
from lib.utils.errors import InputError

ARM = ("shoulder", "elbow", "wrist")
LEG = ("hip", "knee", "ankle")
SIDES = ("left", "right")

OFFSET = 0.13  # of the person's size, to the right and down
JITTER = (0.2, 0.5)  # of the person's size, in a random direction


@dataclass(frozen=True)
class Labels:
    """The labels of N people, J joints each, in pixels; the arguments of ``corrupt``."""

    joints: np.ndarray
    visible: np.ndarray
    names: tuple[str, ...]
    size: np.ndarray
    image_of: np.ndarray
    bounds: np.ndarray
    elsewhere: dict[str, np.ndarray]

    def of(self, *parts: str, sides: tuple[str, ...] = SIDES) -> list[int]:
        """Positions of the joints of these body parts that are among the names."""
        wanted = [f"{side}_{part}" for side in sides for part in parts]
        return [self.names.index(name) for name in wanted if name in self.names]

    def renamed(self, people, source) -> "Labels":
        """Give joint j of these people the label that joint source[j] has."""
        joints, visible = self.joints.copy(), self.visible.copy()
        joints[people] = self.joints[people][:, source]
        visible[people] = self.visible[people][:, source]
        return replace(self, joints=joints, visible=visible)


class Corrupted(NamedTuple):
    """joints [N, J, 2], visible [N, J] (0/1), and wrong [N, J] bool: labels moved, made or removed."""

    joints: np.ndarray
    visible: np.ndarray
    wrong: np.ndarray


def _none(labels, share, rng):
    return labels


def _exchange(labels, share, rng):
    for part, neighbour in (("wrist", "elbow"), ("ankle", "knee")):
        for side in SIDES:
            people = rng.random(len(labels.joints)) < share
            pair = labels.of(part, neighbour, sides=(side,))
            source = np.arange(len(labels.names))
            source[pair] = pair[::-1]
            labels = labels.renamed(people, source)
    return labels


def _swap_sides(labels, people, parts):
    """Left and right change places in these body parts of these people."""
    source, chosen = np.arange(len(labels.names)), labels.of(*parts)
    source[chosen] = np.array(flip_permutation(labels.names))[chosen]
    return labels.renamed(people, source)


def _limb_swap(labels, share, rng):
    for parts in (ARM, LEG):
        labels = _swap_sides(labels, rng.random(len(labels.joints)) < share, parts)
    return labels


def _person_swap(labels, share, rng):
    return _swap_sides(labels, rng.random(len(labels.joints)) < share, ARM + LEG)


def _moved(labels, chosen, displacement):
    """Displace the chosen [N, J] labels by displacement [N, J or 1, 2] shares of the person's size."""
    step = labels.size[:, None, None] * displacement
    return replace(labels, joints=np.where(chosen[..., None], labels.joints + step, labels.joints))


def _offset(labels, share, rng):
    return _moved(labels, rng.random(labels.visible.shape) < share, np.array([OFFSET, OFFSET]))


def _jitter(labels, share, rng):
    chosen = rng.random(labels.visible.shape) < share
    angle, distance = rng.uniform(0, 2 * np.pi, chosen.shape), rng.uniform(*JITTER, chosen.shape)
    return _moved(labels, chosen, np.stack([np.cos(angle), np.sin(angle)], axis=-1) * distance[..., None])


def _wrong_person(labels, share, rng):
    limbs = [labels.of(*parts, sides=(side,)) for parts in (ARM, LEG) for side in SIDES]
    joints = labels.joints.copy()
    for person in np.flatnonzero(rng.random(len(joints)) < share):
        others = np.flatnonzero(labels.image_of == labels.image_of[person])
        others = others[others != person]
        whole, limb = rng.random() < 0.5, limbs[rng.integers(len(limbs))]
        if len(others):
            other = rng.choice(others)
            taken = np.arange(len(labels.names)) if whole else np.array(limb, dtype=int)
            taken = taken[labels.visible[other, taken] > 0]
            joints[person, taken] = labels.joints[other, taken]
    return replace(labels, joints=joints)


def _missing(labels, share, rng):
    removed = rng.random(labels.visible.shape) < share
    return replace(labels, visible=np.where(removed, 0, labels.visible))


def _visibility(labels, share, rng):
    made = (rng.random(labels.visible.shape) < share) & (labels.visible == 0)
    made &= labels.visible.any(axis=1, keepdims=True)
    joints = labels.joints.copy()
    for person, joint in np.argwhere(made):
        annotated = labels.joints[person, labels.visible[person] > 0]
        joints[person, joint] = rng.uniform(annotated.min(axis=0), annotated.max(axis=0))
    return replace(labels, joints=joints, visible=np.where(made, 1, labels.visible))


def _convention(labels, share, rng):
    joints, people = labels.joints.copy(), rng.random(len(labels.joints)) < share
    for name, place in labels.elsewhere.items():
        joints[people, labels.names.index(name)] = np.asarray(place)[people]
    return replace(labels, joints=joints)


def _mixed(labels, share, rng):
    kinds = (_exchange, _limb_swap, _person_swap, _offset, _jitter)
    drawn = rng.integers(len(kinds), size=len(labels.joints))
    joints, visible = labels.joints.copy(), labels.visible.copy()
    for number, kind in enumerate(kinds):
        people, corrupted = drawn == number, kind(labels, share, rng)
        joints[people], visible[people] = corrupted.joints[people], corrupted.visible[people]
    return replace(labels, joints=joints, visible=visible)


class NoiseKind(NamedTuple):
    """One way for labels to be wrong. apply: (Labels, share, rng) -> Labels.

    of_limbs: it is about people's arms and legs, and means nothing for joints of anything else.
    """

    meaning: str
    apply: Callable
    of_limbs: bool = False


NOISE_KINDS = {
    "none": NoiseKind("All labels are right.", _none),
    "exchange": NoiseKind("Wrist and elbow, or ankle and knee, exchange names; per limb.", _exchange, True),
    "limb_swap": NoiseKind("Left and right change places; per pair of arms or legs.", _limb_swap, True),
    "person_swap": NoiseKind(
        "Left and right change places in the whole body; per person.", _person_swap, True
    ),
    "offset": NoiseKind("Moved by a constant share of the person's size; per joint.", _offset),
    "jitter": NoiseKind("Moved far in a random direction; per joint.", _jitter),
    "wrong_person": NoiseKind(
        "Half the time one limb, else all of it, is another's; per person.", _wrong_person, True
    ),
    "missing": NoiseKind("The label is removed; per joint.", _missing),
    "visibility": NoiseKind(
        "A joint without a label gets one, within the others' box; per joint.", _visibility
    ),
    "convention": NoiseKind("Marked where another data set marks it; per person.", _convention),
    "mixed": NoiseKind("Each person draws exchange, limb_swap, person_swap, offset or jitter.", _mixed, True),
}


def parse_noises(text: str) -> list[tuple[str, float]]:
    """Read "KIND:SHARE", or several joined by "+", to be applied one after another. Raises InputError."""
    return [parse_noise(part) for part in text.split("+")]


def parse_noise(text: str) -> tuple[str, float]:
    """Read "KIND:SHARE" ("jitter:0.6"; "none" needs no share). Raises InputError."""
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


def corrupt_in_turn(joints, visible, names, noises: list[tuple[str, float]], rng, **people) -> Corrupted:
    """One kind of noise (kind, share) after another; the other arguments are those of ``corrupt``.

    What is wrong is told by comparing the last labels with the first: a mistake may undo another.
    """
    first = np.array(joints, dtype=float), np.asarray(visible) > 0
    joints, visible = first
    for kind, share in noises:
        joints, visible, _ = corrupt(joints, visible, names, kind, share, rng, **people)
    visible = np.array(visible, dtype=int)
    return Corrupted(joints, visible, different(*first, joints, visible))


def different(joints, visible, other_joints, other_visible) -> np.ndarray:
    """[N, J] true where one of the two has a label and the other none, or one elsewhere."""
    visible, other_visible = np.asarray(visible) > 0, np.asarray(other_visible) > 0
    moved = (np.asarray(joints) != np.asarray(other_joints)).any(axis=-1)
    return (visible != other_visible) | (moved & visible)


def corrupt(
    joints,
    visible,
    names,
    kind: str,
    share: float,
    rng,
    *,
    size,
    image_of,
    bounds,
    elsewhere=None,
    keep_labelled: bool = False,
) -> Corrupted:
    """Make a share of the labels wrong, in the way of one of the NOISE_KINDS.

    joints: [N, J, 2] pixels. visible: [N, J], whether a joint is annotated. names: the J joints.
    rng: numpy Generator. size: [N], the people's size in pixels. image_of: [N], the image each is in.
    bounds: [N, 2], width and height of that image; labels that are moved stay within it.
    elsewhere: for ``convention``, {joint: [N, 2], where the other data set marks it}.

    Left or right without a label change names, too: then the label counts as removed here and made there.
    With ``keep_labelled`` such joints keep their names: only ``missing`` and ``visibility`` change which
    joints have a label.
    Raises InputError where ``convention`` is asked for and the other convention is not known, and for a kind
    that needs arms and legs where ``names`` has none of their joints.
    """
    if kind == "convention" and not elsewhere:
        raise InputError("noise 'convention': no second convention is known for any joint of these people")
    right = Labels(
        joints=np.array(joints, dtype=float),
        visible=(np.asarray(visible) > 0).astype(int),
        names=tuple(names),
        size=np.asarray(size),
        image_of=np.asarray(image_of),
        bounds=np.asarray(bounds),
        elsewhere=elsewhere or {},
    )
    if NOISE_KINDS[kind].of_limbs and not right.of(*ARM, *LEG):
        others = ", ".join(
            name for name, of in NOISE_KINDS.items() if not of.of_limbs and name != "convention"
        )
        raise InputError(
            f"noise '{kind}' is about people's arms and legs (left_wrist, right_knee, ...), of which these joints "
            f"have none; any joints can have {others}"
        )
    made = NOISE_KINDS[kind].apply(right, share, rng)
    if keep_labelled and kind not in ("missing", "visibility"):
        same = made.visible == right.visible
        made = replace(
            made, joints=np.where(same[..., None], made.joints, right.joints), visible=right.visible
        )

    moved = (made.joints != right.joints).any(axis=2, keepdims=True)
    within = np.clip(made.joints, 0, right.bounds[:, None] - 1)
    after = np.where(moved, within, right.joints)
    wrong = different(right.joints, right.visible, after, made.visible)
    return Corrupted(np.where(wrong[..., None], after, right.joints), made.visible, wrong)
