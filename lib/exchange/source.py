"""What of a folder of find_labels.py is given to a tool."""

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from lib.dataset.annotations import read_json
from lib.dataset.image_header import AS_STORED
from lib.dataset.images import IN_ARCHIVE, ImageFolder, header_of
from lib.exchange.labels import Exchange, Instance, LabelledImage, Place, Point, Suspicion
from lib.exchange.record import Given
from lib.review import label_text
from lib.review.annotated import read_annotated
from lib.review.corrected_file import JudgedFile
from lib.review.corrections import Label
from lib.review.decisions import read_reviews, settled
from lib.review.found import read_found
from lib.utils.errors import InputError, short_repr

OTHERWISE = "object"  # name of what is annotated where the file has none, or several
MARGIN = 0.1  # of a box that is made from labels, on each side, as a share of their extent
SMALLEST = 4  # pixels, such a box


class Source:
    """A folder of find_labels.py, with the annotation file that its labels are of.

    Args:
        folder: of find_labels.py.
        labels: the annotation file; None: where it was.
        images: the folder of its images; None: where it was.

    Raises:
        InputError: the folder is none of find_labels.py, or the annotation file has changed.
    """

    def __init__(self, folder: Path, labels: Path | None = None, images: Path | None = None):
        self.folder = folder
        self.file, self.labels = read_found(folder)
        path = labels or Path(self.file.path)
        self._judged = JudgedFile(self.file, label_text.read_label_text(self.file, path), self.labels)
        self._sizes = read_annotated(replace(self.file, path=str(path))).sizes
        self._images = ImageFolder.at(images or Path(self.file.images))
        self._has_images = self._images.location.exists()
        if images is not None and not self._has_images:
            raise InputError(f"--images {images}: no such folder")

    def choose(self, count: int, takes_all: bool) -> Given:
        """Which images a tool is given: those of the suspects, or all.

        Args:
            count: how many labels are suspects: the first ones that nobody has reviewed.
            takes_all: all images.

        Raises:
            InputError: all labels were reviewed.
        """
        labels, reviewed = self.labels, self._reviewed()
        open_rows = (
            k
            for k, label in enumerate(zip(labels.annotation_id.tolist(), labels.joint.tolist()))
            if labels.rank[k] and label not in reviewed
        )
        rows = list(itertools.islice(open_rows, count))
        if not rows and not takes_all:
            raise InputError(f"{self.folder}: all labels were reviewed; --all gives all images")
        names = dict.fromkeys(labels.image[range(len(labels)) if takes_all else rows].tolist())
        suspects = zip(labels.annotation_id[rows].tolist(), labels.joint[rows].tolist())
        return Given(self._tool_names(names), frozenset(suspects))

    def exchange(self, given: Given) -> Exchange:
        """The images that are given to a tool, with their labels."""
        rows_of = self._rows(set(given.images.values()))
        entries = self._judged.instances([number for rows in rows_of.values() for number in rows])
        images = []
        for name, source in given.images.items():
            rows = rows_of.get(source, {})
            instances = [
                self._instance(entries[number], rows[number], given.suspects)
                for number in sorted(rows, key=lambda number: entries[number].start)
            ]
            path = self._path(source)
            at_hand = path if path and IN_ARCHIVE not in path else None
            images.append(LabelledImage(name, source, at_hand, self._size(source, path), tuple(instances)))
        known = set(self.joints)
        return Exchange(
            self.joints,
            tuple(line for line in self.file.lines if known.issuperset(line)),
            tuple(pair for pair in self.file.pairs if known.issuperset(pair)),
            self._category(entries.values()),
            tuple(images),
        )

    def turned(self, exchange: Exchange) -> list[str]:
        """Names of images that tools show turned, by their EXIF orientation, unlike the frame of their labels."""
        found = []
        for image in exchange.images:
            header = header_of(image.path) if image.path is not None else None
            if header is not None and header.orientation != AS_STORED and image.known_size == header.size:
                found.append(image.name)
        return found

    @cached_property
    def joints(self) -> tuple[str, ...]:
        """The joints that the annotation file has."""
        return tuple(name for name, position in zip(self.file.joints, self.file.positions) if position >= 0)

    def _rows(self, images: set[str]) -> dict[str, dict[int, dict[str, int]]]:
        """{image: {annotation id: {joint: row of the table}}}."""
        labels = self.labels
        columns = (labels.image.tolist(), labels.annotation_id.tolist(), labels.joint.tolist())
        found: dict[str, dict[int, dict[str, int]]] = {}
        for row, (image, number, joint) in enumerate(zip(*columns)):
            if image in images:
                found.setdefault(image, {}).setdefault(number, {})[joint] = row
        return found

    def _reviewed(self) -> set[Label]:
        reviews = read_reviews(self.folder, self.file)
        return {label for review in reviews for label in settled(review.decisions, self.file)}

    def _tool_names(self, names: Iterable[str]) -> dict[str, str]:
        """{name in the tool: name in the annotation file}: the path below the image folder, if the image is there."""
        found: dict[str, str] = {}
        for name in names:
            path = self._path(name)
            own = self._images.names[path] if path else _below(name)
            if own in found:
                raise InputError(
                    f"{self.file.path}: images {short_repr(found[own])} and {short_repr(name)} are both {own!r}, so a "
                    "tool could not tell them apart"
                )
            found[own] = name
        return found

    def _path(self, name: str) -> str:
        """Of the one image that is meant, as `read_image` takes it; empty if it is not at hand, or not known which."""
        found = self._images.find(name, "labels.csv") if self._has_images and name else []
        return found[0] if len(found) == 1 else ""

    def _size(self, name: str, path: str) -> tuple[int, int] | None:
        if name in self._sizes:
            return self._sizes[name]
        header = header_of(path) if path else None
        return None if header is None else (int(header.size[0]), int(header.size[1]))

    def _instance(
        self, entry: label_text.Instance, rows: Mapping[str, int], suspects: frozenset[Label]
    ) -> Instance:
        points = tuple(
            self._point(entry, joint, rows[joint], (entry.number, joint) in suspects)
            if joint in rows
            else Point(None)
            for joint in self.joints
        )
        places = [point.place for point in points if point.place is not None]
        return Instance(entry.number, points, _box(entry.entry.get("bbox"), places))

    def _point(self, entry: label_text.Instance, joint: str, row: int, is_suspect: bool) -> Point:
        labels = self.labels
        position = self.file.positions[self.file.joints.index(joint)]
        has_v = self.file.layout != "mpii" and position < len(entry.labels)
        suspicion = Suspicion(
            probability=_number(labels.probability[row]),
            kind=str(labels.kind[row]),
            partner=str(labels.partner[row]),
            proposed=_place(labels.proposed_x[row], labels.proposed_y[row]),
            is_suspect=is_suspect,
        )
        place = _place(labels.x[row], labels.y[row])
        is_occluded = place is not None and has_v and entry.labels[position][2] == 1
        return Point(place, bool(is_occluded), suspicion)

    def _category(self, entries: Iterable[label_text.Instance]) -> str:
        if self.file.layout == "mpii":
            return "person"
        ids = {entry.entry.get("category_id") for entry in entries}
        content = read_json(self._judged.text.path)
        names = {each.get("name") for each in content.get("categories", []) if each.get("id") in ids}
        (name,) = names if len(names) == 1 else (None,)
        return name if isinstance(name, str) and name else OTHERWISE


def _below(name: str) -> str:
    """A file name that leads to nowhere else, for an image that is not at hand."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return "/".join(parts) or "image"


def _box(given: object, places: list[Place]) -> tuple[float, float, float, float]:
    """The file's box in pixels if it holds most of the labels, else one around them."""
    points = np.array(places, float).reshape(-1, 2)
    if isinstance(given, list) and len(given) == 4 and all(type(each) in (int, float) for each in given):
        x, y, width, height = map(float, given)
        inside = ((points >= (x, y)) & (points <= (x + width, y + height))).all(axis=1)
        if width >= 1 and height >= 1 and (not len(points) or inside.mean() > 0.5):
            return x, y, width, height
    if not len(points):
        return 0.0, 0.0, float(SMALLEST), float(SMALLEST)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = np.maximum(MARGIN * (high - low).max(), (SMALLEST - (high - low)) / 2)
    (x, y), (width, height) = (low - margin).tolist(), (high - low + 2 * margin).tolist()
    return x, y, width, height


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _place(x: float, y: float) -> Place | None:
    return (float(x), float(y)) if math.isfinite(x) and math.isfinite(y) else None
