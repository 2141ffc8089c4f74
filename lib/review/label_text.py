"""The text of an annotation file, in which single labels are changed; everything else stays to the character."""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from lib.dataset.annotations import read_json, without_garbage_collection
from lib.dataset.instances import annotation_ids
from lib.review.found import DESCRIPTION, LabelFile
from lib.utils.errors import InputError, short_repr
from lib.utils.json_text import Edit, Value, elements, members, with_member, with_value
from lib.utils.log import LOG

NOTES = "lbi"  # member of an annotation's attributes: what was changed


@dataclass(frozen=True)
class Instance:
    """An annotation in the text of its file.

    number: its id.
    start: where its object starts in the text.
    entry: that object.
    labels: x, y and v of each of its keypoints, as the file has them; v above 0: labelled.
    """

    number: int
    start: int
    entry: dict
    labels: list[list]


@dataclass(frozen=True)
class Frame:
    """How a file gives places: as ``pixels / size + first``, for pixels counted from 0."""

    size: tuple[float, float] = (1.0, 1.0)
    first: float = 0.0
    digits: int = 2

    def pixels(self, label: list) -> tuple[float, float]:
        """The place of a label [x, y, v] of the file, in image pixels from 0."""
        x, y = ((number - self.first) * size for number, size in zip(label, self.size))
        return x, y

    def in_file(self, place: tuple[float, float]) -> list[float]:
        """A place in image pixels from 0, as the file gives it, rounded."""
        return [round(number / size + self.first, self.digits) for number, size in zip(place, self.size)]


@dataclass(frozen=True)
class LabelText(ABC):
    """An annotation file. path: where it is. text: its content. instances: its annotations with keypoints."""

    path: Path
    text: str
    instances: tuple[Instance, ...]

    unlabelled: ClassVar[tuple]  # x, y and v of a keypoint without label
    added: ClassVar[int]  # v of a label that is added

    @cached_property
    def by_number(self) -> dict[int, list[Instance]]:
        """The instances with each id; more than one only if ids are given twice."""
        found = defaultdict(list)
        for instance in self.instances:
            found[instance.number].append(instance)
        return dict(found)

    @abstractmethod
    def frames(self) -> Iterator[dict[int, Frame]]:
        """How places may be given, the most usual first: {position of an instance: frame}."""

    @abstractmethod
    def label_edits(self, instance: Instance, becomes: dict[int, list]) -> list[Edit]:
        """The edits that give an instance other labels, {position of the keypoint: [x, y, v]}."""

    def note_edit(self, instance: Instance, notes: list[dict]) -> Edit:
        """The edit that adds ``notes`` to those in the instance's attributes.

        Raises:
            InputError: its attributes are no object, or have something else under the name of the notes.
        """
        attributes = members(self.text, instance.start).get("attributes")
        if attributes is None or attributes.parsed is None:
            return with_member(self.text, instance.start, "attributes", {NOTES: notes})
        if not isinstance(attributes.parsed, dict):
            raise InputError(
                f"{self.path}: attributes of annotation {instance.number} are {short_repr(attributes.parsed)}, "
                "expected an object, to which a note on what was changed can be added"
            )
        earlier = attributes.parsed.get(NOTES, [])
        if not isinstance(earlier, list):
            raise InputError(
                f"{self.path}: attributes.{NOTES} of annotation {instance.number} is {short_repr(earlier)}, "
                "expected a list of notes on what was changed"
            )
        return with_member(self.text, attributes.start, NOTES, [*earlier, *notes])


class COCOText(LabelText):
    """A file in COCO's format."""

    unlabelled = (0, 0, 0)
    added = 2

    @classmethod
    def of(cls, path: Path, text: str, start: int) -> "COCOText":
        """The file at ``path``, whose object starts at ``start`` of its ``text``."""
        annotations = elements(text, members(text, start)["annotations"].start)
        numbers = annotation_ids([value.parsed for value in annotations], path).tolist()
        instances = [
            Instance(number, value.start, value.parsed, labels)
            for number, value in zip(numbers, annotations)
            if (labels := _labels(value.parsed))
        ]
        return cls(path, text, tuple(instances))

    def frames(self) -> Iterator[dict[int, Frame]]:
        yield {instance.start: Frame() for instance in self.instances}
        images = members(self.text, self.text.index("{"))["images"].parsed
        sizes = {image["id"]: (image.get("width"), image.get("height")) for image in images}
        shares = {instance.start: sizes.get(instance.entry.get("image_id")) for instance in self.instances}
        yield {
            start: Frame((float(size[0]), float(size[1])), digits=6)
            for start, size in shares.items()
            if size and size[0] and size[1]
        }

    def label_edits(self, instance: Instance, becomes: dict[int, list]) -> list[Edit]:
        own = members(self.text, instance.start)
        numbers = elements(self.text, own["keypoints"].start)
        if isinstance(numbers[0].parsed, list):
            numbers = [number for label in numbers for number in elements(self.text, label.start)]
        edits = [edit for k, label in becomes.items() for edit in _edits(numbers[3 * k : 3 * k + 3], label)]
        labels = [becomes.get(k, label) for k, label in enumerate(instance.labels)]
        count = sum(bool(v) and v > 0 for *_, v in labels)
        return edits + (_edits([own["num_keypoints"]], [count]) if "num_keypoints" in own else [])


