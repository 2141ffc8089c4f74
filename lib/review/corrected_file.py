"""The corrected text of an annotation file, or the file with a weight for each of its keypoints."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lib.ignoring.cleaned_annotations import WEIGHTS_KEY
from lib.review.corrections import Corrections, Outcome
from lib.review.found import TABLE, FoundLabels, LabelFile
from lib.review.label_text import Frame, Instance, LabelText
from lib.utils.errors import InputError, short_repr
from lib.utils.json_text import edited, with_member

SLACK = 0.01  # pixels by which a place in the table differs from the file's, which has more digits
SLACK_SHARE = 1e-6  # of the coordinate: places are read with the precision of float32


@dataclass(frozen=True)
class Change:
    """A label that is changed. was, becomes: x, y and v as the file gives them.

    annotation_id, joint: of the label.
    position: of its keypoint among the file's.
    keypoint: the file's name of it.
    """

    annotation_id: int
    joint: str
    position: int
    keypoint: str
    was: list
    becomes: list
    outcome: Outcome

    @property
    def note(self) -> dict:
        """For the annotation's attributes."""
        return {
            "keypoint": self.keypoint,
            "was": self.was,
            "verdict": self.outcome.verdict.value,
            "reviewer": ", ".join(self.outcome.reviewers),
        }


