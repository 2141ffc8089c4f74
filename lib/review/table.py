"""Looking labels up in the table of `FoundLabels`: by annotation and joint, and by what is asked for."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from lib.review.found import FoundLabels, LabelFile

NOBODY: Mapping[int, str] = MappingProxyType({})
GAIN = "gain"
ORDERS = ("", GAIN)  # values of ``Filter.order``
REVIEWED = ("no", "yes", "any")  # values of ``Filter.reviewed``


@dataclass(frozen=True)
class Filter:
    """Which rows are asked for; what is empty or None does not matter.

    kind, joint: names.
    image: part of the image's name, in any case.
    annotator: name of who labelled the instance.
    low, high: bounds of the score, both included; they leave out missing labels, which have none.
    reviewed: one of REVIEWED.
    order: one of ORDERS: the most suspect first or, with GAIN, those whose decision is expected to right most labels.
    """

    kind: str = ""
    joint: str = ""
    image: str = ""
    annotator: str = ""
    low: float | None = None
    high: float | None = None
    reviewed: str = "no"
    order: str = ""


class Table:
    """K labels that are found by annotation and joint.

    labels: the columns, each [K].
    file: the file that they are of.
    annotator: who labelled the instance of each label, empty if the file does not say.
    """

    def __init__(self, file: LabelFile, labels: FoundLabels, annotators: Mapping[int, str] = NOBODY):
        self.file, self.labels = file, labels
        self._joints = {name: number for number, name in enumerate(file.joints)}
        self._ids, person = np.unique(labels.annotation_id, return_inverse=True)
        self._person = person
        names, inverse = np.unique(labels.joint, return_inverse=True)
        joints = np.array([self._joints.get(str(name), len(self._joints)) for name in names], np.int64)
        self._joint = joints[inverse]
        keys = person.astype(np.int64) * (len(self._joints) + 1) + self._joint
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]
        self.annotator = np.array([annotators.get(number, "") for number in self._ids.tolist()], np.str_)[
            person
        ]
        self._images, self._image = np.unique(labels.image, return_inverse=True)

    def __len__(self) -> int:
        return len(self.labels)

    def row(self, annotation_id: int, joint: str) -> int | None:
        """The row of a label, None if the table does not have it."""
        key = self._key(annotation_id, self._joints.get(joint, len(self._joints)))
        k = int(np.searchsorted(self._keys, key))
        return int(self._order[k]) if k < len(self._keys) and self._keys[k] == key else None

    def rows_of_person(self, annotation_id: int) -> np.ndarray:
        """The rows of all labels of an instance, in the order of the joints; none if the table does not have it."""
        first = self._key(annotation_id, 0)
        if first < 0:
            return self._order[:0]
        start, end = np.searchsorted(self._keys, [first, first + len(self._joints) + 1])
        return self._order[start:end]

    def _key(self, annotation_id: int, joint: int) -> int:
        person = int(np.searchsorted(self._ids, annotation_id))
        known = person < len(self._ids) and self._ids[person] == annotation_id
        return person * (len(self._joints) + 1) + joint if known else -1

    def matching(self, wanted: Filter, reviewed: np.ndarray) -> np.ndarray:
        """int32, the rows that are asked for, in the table's order; ``reviewed``: bool [K]."""
        labels, keep = self.labels, np.ones(len(self), bool)
        if wanted.kind:
            keep &= labels.kind == wanted.kind
        if wanted.joint:
            keep &= labels.joint == wanted.joint
        if wanted.image:
            text = wanted.image.casefold()
            keep &= np.array([text in str(name).casefold() for name in self._images], bool)[self._image]
        if wanted.annotator:
            keep &= self.annotator == wanted.annotator
        if wanted.low is not None:
            keep &= labels.score >= wanted.low
        if wanted.high is not None:
            keep &= labels.score <= wanted.high
        if wanted.reviewed != "any":
            keep &= reviewed == (wanted.reviewed == "yes")
        rows = np.flatnonzero(keep).astype(np.int32)
        return rows[np.argsort(-self.gain[rows], kind="stable")] if wanted.order == GAIN else rows

    @functools.cached_property
    def gain(self) -> np.ndarray:
        """[K] number of wrong labels that a decision is expected to right; 0 where no probability was estimated.

        It is the probability of being wrong times the labels that the decision for its kind is about.
        """
        labels, file = self.labels, self.file
        present = np.zeros((len(self._ids), len(file.joints) + 1), bool)
        present[self._person, self._joint] = np.isfinite(labels.x)
        count = np.where(labels.kind == "exchanged", 2, 1)
        count = np.where(labels.kind == "person sides", self._labels_of(file.known_pairs, present), count)
        for name, pairs in file.limbs.items():
            chosen = (labels.kind == "limb sides") & (labels.joint == name)
            count = np.where(chosen, self._labels_of(pairs, present), count)
        return np.nan_to_num(labels.probability) * count

    def _labels_of(self, pairs: tuple[tuple[str, str], ...], present: np.ndarray) -> np.ndarray:
        """[K] how many labels of these pairs the instance of each label has, at least 1."""
        joints = [self._joints[name] for pair in pairs for name in pair]
        return np.maximum(present[:, joints].sum(axis=1), 1)[self._person]

    def image_sample(self, count: int) -> list[str]:
        """The names of up to ``count`` images, evenly spread."""
        chosen = np.linspace(0, len(self._images) - 1, min(count, len(self._images))).astype(int)
        return [str(name) for name in self._images[chosen]]
