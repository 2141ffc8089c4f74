"""CVAT: "CVAT for images 1.1", an XML file with a skeleton for each instance, and the labels of a task.

CVAT 2 keeps the attributes of a skeleton and of its points, and writes places with two digits.
"""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from lib.exchange.image_files import link_images
from lib.exchange.labels import Answer, Exchange, Instance, Place, Point, Returned
from lib.utils.errors import InputError, short_repr
from lib.utils.files import write_atomically, write_text

ANNOTATIONS, LABELS, IMAGES = "annotations.xml", "labels.json", "images"
NUMBER = "annotation_id"  # attribute of a skeleton, and of its points for tools that keep points alone
OF_POINTS = (NUMBER, "suspect", "probability", "kind", "proposed")
NOTHING = "no label"  # kind of a point that is not there


def write(exchange: Exchange, folder: Path) -> None:
    """Write the annotations, the labels that a task needs for them, and links to the images that are at hand."""
    link_images({folder / IMAGES / image.name: image for image in exchange.images if image.path is not None})
    write_text(folder / LABELS, json.dumps([_label(exchange)], indent=1) + "\n")
    tree = ElementTree.ElementTree(_root(exchange))
    ElementTree.indent(tree)
    write_atomically(
        folder / ANNOTATIONS, lambda file: tree.write(file, encoding="utf-8", xml_declaration=True)
    )


def read(path: Path, exchange: Exchange) -> Answer:
    """Read what CVAT exported: the XML file, or the archive that it is in.

    Raises:
        InputError: it is no such file.
    """
    root = _read_xml(path)
    if root.find("track") is not None:
        raise InputError(
            f"{path}: has tracks, as of a video; expected the export format 'CVAT for images 1.1'"
        )
    images = root.findall("image")
    if root.tag != "annotations" or not images:
        raise InputError(
            f"{path}: has no <image> in <annotations>; expected the export format 'CVAT for images 1.1'"
        )
    return Answer({_name(path, image): _returned(path, image, exchange) for image in images})


def parked(instance: Instance, point: Point) -> Place:
    """Where a point is that has no label, and so is not shown until somebody places it."""
    if point.suspicion is not None and point.suspicion.proposed is not None:
        return point.suspicion.proposed
    x, y, width, height = instance.box
    return x + width / 2, y + height / 2


def _label(exchange: Exchange) -> dict[str, Any]:
    """For "Raw" in the constructor of labels."""
    return {
        "name": exchange.category,
        "type": "skeleton",
        "attributes": [_attribute_type(NUMBER)],
        "sublabels": [
            {"name": joint, "type": "points", "attributes": [_attribute_type(name) for name in OF_POINTS]}
            for joint in exchange.joints
        ],
        "svg": _drawing(exchange),
    }


def _attribute_type(name: str) -> dict[str, Any]:
    return {"name": name, "mutable": False, "input_type": "text", "default_value": "", "values": [""]}


