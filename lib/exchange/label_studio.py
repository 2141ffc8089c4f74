"""Label Studio: tasks with pre-annotations, its labeling configuration, and its JSON export.

Places are percentages of the image. An annotation that is made from a pre-annotation keeps the ids of its regions.
"""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from lib.dataset.annotations import read_json
from lib.exchange.labels import Answer, Exchange, Instance, LabelledImage, Place, Returned
from lib.utils.errors import InputError, short_repr
from lib.utils.files import write_text

TASKS, CONFIGURATION = "tasks.json", "labeling.xml"
LABELS, PROPOSED = "labels", "proposed"  # model versions of the pre-annotations
LOCAL = "/data/local-files/?d="  # before the path of an image that Label Studio serves from its own disk
POINTS, BOXES = "joint", "instance"  # names of the tags
POINT_SIZE = 0.5  # percent of the image
DIGITS = 6  # of a percentage


def write(exchange: Exchange, folder: Path, prefix: str = LOCAL) -> None:
    """Write the tasks and the labeling configuration. prefix: before the name of each image."""
    write_text(folder / CONFIGURATION, _configuration(exchange))
    tasks = [_task(exchange, image, prefix) for image in exchange.images]
    write_text(folder / TASKS, json.dumps(tasks, indent=1, ensure_ascii=False) + "\n")


def read(path: Path, exchange: Exchange) -> Answer:
    """Read what Label Studio exported as JSON.

    Raises:
        InputError: it is no such file.
    """
    tasks = read_json(path)
    if not isinstance(tasks, list) or not all(
        isinstance(task, dict) and isinstance(task.get("data"), dict) for task in tasks
    ):
        raise InputError(f"{path}: expected a list of tasks with 'data', as of Label Studio's export as JSON")
    answer = Answer({})
    for k, task in enumerate(tasks):
        name = task["data"].get("name")
        if not isinstance(name, str):
            raise InputError(f"{path}: task {task.get('id', k)}: data has no name; was it made from {TASKS}?")
        annotations = task.get("annotations")
        if not isinstance(annotations, list):
            raise InputError(
                f"{path}: task {task.get('id', k)}: has no annotations; expected the export as JSON, not JSON-MIN"
            )
        done = [each for each in annotations if not each.get("was_cancelled")]
        if not done:
            answer.untouched.append(name)
        elif len(done) > 1:
            image = exchange.image(name)
            numbers = [instance.number for instance in image.instances] if image is not None else []
            answer.images[name] = [Returned(number, {}, "that were annotated twice") for number in numbers]
        else:
            answer.images[name] = _returned(path, name, done[0].get("result"), exchange.image(name))
    return answer


def _configuration(exchange: Exchange) -> str:
    view = Element("View")
    SubElement(view, "Image", {"name": "image", "value": "$image", "zoom": "true"})
    points = SubElement(view, "KeyPointLabels", {"name": POINTS, "toName": "image", "opacity": "0.9"})
    for k, joint in enumerate(exchange.joints):
        SubElement(points, "Label", {"value": joint, "model_index": str(k)})
    boxes = SubElement(view, "RectangleLabels", {"name": BOXES, "toName": "image"})
    SubElement(boxes, "Label", {"value": exchange.category})
    ElementTree.indent(view)
    return ElementTree.tostring(view, "unicode") + "\n"


def _task(exchange: Exchange, image: LabelledImage, prefix: str) -> dict[str, Any]:
    suspicions = [
        point.suspicion
        for instance in image.instances
        for point in instance.points
        if point.suspicion is not None
    ]
    probabilities = [each.probability for each in suspicions if each.probability is not None]
    predictions = [_prediction(exchange, image, LABELS, max(probabilities, default=0.0))]
    if any(each.is_suspect and each.proposed is not None for each in suspicions):
        predictions.append(_prediction(exchange, image, PROPOSED, 0.0))
    return {
        "data": {
            "image": f"{prefix}{image.name}",
            "name": image.name,
            "suspects": sum(each.is_suspect for each in suspicions),
            "probability": max(probabilities, default=0.0),
        },
        "predictions": predictions,
    }


