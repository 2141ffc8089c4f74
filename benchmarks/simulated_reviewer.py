"""A reviewer who sees the truth: what is left of the wrong labels after so many decisions, in a given order.

Scores that orders are made of, beside those of the benchmarks: what a decision is expected to settle, and what it does.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from lib.dataset.annotations import Annotations
from lib.ignoring.suspects import Suspects
from lib.label_noise.corruptions import labels_differ
from lib.label_noise.truth import Truth
from lib.review.decisions import Decision, Verdict
from lib.wrong_labels.name_permutations import limbs_of


@dataclass(frozen=True)
class Reviewed:
    """What N instances with J joints are after R reviews.

    annotations: with the labels as they are then.
    decisions: R of them, in their order.
    settled: [N, J] bool, labels that a decision left right; they are not looked at again.
    left: number of labels that are wrong.
    """

    annotations: Annotations
    decisions: tuple[Decision, ...]
    settled: np.ndarray
    left: int

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Those of the decisions."""
        return tuple(decision.verdict for decision in self.decisions)


def review(annotations: Annotations, truth: Truth, order: Iterable[int], count: int) -> Reviewed:
    """Let the reviewer decide on ``count`` labels.

    It looks at them one by one and skips those that are settled already. A label that is right is left as it is. Of a
    wrong one it says what rights the most labels and none wrongs: that it is exchanged with another joint's, that left
    and right of its limb or of the whole person are exchanged, or where it belongs; without a true place it is hidden. As
    in review.py, decisions are about the labels of the file, whatever was decided before.

    Args:
        annotations: labels in doubt.
        truth: of the same instances.
        order: positions in the flattened [N, J] of the labels, the first to review first.
        count: of decisions; fewer are made if the order ends before.
    """
    people = _People.of(annotations, truth)
    decisions: list[Decision] = []
    for i, j in (divmod(int(position), people.right.shape[1]) for position in order):
        if len(decisions) == count:
            break
        if not people.settled[i, j]:
            said = people.decide(i, j)
            label = {"annotation_id": int(annotations.ids[i]), "joint": annotations.mapping.names[j]}
            if said.verdict is Verdict.MOVED:
                label |= dict(zip("xy", people.joints[i, j].tolist()))
            if said.verdict is Verdict.EXCHANGED:
                label["partner"] = annotations.mapping.names[said.source[j]]
            decisions.append(Decision(len(decisions) + 1, "", verdict=said.verdict, **label))
    corrected = replace(annotations, joints=people.joints, visible=people.visible.astype(np.float32))
    left = int((people.visible & ~people.right).sum())
    return Reviewed(corrected, tuple(decisions), people.settled, left)


def expected_gain(annotations: Annotations, suspects: Suspects) -> np.ndarray:
    """[N, J] how many wrong labels a decision on each label is expected to settle, if the suspects are described well."""
    flip = np.array(annotations.mapping.flip_indices)
    settled = np.ones(suspects.kind.shape)
    settled[np.isin(suspects.kind, ("exchanged", "limb sides"))] = 2  # of joints without a limb, too
    own, labelled = np.arange(len(flip)), annotations.visible > 0
    for j, source in limbs_of(annotations.mapping.skeleton).items():
        of_limb = labelled[:, source != own].sum(axis=1)
        settled[:, j] = np.where(suspects.kind[:, j] == "limb sides", of_limb, settled[:, j])
    sided = labelled[:, flip != own].sum(axis=1)
    settled = np.where(suspects.kind == "person sides", sided[:, None], settled)
    return suspects.probability * settled


def true_gain(annotations: Annotations, truth: Truth) -> np.ndarray:
    """[N, J] how many wrong labels a decision on each label settles if it is the first: about the best order there is."""
    people = _People.of(annotations, truth)
    gains = np.zeros(people.right.shape)
    for i, j in np.argwhere(people.visible & ~people.right):
        gains[i, j] = people.best(i, j).gain
    return gains


class _Choice(NamedTuple):
    """A decision on a label.

    source: the joint whose label each joint gets [J]; None: the label alone is given its true place, or hidden.
    gain: number of labels that it rights.
    """

    verdict: Verdict
    source: np.ndarray | None
    gain: int


@dataclass(frozen=True)
class _People:
    """The labels of the file, as they are and as they should be; ``decide`` changes them in place.

    annotations: of the file.
    joints, clean: [N, J, 2] pixels.   visible, known: [N, J] bool, there is a label, there is a true place.
    right: [N, J] bool, the label is as it should be.   settled: see `Reviewed`.
    flip: [J] the joint of the other side, itself for joints of the middle.
    limbs: {joint: [J] the same, but other joints than those of its pair of limbs are themselves}.
    """

    annotations: Annotations
    joints: np.ndarray
    visible: np.ndarray
    clean: np.ndarray
    known: np.ndarray
    right: np.ndarray
    settled: np.ndarray
    flip: np.ndarray
    limbs: dict[int, np.ndarray]

    @classmethod
    def of(cls, annotations: Annotations, truth: Truth) -> "_People":
        joints, visible = annotations.joints.copy(), annotations.visible > 0
        known = np.isfinite(truth.clean_joints).all(axis=2)
        clean = truth.clean_joints.astype(joints.dtype)
        right = ~labels_differ(clean, known, joints, visible)
        settled, flip = np.zeros_like(visible), np.array(annotations.mapping.flip_indices)
        limbs = limbs_of(annotations.mapping.skeleton)
        return cls(annotations, joints, visible, clean, known, right, settled, flip, limbs)

    def decide(self, i: int, j: int) -> _Choice:
        """Decide on the label of joint ``j`` of instance ``i``."""
        choice = self.best(i, j)
        own = np.arange(len(self.flip))
        if choice.source is None:
            self.joints[i, j], self.visible[i, j] = self.clean[i, j], self.known[i, j]
            concerned = own == j
        else:
            self.joints[i], self.visible[i] = self._renamed(i, choice.source)
            concerned = choice.source != own
        self.right[i] = self._right_with(i, own)
        self.settled[i] |= concerned & self.right[i]
        return choice

    def best(self, i: int, j: int) -> _Choice:
        """The decision to make, see `review`."""
        if self.right[i, j]:
            return _Choice(Verdict.RIGHT, None, 0)
        best = _Choice(Verdict.MOVED if self.known[i, j] else Verdict.WRONG, None, 1)
        for verdict, source in self._renamings(j):
            after = self._right_with(i, source)
            gain = int(after.sum() - self.right[i].sum())
            if after[j] and (after >= self.right[i]).all() and gain > best.gain:
                best = _Choice(verdict, source, gain)
        return best

    def _renamings(self, j: int) -> Iterator[tuple[Verdict, np.ndarray]]:
        """Ways to rename labels of an instance: the joint whose label each joint gets [J]."""
        own = np.arange(len(self.flip))
        for partner in own[own != j]:
            source = own.copy()
            source[[j, partner]] = partner, j
            yield Verdict.EXCHANGED, source
        yield Verdict.SIDES, self.flip
        if j in self.limbs:
            yield Verdict.LIMB, self.limbs[j]

    def _right_with(self, i: int, source: np.ndarray) -> np.ndarray:
        """[J] bool, the labels of an instance that are right after a renaming."""
        return ~labels_differ(self.clean[i], self.known[i], *self._renamed(i, source))

    def _renamed(self, i: int, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The labels [J, 2] and [J] of an instance with some of the file's under other names."""
        same, file = source == np.arange(len(source)), self.annotations
        joints = np.where(same[:, None], self.joints[i], file.joints[i, source])
        return joints, np.where(same, self.visible[i], file.visible[i, source] > 0)
