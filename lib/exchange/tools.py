"""The annotation tools, and what their files can hold."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lib.exchange import cvat, deeplabcut, fiftyone, label_studio, sleap, yolo
from lib.exchange.comparison import Slack
from lib.exchange.labels import Answer, Exchange, LabelledImage, Point

TABLE_ROUNDS = 0.006  # pixels; labels.csv has two digits


@dataclass(frozen=True)
class Options:
    """What single tools want to know.

    prefix: before the names of images in Label Studio.
    scorer: of a project of DeepLabCut.
    """

    prefix: str = label_studio.LOCAL
    scorer: str = "lbi"


@dataclass(frozen=True)
class Tool:
    """An annotation tool.

    title: its name.
    write: writes into a folder.
    read: reads what the tool exported.
    slack: what counts as not moved.
    holds: names of what its files can hold, see `LOSSES`.
    file: what of the folder the tool imports.
    """

    title: str
    write: Callable[[Exchange, Path, Options], None]
    read: Callable[[Path, Exchange], Answer]
    slack: Slack
    holds: frozenset[str]
    file: str


TOOLS = {
    "cvat": Tool(
        "CVAT",
        lambda exchange, folder, _: cvat.write(exchange, folder),
        cvat.read,
        Slack(2 * TABLE_ROUNDS),
        frozenset({"probability", "kind", "proposed", "occluded", "outside", "id"}),
        f"{cvat.ANNOTATIONS}, after a task with the labels of {cvat.LABELS}",
    ),
    "label_studio": Tool(
        "Label Studio",
        lambda exchange, folder, options: label_studio.write(exchange, folder, options.prefix),
        label_studio.read,
        Slack(TABLE_ROUNDS, share=1e-6),
        frozenset({"probability", "kind", "proposed", "outside", "id"}),
        f"{label_studio.TASKS}, after a project with {label_studio.CONFIGURATION}",
    ),
    "fiftyone": Tool(
        "FiftyOne",
        lambda exchange, folder, _: fiftyone.write(exchange, folder),
        fiftyone.read,
        Slack(TABLE_ROUNDS, share=1e-7),
        frozenset({"probability", "kind", "proposed", "occluded", "outside", "id"}),
        fiftyone.SAMPLES,
    ),
    "sleap": Tool(
        "SLEAP",
        lambda exchange, folder, _: sleap.write(exchange, folder),
        sleap.read,
        Slack(TABLE_ROUNDS),
        frozenset({"probability", "outside", "id"}),
        sleap.PROJECT,
    ),
    "deeplabcut": Tool(
        "DeepLabCut",
        lambda exchange, folder, options: deeplabcut.write(exchange, folder, options.scorer),
        deeplabcut.read,
        Slack(2 * TABLE_ROUNDS),
        frozenset({"outside"}),
        "the folder, as labeled-data/VIDEO of a project",
    ),
    "yolo": Tool(
        "YOLO pose",
        lambda exchange, folder, _: yolo.write(exchange, folder),
        yolo.read,
        yolo.SLACK,
        frozenset({"occluded"}),
        yolo.DATA,
    ),
}


def _is_outside(image: LabelledImage, point: Point) -> bool:
    if point.place is None or image.known_size is None:
        return False
    return any(not 0 <= value <= length for value, length in zip(point.place, image.known_size))


# What of a label is lost: a name, in words, and whether the label has it.
LOSSES: dict[str, tuple[str, Callable[[LabelledImage, Point], bool]]] = {
    "probability": (
        "probabilities of being wrong",
        lambda _, point: point.place is not None and point.suspicion is not None and point.suspicion.probability is not None,
    ),
    "kind": (
        "kinds of mistakes of suspects",
        lambda _, point: point.suspicion is not None and point.suspicion.is_suspect,
    ),
    "proposed": (
        "proposed places of suspects",
        lambda _, point: point.suspicion is not None and point.suspicion.is_suspect and point.suspicion.proposed is not None,
    ),
    "occluded": ("marks of labels as occluded", lambda _, point: point.is_occluded),
    "outside": ("places outside of their image (put on its border)", _is_outside),
}  # fmt: skip


def losses(tool: Tool, exchange: Exchange) -> str:
    """What of the labels the tool's files cannot hold, counted, in words; empty if nothing is lost."""
    points = [
        (image, point)
        for image in exchange.images
        for instance in image.instances
        for point in instance.points
    ]
    found = []
    for name, (words, has) in LOSSES.items():
        if name not in tool.holds and (count := sum(has(image, point) for image, point in points)):
            found.append(f"{count} {words}")
    return ", ".join(found)
