"""Labels given to annotation tools: a finished folder with its image, and what comes back."""

from pathlib import Path

import cv2
import numpy as np

from lib.exchange.labels import Exchange, Instance, LabelledImage, Point, Returned, Suspicion
from lib.exchange.record import read_records, write_records
from lib.exchange.source import Source
from lib.review.decisions import read_review
from pose_estimation.exchange_labels import main
from tests.factories.found_labels import JOINTS, KEYPOINTS, FoundFolder, make_found

SIZE = (100, 80)  # of the image a/5.jpg of `make_found`, in its annotation file
L, R, LE, RE = JOINTS


def found_with_image(folder: Path) -> FoundFolder:
    """`make_found`, with its image."""
    path = folder / "images" / "a" / "5.jpg"
    path.parent.mkdir(parents=True)
    assert cv2.imwrite(str(path), np.full((SIZE[1], SIZE[0], 3), 90, np.uint8))
    return make_found(folder)


def give(found: FoundFolder, tool: str, *flags: str) -> Path:
    """Give suspects to a tool by the command; returns the folder that was written."""
    output = found.folder / "out"
    assert main(["to", str(found.folder), "--tool", tool, "--output", str(output), *map(str, flags)]) == 0
    return output


def take(found: FoundFolder, tool: str, path: Path, *flags: str) -> list[tuple]:
    """Take back what is in ``path`` by the command: (annotation id, joint, verdict, place, partner) of each decision."""
    argv = ["from", str(found.folder), "--tool", tool, "--input", str(path), "--reviewer", "ann", *flags]
    assert main(argv) == 0
    file = found.folder / "decisions-ann.jsonl"
    decisions = read_review(file, found.file).decisions if file.exists() else ()
    return [
        (each.annotation_id, each.joint, each.verdict.value, None if each.x is None else (each.x, each.y), each.partner)
        for each in decisions
    ]  # fmt: skip


def exchange_of(found: FoundFolder, tool: str, count: int = 2) -> Exchange:
    """What is given to a tool of the ``count`` most suspect labels; recorded."""
    source = Source(found.folder)
    given = source.choose(count, takes_all=False)
    before = read_records(found.folder, tool, found.file, source.labels)
    write_records(found.folder, tool, found.file, [*before, given])
    return source.exchange(given)


def small_exchange(places: dict[int, list], size: tuple[int, int] | None = SIZE) -> Exchange:
    """One image a/5.jpg with instances {annotation id: [place or None of each of JOINTS]}, all of them suspects."""
    suspicion = Suspicion(0.9, "moved", "", (1.0, 2.0), True)
    instances = tuple(
        Instance(
            number,
            tuple(Point(place, suspicion=suspicion if place else None) for place in own),
            (0.0, 0.0, 50.0, 50.0),
        )
        for number, own in places.items()
    )
    image = LabelledImage("a/5.jpg", "a/5.jpg", None, size, instances)
    return Exchange(JOINTS, ((L, LE), (R, RE)), ((L, R), (LE, RE)), "person", (image,))


def returned(exchange: Exchange, number: int, **changes: tuple | None) -> Returned:
    """An instance as it was given, but for ``changes``: {joint: place, or None if its label was removed}."""
    (instance,) = [each for image in exchange.images for each in image.instances if each.number == number]
    places = {joint: point.place for joint, point in zip(JOINTS, instance.points)} | changes
    return Returned(number, {joint: place for joint, place in places.items() if place is not None})


# What people do in a tool, see `edited`: (annotation id, joint): place, or None if it is removed or hidden.
EDITS = {
    (7, L): (50.5, 60.25),
    (7, RE): None,
    (3, L): tuple(KEYPOINTS[3][1][:2]),
    (3, R): tuple(KEYPOINTS[3][0][:2]),
    (3, RE): (44.0, 33.5),
}
# What these are as decisions; the right elbow of 3 has no label in the file.
DECISIONS = {
    (7, L, "moved", (50.5, 60.25), None),
    (7, RE, "wrong", None, None),
    (3, L, "exchanged", None, R),
    (3, RE, "moved", (44.0, 33.5), None),
}
