"""Labels that were reviewed in earlier folders of find_labels.py: they are right, and are not judged again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lib.dataset.annotations import Annotations
from lib.review.apply import Reviewed
from lib.review.corrected_file import SLACK, SLACK_SHARE
from lib.review.decisions import PREFIX, SUFFIX
from lib.review.found import LabelFile
from lib.review.inputs import REVIEWED
from lib.utils.errors import InputError
from lib.utils.files import write_text

Keypoint = tuple[int, str]  # annotation id, and the annotation file's name of the keypoint
Place = tuple[float, float] | None  # image pixels from 0; None: no label


@dataclass(frozen=True)
class KnownLabels:
    """What earlier reviews say of N instances with J joints.

    annotations: with the labels as the reviewers corrected them.
    settled: [N, J] bool, labels (and joints without one) on which they decided.
    disagreed: number of labels on which reviewers disagree; these stay as they are.
    unread: number of labels of keypoints that no joint is read from.
    """

    annotations: Annotations
    settled: np.ndarray
    disagreed: int
    unread: int

    def line(self) -> str:
        """The same in words."""
        count, right = int(self.settled.sum()), int((self.settled & (self.annotations.visible > 0)).sum())
        text = f"reviewed before: {count} labels, of which {right} are right in their places and {count - right} hidden"
        if self.disagreed:
            text += f"; reviewers disagree on {self.disagreed} more, which count as not reviewed"
        if self.unread:
            text += f"; {self.unread} more are of keypoints that are not read here"
        return text


def reviewed_labels(annotations: Annotations, file: LabelFile, reviewed: Sequence[Reviewed]) -> KnownLabels:
    """Find the reviewed labels among the ``annotations``, and correct them.

    The annotations are those of the file that was reviewed, whose labels are corrected here, or of one in which they
    are corrected already. What a later folder says of a label of a corrected file replaces what an earlier one said.

    Args:
        annotations: the labels in doubt.
        file: their file.
        reviewed: earlier folders.

    Raises:
        InputError: a reviewed label is not in the annotations, or is neither as it was nor corrected.
    """
    joint_of = {keypoint: j for j, keypoint in enumerate(file.keypoints) if keypoint}
    instance_of = {number: i for i, number in enumerate(annotations.ids.tolist())}
    places, disagreed = _places(reviewed)
    joints, visible = annotations.joints.copy(), annotations.visible.copy()
    settled, unread = np.zeros(visible.shape, bool), 0
    for (number, keypoint), (place, folder) in places.items():
        i, j = instance_of.get(number), joint_of.get(keypoint)
        if j is None:
            unread += 1
            continue
        if i is None and place is None:
            continue  # without any label an instance is not read
        now = annotations.joints[i, j].tolist() if i is not None and annotations.visible[i, j] > 0 else None
        is_unchanged = folder.file.sha256 == file.sha256
        if i is None or not (is_unchanged or _same(now, place)):
            raise InputError(
                f"--reviewed {folder.folder}: {keypoint} of annotation {number} is {'not' if i is None else _text(now)} in {file.path}, expected "
                f"{_text(place)}, where it was reviewed to be: give the file that was reviewed ({folder.file.path}), or what "
                "apply_corrections.py made of it"
            )
        settled[i, j], visible[i, j] = True, place is not None
        if place is not None and not _same(now, place):
            joints[i, j] = place
    corrected = replace(annotations, joints=joints, visible=visible)
    return KnownLabels(corrected, settled, disagreed, unread)


def decision_files(reviewed: Sequence[Reviewed], file: LabelFile | None = None) -> dict[str, Path]:
    """{name: path} of the files of decisions; with ``file`` those about this very file, one for each reviewer.

    Raises:
        InputError: two files of one reviewer about the ``file`` differ, other than by what was added to one.
    """
    found: dict[str, Path] = {}
    for folder in reviewed:
        for path in sorted(folder.folder.glob(f"{PREFIX}*{SUFFIX}")):
            if file is None:
                found[f"{REVIEWED}{path}"] = path
            elif folder.file.sha256 == file.sha256:
                found[path.name] = _longer(found.get(path.name, path), path)
    return found


def carry_over(files: Mapping[str, Path], output: Path) -> None:
    """Copy files of decisions into ``output``, unless what is there begins with them.

    Raises:
        InputError: the folder has other decisions of that reviewer.
    """
    for name, path in files.items():
        there = output / name
        if not there.exists() or _longer(path, there) == path:
            write_text(there, path.read_text(encoding="utf-8"))


def _longer(one: Path, other: Path) -> Path:
    """The longer of two files of which one begins with the other; InputError if neither does."""
    shorter, longer = sorted((one, other), key=lambda path: path.stat().st_size)
    if not longer.read_bytes().startswith(shorter.read_bytes()):
        raise InputError(
            f"{one}, {other}: two reviewers of one name about one file; rename one, as {PREFIX}OTHER{SUFFIX}"
        )
    return longer


def _places(reviewed: Sequence[Reviewed]) -> tuple[dict[Keypoint, tuple[Place, Reviewed]], int]:
    """{label: where it belongs, and who says so}, and the number of labels on which reviewers disagree."""
    places: dict[Keypoint, tuple[Place, Reviewed]] = {}
    disputed: set[tuple[str, Keypoint]] = set()
    for folder in reviewed:
        name_of = dict(zip(folder.file.joints, folder.file.keypoints))
        sha256 = folder.file.sha256
        for each in folder.corrections.disagreements:
            disputed.add((sha256, (each.annotation_id, name_of[each.joint])))
        for label, place in _of_folder(folder).items():
            keypoint = label[0], name_of[label[1]]
            former = places.get(keypoint)
            if former and former[1].file.sha256 == sha256 and not _same(former[0], place):
                disputed.add((sha256, keypoint))
            places[keypoint] = place, folder
    agreed = {
        keypoint: found
        for keypoint, found in places.items()
        if (found[1].file.sha256, keypoint) not in disputed
    }
    return agreed, len({keypoint for _, keypoint in disputed} - set(agreed))


def _of_folder(folder: Reviewed) -> dict[Keypoint, Place]:
    """{(annotation id, joint): where its label belongs} of the labels on which the folder's reviewers agree."""
    labels, outcomes = folder.labels, folder.corrections.outcomes
    here = np.flatnonzero(
        np.isin(labels.annotation_id, [number for number, _ in outcomes]) & (labels.rank > 0)
    )
    columns = (labels.annotation_id, labels.joint, labels.x, labels.y)
    was = {
        (number, joint): (x, y) for number, joint, x, y in zip(*(column[here].tolist() for column in columns))
    }
    return {
        (number, joint): outcome.place if outcome.label_of is None else was.get((number, outcome.label_of))
        for (number, joint), outcome in outcomes.items()
    }


def _same(one: Place | list[float], other: Place) -> bool:
    """Whether two places are the same, as far as tables tell them."""
    if one is None or other is None:
        return one is other
    return bool((np.abs(np.subtract(one, other)) <= 2 * SLACK + SLACK_SHARE * np.abs(one)).all())


def _text(place: Place | list[float]) -> str:
    return "without a label" if place is None else f"at ({place[0]:.2f}, {place[1]:.2f})"
