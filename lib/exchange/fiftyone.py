"""FiftyOne: samples with keypoints, in the JSON layout of its own samples.

Places are shares of the image, those without a label NaN. The instance's id is an attribute of its keypoints.
"""

import json
import math
from pathlib import Path
from typing import Any

from lib.dataset.annotations import read_json
from lib.exchange.labels import Answer, Exchange, Instance, LabelledImage, Place, Point, Returned
from lib.utils.errors import InputError, short_repr
from lib.utils.files import write_text

SAMPLES = "samples.json"
LABELS, PROPOSED = "labels", "proposed"  # fields of a sample
NUMBER, NAME = "annotation_id", "lbi_image"
SUSPECT = "suspect"  # tag
DIGITS = 8  # of a share
NAN = float("nan")


def write(exchange: Exchange, folder: Path) -> None:
    """Write the samples, with the skeleton that a data set of them has."""
    number = {joint: k for k, joint in enumerate(exchange.joints)}
    content = {
        "joints": list(exchange.joints),
        "edges": [[number[a], number[b]] for a, b in exchange.lines],
        "samples": [_sample(exchange, image) for image in exchange.images],
    }
    write_text(folder / SAMPLES, json.dumps(content, ensure_ascii=False) + "\n")


def read(path: Path, exchange: Exchange) -> Answer:
    """Read what `write_json` of a FiftyOne data set wrote, or the samples that `write` wrote.

    Raises:
        InputError: it is no such file.
    """
    content = read_json(path)
    samples = content.get("samples") if isinstance(content, dict) else None
    if not isinstance(samples, list):
        raise InputError(f"{path}: has no samples; expected what dataset.write_json() of FiftyOne writes")
    images: dict[str, list[Returned]] = {}
    for sample in samples:
        name = sample.get(NAME) if isinstance(sample, dict) else None
        if not isinstance(name, str):
            raise InputError(
                f"{path}: sample {short_repr(sample)}: has no {NAME}; was it made from {SAMPLES}?"
            )
        image = exchange.image(name)
        keypoints = (sample.get(LABELS) or {}).get("keypoints") or []
        try:
            found = [_returned(exchange, image, each) for each in keypoints] if image is not None else []
        except (TypeError, ValueError, KeyError):
            raise InputError(
                f"{path}: image {name!r}: expected Keypoints in {LABELS}, each with {len(exchange.joints)} points"
            ) from None
        images.setdefault(name, []).extend(found)
    return Answer(images)


def _sample(exchange: Exchange, image: LabelledImage) -> dict[str, Any]:
    width, height = image.size
    return {
        "filepath": image.path or image.source,
        "tags": [],
        "metadata": {"_cls": "ImageMetadata", "width": width, "height": height},
        NAME: image.name,
        LABELS: _keypoints([_labels(exchange, image, instance) for instance in image.instances]),
        PROPOSED: _keypoints([_proposed(exchange, image, instance) for instance in image.instances]),
    }


def _keypoints(each: list[dict[str, Any]]) -> dict[str, Any]:
    return {"_cls": "Keypoints", "keypoints": each}


def _labels(exchange: Exchange, image: LabelledImage, instance: Instance) -> dict[str, Any]:
    """Labels; ``confidence`` is the probability that they are right."""
    is_suspect = any(point.suspicion is not None and point.suspicion.is_suspect for point in instance.points)
    return {
        "_cls": "Keypoint",
        "label": exchange.category,
        "tags": [SUSPECT] if is_suspect else [],
        NUMBER: instance.number,
        "points": [_share(image, point.place) for point in instance.points],
        "confidence": [_confidence(point) for point in instance.points],
        "suspect": [point.suspicion is not None and point.suspicion.is_suspect for point in instance.points],
        "kind": [point.suspicion.kind if point.suspicion is not None else "" for point in instance.points],
        "partner": [
            point.suspicion.partner if point.suspicion is not None else "" for point in instance.points
        ],
        "occluded": [point.is_occluded for point in instance.points],
    }


def _proposed(exchange: Exchange, image: LabelledImage, instance: Instance) -> dict[str, Any]:
    places = [point.suspicion.proposed if point.suspicion is not None else None for point in instance.points]
    return {
        "_cls": "Keypoint",
        "label": exchange.category,
        "tags": [],
        NUMBER: instance.number,
        "points": [_share(image, place) for place in places],
    }


def _confidence(point: Point) -> float:
    if point.place is None or point.suspicion is None or point.suspicion.probability is None:
        return NAN
    return round(1 - point.suspicion.probability, 4)


def _share(image: LabelledImage, place: Place | None) -> list[float]:
    if place is None:
        return [NAN, NAN]
    return [round(value / length, DIGITS) for value, length in zip(place, image.size)]


def _returned(exchange: Exchange, image: LabelledImage, keypoint: dict[str, Any]) -> Returned:
    number, points = keypoint.get(NUMBER), keypoint["points"]
    if len(points) != len(exchange.joints):
        raise ValueError
    places = {}
    for joint, point in zip(exchange.joints, points):
        x, y = (_float(value) * length for value, length in zip(point, image.size))
        if not math.isnan(x) and not math.isnan(y):
            places[joint] = (x, y)
    return Returned(number if type(number) is int else None, places)


def _float(value: Any) -> float:
    """A number of FiftyOne's JSON, which writes NaN as an object."""
    if isinstance(value, dict):
        value = value["$numberDouble"]
    return NAN if value is None else float(value)