def _drawing(exchange: Exchange) -> str:
    """The skeleton in a square of 100 by 100, with its joints as the first complete instance has them."""
    complete = (
        instance
        for image in exchange.images
        for instance in image.instances
        if all(point.place is not None for point in instance.points)
    )
    instance = next(complete, None)
    count = len(exchange.joints)
    if instance is None:
        places = [
            (10 + 80 * (k % 4) / 3, 10 + 80 * (k // 4) / max(1, (count - 1) // 4)) for k in range(count)
        ]
    else:
        known = [point.place for point in instance.points if point.place is not None]
        left, top = (min(place[axis] for place in known) for axis in (0, 1))
        side = max(1.0, *(max(place[axis] for place in known) - low for axis, low in enumerate((left, top))))
        places = [(10 + 80 * (x - left) / side, 10 + 80 * (y - top) / side) for x, y in known]
    number = {joint: k for k, joint in enumerate(exchange.joints)}
    drawing = Element("svg")
    for line in exchange.lines:
        a, b = (number[joint] for joint in line)
        SubElement(drawing, "line", {
            "x1": f"{places[a][0]:.2f}", "y1": f"{places[a][1]:.2f}", "x2": f"{places[b][0]:.2f}", "y2": f"{places[b][1]:.2f}",
            "stroke": "black", "data-type": "edge", "data-node-from": str(a + 1), "stroke-width": "0.5",
            "data-node-to": str(b + 1),
        })  # fmt: skip
    for k, (joint, (x, y)) in enumerate(zip(exchange.joints, places), start=1):
        SubElement(drawing, "circle", {
            "r": "1.5", "stroke": "black", "fill": "#b3b3b3", "cx": f"{x:.2f}", "cy": f"{y:.2f}", "stroke-width": "0.1",
            "data-type": "element node", "data-element-id": str(k), "data-node-id": str(k), "data-label-name": joint,
        })  # fmt: skip
    return "".join(ElementTree.tostring(each, "unicode", short_empty_elements=False) for each in drawing)


def _root(exchange: Exchange) -> Element:
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    task = SubElement(SubElement(root, "meta"), "task")
    SubElement(task, "name").text = "labels in doubt"
    SubElement(task, "size").text = str(len(exchange.images))
    SubElement(task, "mode").text = "annotation"
    labels = SubElement(task, "labels")
    _describe(labels, exchange.category, "skeleton", (NUMBER,))
    for joint in exchange.joints:
        SubElement(_describe(labels, joint, "points", OF_POINTS), "parent").text = exchange.category
    for k, image in enumerate(exchange.images):
        width, height = image.size
        size = {"width": str(width), "height": str(height)}
        element = SubElement(root, "image", {"id": str(k), "name": image.name, **size})
        for instance in image.instances:
            _skeleton(element, exchange, instance)
    return root


def _describe(labels: Element, name: str, kind: str, attributes: tuple[str, ...]) -> Element:
    label = SubElement(labels, "label")
    SubElement(label, "name").text = name
    SubElement(label, "type").text = kind
    described = SubElement(label, "attributes")
    for each in attributes:
        attribute = SubElement(described, "attribute")
        for key, value in (("name", each), ("mutable", "False"), ("input_type", "text")):
            SubElement(attribute, key).text = value
        SubElement(attribute, "default_value")
        SubElement(attribute, "values")
    return label


def _skeleton(image: Element, exchange: Exchange, instance: Instance) -> None:
    skeleton = SubElement(image, "skeleton", {"label": exchange.category, "source": "manual", "z_order": "0"})
    for joint, point in zip(exchange.joints, instance.points):
        x, y = point.place or parked(instance, point)
        element = SubElement(skeleton, "points", {
            "label": joint, "source": "manual", "outside": str(int(point.place is None)),
            "occluded": str(int(point.is_occluded)), "points": f"{x:.2f},{y:.2f}",
        })  # fmt: skip
        for name, value in _attributes(instance, point):
            SubElement(element, "attribute", {"name": name}).text = value
    SubElement(skeleton, "attribute", {"name": NUMBER}).text = str(instance.number)


def _attributes(instance: Instance, point: Point) -> Iterator[tuple[str, str]]:
    yield NUMBER, str(instance.number)
    suspicion = point.suspicion
    if suspicion is not None:
        if suspicion.is_suspect:
            yield "suspect", "yes"
        if suspicion.probability is not None:
            yield "probability", f"{suspicion.probability:.4f}"
        if suspicion.proposed is not None:
            yield "proposed", "{:.2f}, {:.2f}".format(*suspicion.proposed)
    if point.place is None:
        yield "kind", NOTHING
    elif suspicion is not None:
        yield "kind", f"{suspicion.kind} with {suspicion.partner}" if suspicion.partner else suspicion.kind


def _read_xml(path: Path) -> Element:
    try:
        if not zipfile.is_zipfile(path):
            return ElementTree.parse(path).getroot()
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".xml")]
            if len(names) != 1:
                raise InputError(f"{path}: has {len(names)} XML files, expected {ANNOTATIONS} alone")
            return ElementTree.fromstring(archive.read(names[0]))
    except OSError as problem:
        raise InputError(f"{path}: cannot be read ({problem.strerror})") from None
    except (ElementTree.ParseError, zipfile.BadZipFile) as problem:
        raise InputError(f"{path}: is no XML file ({problem}); expected CVAT's export") from None


def _name(path: Path, image: Element) -> str:
    if not (name := image.get("name")):
        raise InputError(f"{path}: <image id={short_repr(image.get('id'))}> has no name")
    return name


def _returned(path: Path, image: Element, exchange: Exchange) -> list[Returned]:
    """The skeletons of an image, and the points outside of any, by their annotation ids."""
    found = []
    for skeleton in image.findall("skeleton"):
        number, points = _number(skeleton), skeleton.findall("points")
        found.append(_instance(number, [point.get("label", "") for point in points], [
            None if point.get("outside") == "1" else _place(path, image, point) for point in points
        ]))  # fmt: skip
    alone: dict[int | None, list[Element]] = {}
    for point in image.findall("points"):
        alone.setdefault(_number(point), []).append(point)
    for number, points in alone.items():
        joints = [point.get("label", "") for point in points]
        places: list[Place | None] = [_place(path, image, point) for point in points]
        # Who takes skeletons apart (datumaro) does not say which points are hidden.
        hidden = _parked(exchange, image.get("name", ""), number)
        places = [None if hidden.get(joint) == place else place for joint, place in zip(joints, places)]
        found.append(_instance(number, joints, places))
    return found


def _instance(number: int | None, joints: list[str], places: list[Place | None]) -> Returned:
    if len(set(joints)) < len(joints):
        return Returned(number, {}, "with two points of one joint")
    return Returned(number, {joint: place for joint, place in zip(joints, places) if place is not None})


def _parked(exchange: Exchange, name: str, number: int | None) -> dict[str, Place]:
    """{joint: place as written}, of the joints of an instance that have no label."""
    image = exchange.image(name)
    own = [each for each in image.instances if each.number == number] if image is not None else []
    places = {
        joint: parked(instance, point)
        for instance in own
        for joint, point in zip(exchange.joints, instance.points)
        if point.place is None
    }
    return {joint: (float(f"{x:.2f}"), float(f"{y:.2f}")) for joint, (x, y) in places.items()}


def _number(element: Element) -> int | None:
    for attribute in element.findall("attribute"):
        text = (attribute.text or "").strip()
        if attribute.get("name") == NUMBER and re.fullmatch(r"-?\d+(\.0+)?", text):
            return int(float(text)) if "." in text else int(text)
    return None


def _place(path: Path, image: Element, point: Element) -> Place:
    text = point.get("points", "")
    try:
        x, y = map(float, text.split(","))
        return x, y
    except ValueError:
        raise InputError(
            f"{path}: image {short_repr(image.get('name'))}: <points points={short_repr(text)}>, expected one place"
        ) from None