@dataclass(frozen=True)
class JudgedFile:
    """An annotation file and its labels in doubt.

    file: as it was when its labels were judged.
    text: as it is.
    labels: what was found in it.
    """

    file: LabelFile
    text: LabelText
    labels: FoundLabels

    def changes(self, corrections: Corrections) -> list[Change]:
        """The labels that are not as the ``corrections`` say, in the order of the file.

        Raises:
            InputError: a correction is of an annotation or joint that the file does not have, or the places in the
                file are not those in the table.
        """
        instances = self.instances({number for number, _ in corrections.outcomes})
        frames = self._frames(instances)
        changes = []
        for (number, joint), outcome in corrections.outcomes.items():
            instance = instances[number]
            frame = frames[instance.start]
            if change := self._change(instance, frame, joint, outcome):
                changes.append(change)
        return sorted(changes, key=lambda each: (instances[each.annotation_id].start, each.position))

    def corrected(self, changes: Sequence[Change]) -> str:
        """The text of the file with the ``changes``, each noted in the attributes of its annotation.

        ``num_keypoints`` of these annotations is counted anew. Raises InputError if a note cannot be added.
        """
        by_number: dict[int, list[Change]] = defaultdict(list)
        for change in changes:
            by_number[change.annotation_id].append(change)
        instances, edits = self.instances(by_number), []
        for number, own in by_number.items():
            becomes = {change.position: change.becomes for change in own}
            edits += self.text.label_edits(instances[number], becomes)
            edits.append(self.text.note_edit(instances[number], [change.note for change in own]))
        return edited(self.text.text, edits)

    def weighted(self, weights: np.ndarray) -> str:
        """The text of the file with ``keypoint_weights`` in each annotation, a weight for each keypoint.

        It is 1 for keypoints that are not among the labels.

        Args:
            weights: [K], of the labels.
        """
        position_of = dict(zip(self.file.joints, self.file.positions))
        of_number: dict[int, dict[int, float]] = defaultdict(dict)
        columns = (self.labels.annotation_id, self.labels.joint, self.labels.rank, weights)
        for number, joint, rank, weight in zip(*(column.tolist() for column in columns)):
            if rank:
                of_number[number][position_of[joint]] = round(weight, 4)
        instances, edits = self.instances(of_number), []
        judged = {instance.start: of_number[number] for number, instance in instances.items()}
        for instance in self.text.instances:
            known = judged.get(instance.start, {})
            own = [known.get(k, 1.0) for k in range(len(instance.labels))]
            edits.append(with_member(self.text.text, instance.start, WEIGHTS_KEY, own))
        return edited(self.text.text, edits)

    def instances(self, numbers: Collection[int]) -> dict[int, Instance]:
        """{annotation id: the instance that was judged}. Others may have its id: crowds, objects of other categories.

        Raises:
            InputError: the file has no such annotation, or it is not known which of several is meant.
        """
        places = self._places(numbers)
        found = {}
        for number in numbers:
            candidates = self.text.by_number.get(number, [])
            if number not in places or not candidates:
                raise InputError(
                    f"annotation {number}: has decisions, but is not among the labels that were judged "
                    f"({TABLE} beside the decisions, {self.text.path})"
                )
            if len(candidates) > 1:
                candidates = [
                    candidate
                    for candidate in candidates
                    if any(not self._strayed(candidate, frames, places[number]) for frames in self._readings)
                ]
            if len(candidates) != 1:
                raise InputError(
                    f"{self.text.path}: annotation {number}: id given twice, so it is not known whose labels were "
                    "reviewed"
                )
            found[number] = candidates[0]
        return found

    @cached_property
    def _readings(self) -> list[dict[int, Frame]]:
        return list(self.text.frames())

    def _frames(self, instances: dict[int, Instance]) -> dict[int, Frame]:
        """{start of an instance: frame in which its labels are where the table has them}.

        Raises:
            InputError: they are somewhere else, however the file gives places.
        """
        places = self._places(instances)
        first = ""
        for frames in self.text.frames():
            strayed = (self._strayed(each, frames, places[number]) for number, each in instances.items())
            if not (problem := next(filter(None, strayed), "")):
                return frames
            first = first or problem
        raise InputError(
            f"{self.text.path}: {first}; corrections can only be written where the file itself has the labels that "
            "were judged (not MPII's gt_valid.mat, no injected noise), in pixels or, with the sizes of images, as shares"
        )

    def _strayed(self, instance: Instance, frames: dict[int, Frame], places: dict[str, list]) -> str:
        """Which label of the instance is not where the table has it, in words; empty if all are."""
        frame = frames.get(instance.start)
        for joint, place in places.items():
            position = self.file.positions[self.file.joints.index(joint)]
            label = instance.labels[position] if 0 <= position < len(instance.labels) else None
            if label is None or frame is None or not _is_at(frame, label, place):
                return f"{joint} of annotation {instance.number} is {short_repr(label)}, but {place} pixels in {TABLE}"
        return ""

    def _places(self, numbers: Collection[int]) -> dict[int, dict[str, list]]:
        """{annotation id: {joint: [x, y] of its label}} of the table, image pixels from 0."""
        labels = self.labels
        here = np.flatnonzero(np.isin(labels.annotation_id, list(numbers)))
        found: dict[int, dict[str, list]] = defaultdict(dict)
        columns = (labels.annotation_id, labels.joint, labels.rank, labels.x, labels.y)
        for number, joint, rank, x, y in zip(*(column[here].tolist() for column in columns)):
            known = found[number]
            if rank:
                known[joint] = [x, y]
        return dict(found)

    def _change(self, instance: Instance, frame: Frame, joint: str, outcome: Outcome) -> Change | None:
        """What an outcome changes; None if the label is like that."""
        if outcome.label_of == joint:
            return None
        position = self._position(instance, joint)
        was = instance.labels[position]
        is_labelled = bool(was[2]) and was[2] > 0
        if outcome.label_of is not None:
            becomes = instance.labels[self._position(instance, outcome.label_of)]
        elif outcome.place is not None:
            becomes = [*frame.in_file(outcome.place), was[2] if is_labelled else self.text.added]
        else:
            becomes = list(self.text.unlabelled) if is_labelled else was
        if becomes == was:
            return None
        keypoint = self.file.keypoints[self.file.joints.index(joint)]
        return Change(instance.number, joint, position, keypoint, was, becomes, outcome)

    def _position(self, instance: Instance, joint: str) -> int:
        """The position of a joint's keypoint; InputError if the file does not have it."""
        position = self.file.positions[self.file.joints.index(joint)]
        if not 0 <= position < len(instance.labels):
            raise InputError(
                f"annotation {instance.number}: has a decision on {joint}, for which {self.text.path} has no keypoint"
            )
        return position


def weights_of(labels: FoundLabels, corrections: Corrections) -> np.ndarray:
    """A weight in [0, 1] for each of the K labels, [K].

    Reviewed labels have 1 if they are right, else 0. Others (and those on which reviewers disagree) have the estimated
    probability of being right; where none was estimated the weight that was learned, and 1 where there is none either.
    """
    weights = np.where(np.isnan(labels.probability), labels.weight, 1 - labels.probability)
    weights = np.where(np.isnan(weights), 1.0, weights)
    row_of = {label: k for k, label in enumerate(zip(labels.annotation_id.tolist(), labels.joint.tolist()))}
    for (number, joint), outcome in corrections.outcomes.items():
        if (row := row_of.get((number, joint))) is not None:
            weights[row] = outcome.label_of == joint
    return weights


def _is_at(frame: Frame, label: list, place: list) -> bool:
    """Whether a label [x, y, v] of the file is at a ``place`` of the table."""
    try:
        found = np.array(frame.pixels(label), float)
    except TypeError:  # null
        return False
    return bool((np.abs(found - place) <= SLACK + SLACK_SHARE * np.abs(found)).all())