def _prediction(exchange: Exchange, image: LabelledImage, version: str, score: float) -> dict[str, Any]:
    """The labels of an image; of the suspects the proposed places if ``version`` says so."""
    results = []
    for instance in image.instances:
        x, y, width, height = instance.box
        (left, top), (right, bottom) = (_percent(image, place) for place in ((x, y), (x + width, y + height)))
        box = {
            "x": left,
            "y": top,
            "width": round(right - left, DIGITS),
            "height": round(bottom - top, DIGITS),
        }
        value = box | {"rotation": 0, "rectanglelabels": [exchange.category]}
        results.append(_region(image, str(instance.number), "rectanglelabels", BOXES, value))
        results += _points(exchange, image, instance, version)
    return {"model_version": version, "score": score, "result": results}


def _points(exchange: Exchange, image: LabelledImage, instance: Instance, version: str) -> list[dict]:
    regions = []
    for joint, point in zip(exchange.joints, instance.points):
        place, suspicion = point.place, point.suspicion
        if version == PROPOSED and suspicion is not None and suspicion.is_suspect:
            place = suspicion.proposed or place
        if place is None:
            continue
        x, y = _percent(image, place)
        value = {"x": x, "y": y, "width": POINT_SIZE, "keypointlabels": [joint]}
        region = _region(image, f"{instance.number}:{joint}", "keypointlabels", POINTS, value)
        region["parentID"] = str(instance.number)
        if suspicion is not None:
            if suspicion.probability is not None:
                region["score"] = suspicion.probability
            kind = f"{suspicion.kind} with {suspicion.partner}" if suspicion.partner else suspicion.kind
            region["meta"] = {"text": [f"suspect: {kind}" if suspicion.is_suspect else kind]}
        regions.append(region)
    return regions


def _region(image: LabelledImage, name: str, kind: str, tag: str, value: dict[str, Any]) -> dict[str, Any]:
    width, height = image.size
    return {
        "id": name, "from_name": tag, "to_name": "image", "type": kind, "image_rotation": 0,
        "original_width": width, "original_height": height, "value": value,
    }  # fmt: skip


def _percent(image: LabelledImage, place: Place) -> Place:
    (x, y), (width, height) = place, image.size
    return round(100 * x / width, DIGITS), round(100 * y / height, DIGITS)


def _returned(path: Path, name: str, results: Any, image: LabelledImage | None) -> list[Returned]:
    """The instances of an annotation: its points by the instance in their ids, or by the box they belong to."""
    if not isinstance(results, list):
        raise InputError(f"{path}: image {name!r}: result is {short_repr(results)}, expected a list")
    points: dict[int, list[tuple[str, Place]]] = {}
    drawn: list[tuple[str, Place]] = []  # anew, of no instance
    for result in results:
        try:
            number = _number(result)
            own = drawn if number is None else points.setdefault(number, [])
            if result["type"] == "keypointlabels":
                value, size = result["value"], (result["original_width"], result["original_height"])
                (joint,) = value["keypointlabels"]
                own.append((joint, (value["x"] * size[0] / 100, value["y"] * size[1] / 100)))
        except (TypeError, ValueError, KeyError):
            raise InputError(
                f"{path}: image {name!r}: region {short_repr(result)}, expected a point with one joint, or a box"
            ) from None
    problems = dict.fromkeys(points, "")
    for joint, place in drawn:
        owners = _owners(points, joint, place, image)
        if len(owners) == 1:
            points[owners[0]].append((joint, place))
        else:
            problems |= dict.fromkeys(
                owners, "of which a point was drawn anew, and it is not known for which"
            )
    for number, own in points.items():
        if len(dict(own)) < len(own):
            problems[number] = "with two points of one joint"
    return [Returned(number, dict(own), problems[number]) for number, own in points.items()]


def _owners(
    points: dict[int, list[tuple[str, Place]]], joint: str, place: Place, image: LabelledImage | None
) -> list[int]:
    """The instances without such a joint, if there are several those around the place; all if there are none."""
    owners = [number for number, own in points.items() if joint not in dict(own)] or list(points)
    boxes = {instance.number: instance.box for instance in image.instances} if image is not None else {}
    around = [number for number in owners if number in boxes and _is_inside(place, boxes[number])]
    return around if len(owners) > 1 and around else owners


def _is_inside(place: Place, box: tuple[float, float, float, float]) -> bool:
    (u, v), (x, y, width, height) = place, box
    return x <= u <= x + width and y <= v <= y + height


def _number(result: dict[str, Any]) -> int | None:
    """The annotation id of a region; None for one that was drawn elsewhere."""
    for text in (result.get("id"), result.get("parentID")):
        head = str(text or "").partition(":")[0].partition("#")[0]
        if head.lstrip("-").isdecimal():
            return int(head)
    return None
