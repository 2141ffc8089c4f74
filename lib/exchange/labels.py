"""Labels on their way into an annotation tool and back: what all tools' files are written from and read into."""

from dataclasses import dataclass, field
from functools import cached_property

from lib.utils.errors import InputError

Place = tuple[float, float]  # image pixels from 0


@dataclass(frozen=True)
class Suspicion:
    """What is thought of a label.

    probability: of being wrong; None if it was not estimated.
    kind: what is wrong with it if it is wrong.
    partner: joint whose place it has, empty if none.
    proposed: where the joint is thought to be; None if nothing is proposed.
    is_suspect: whether it is one of the labels that are to be looked at.
    """

    probability: float | None
    kind: str
    partner: str
    proposed: Place | None
    is_suspect: bool


@dataclass(frozen=True)
class Point:
    """The label of a joint. place: None if there is no label."""

    place: Place | None
    is_occluded: bool = False
    suspicion: Suspicion | None = None


@dataclass(frozen=True)
class Instance:
    """An annotated instance.

    number: annotation id.
    points: [J], one for each joint.
    box: x, y of the top left corner, width and height.
    """

    number: int
    points: tuple[Point, ...]
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class LabelledImage:
    """An image with all of its instances that were judged, in the order of the annotation file.

    name: that the tool knows it by.
    source: name in the annotation file.
    path: of the image file; None if it is not at hand.
    known_size: width and height, None if they are not known.
    """

    name: str
    source: str
    path: str | None
    known_size: tuple[int, int] | None
    instances: tuple[Instance, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height; InputError if they are not known."""
        if self.known_size is None:
            raise InputError(
                f"image {self.source!r}: is not in the image folder, and the annotation file does not say its size, "
                "which this tool needs; say where the images are with --images DIR"
            )
        return self.known_size


@dataclass(frozen=True)
class Exchange:
    """What a tool is given.

    joints: names of the J joints.
    lines: pairs of joints that drawings connect.
    pairs: (left, right) pairs of joints.
    category: name of what is annotated.
    images: one for each image.
    """

    joints: tuple[str, ...]
    lines: tuple[tuple[str, str], ...]
    pairs: tuple[tuple[str, str], ...]
    category: str
    images: tuple[LabelledImage, ...]

    @cached_property
    def by_name(self) -> dict[str, LabelledImage]:
        """{name in the tool: image}."""
        return {image.name: image for image in self.images}

    def image(self, name: str) -> LabelledImage | None:
        """The image that a tool calls ``name``, of which it may have changed the folders; None if it is none of them.

        Of several with the same file name, it is the one with the most folders in common.
        """
        name = name.replace("\\", "/")
        if name in self.by_name:
            return self.by_name[name]
        parts = name.split("/")[::-1]
        candidates = self._by_last_part.get(parts[0], [])
        common = [_common(parts, image.name.split("/")[::-1]) for image in candidates]
        best = [image for image, count in zip(candidates, common) if count == max(common)]
        return best[0] if len(best) == 1 else None

    @cached_property
    def _by_last_part(self) -> dict[str, list[LabelledImage]]:
        found: dict[str, list[LabelledImage]] = {}
        for image in self.images:
            found.setdefault(image.name.rpartition("/")[2], []).append(image)
        return found


def _common(parts: list[str], others: list[str]) -> int:
    """How many of the first parts are the same."""
    return next((k for k, (a, b) in enumerate(zip(parts, others)) if a != b), min(len(parts), len(others)))


@dataclass(frozen=True)
class Returned:
    """An instance as a tool's file has it.

    number: annotation id; None if the instance is not one that was given out.
    places: {joint: place}; joints that are not in it have no label.
    problem: why its labels cannot be told, in words; empty if they can.
    """

    number: int | None
    places: dict[str, Place]
    problem: str = ""


@dataclass(frozen=True)
class Answer:
    """What came back from a tool.

    images: {name in the tool's file: its instances}, of the images that were worked on.
    untouched: names of the images that nobody has worked on, as far as the tool says so.
    """

    images: dict[str, list[Returned]]
    untouched: list[str] = field(default_factory=list)