class MPIIText(LabelText):
    """A file in MPII's layout, whose pixels are counted from 1."""

    unlabelled = (-1.0, -1.0, 0)
    added = 1

    @classmethod
    def of(cls, path: Path, text: str, start: int) -> "MPIIText":
        """The file at ``path``, whose array starts at ``start`` of its ``text``."""
        instances = [
            Instance(
                number,
                value.start,
                value.parsed,
                [[*place, v] for place, v in zip(value.parsed["joints"], value.parsed["joints_vis"])],
            )
            for number, value in enumerate(elements(text, start))
        ]
        return cls(path, text, tuple(instances))

    def frames(self) -> Iterator[dict[int, Frame]]:
        yield {instance.start: Frame(first=1.0) for instance in self.instances}

    def label_edits(self, instance: Instance, becomes: dict[int, list]) -> list[Edit]:
        own = members(self.text, instance.start)
        places, visible = (elements(self.text, own[key].start) for key in ("joints", "joints_vis"))
        return [
            edit
            for k, label in becomes.items()
            for edit in _edits([*elements(self.text, places[k].start), visible[k]], label)
        ]


@without_garbage_collection()
def read_label_text(file: LabelFile, path: Path) -> LabelText:
    """Read the annotation file that the labels of ``file`` are of, at ``path``.

    Raises:
        InputError: it has changed, or is not what ``file`` says.
    """
    file.check_unchanged(path)
    layouts: dict[str, type[COCOText] | type[MPIIText]] = {
        "coco": COCOText,
        "coco_format": COCOText,
        "mpii": MPIIText,
    }
    if file.layout not in layouts:
        raise InputError(
            f"{DESCRIPTION}: layout is {short_repr(file.layout)}, expected one of {', '.join(layouts)}"
        )
    try:
        text = path.read_bytes().decode()
        return layouts[file.layout].of(path, text, start=1 if text.startswith("\ufeff") else 0)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise InputError(f"{path}: is no annotation file of layout {file.layout} ({problem!r})") from None


def warn_of_attributes(path: Path) -> None:
    """Log if annotations of the file at ``path`` have attributes to which no note on a correction can be added."""
    content = read_json(path)
    entries = content.get("annotations") if isinstance(content, dict) else content
    refused = [entry for entry in entries if isinstance(entry, dict) and not _takes_notes(entry)]
    if refused:
        LOG.warning(
            f"{path}: {len(refused)} annotations have attributes to which apply_corrections.py cannot add its note, and "
            f"it will refuse to correct them; the first is annotation {refused[0].get('id')}: attributes "
            f"{short_repr(refused[0]['attributes'])}, expected an object (and a list under {NOTES!r}, if anything)"
        )


def _takes_notes(entry: dict) -> bool:
    attributes = entry.get("attributes")
    return attributes is None or (
        isinstance(attributes, dict) and isinstance(attributes.get(NOTES, []), list)
    )


def _labels(entry: dict) -> list[list]:
    """x, y and v of each keypoint; some tools write [x, y, v, x, ...], others [[x, y, v], ...]."""
    keypoints = entry.get("keypoints") or []
    if keypoints and isinstance(keypoints[0], list):
        return keypoints
    return [keypoints[k : k + 3] for k in range(0, len(keypoints), 3)]


def _edits(numbers: list[Value], becomes: list[Any]) -> list[Edit]:
    """The edits that put others in place of ``numbers``, where they differ."""
    return [with_value(old, new) for old, new in zip(numbers, becomes) if old.parsed != new]
