"""YOLO pose (Ultralytics): a text file for each image, with a line for each instance, and data.yaml.

A line has no id. Instances are found again by the places that were not changed, one to one in each image.
"""

import json
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from lib.exchange.comparison import Slack
from lib.exchange.image_files import link_images
from lib.exchange.labels import Answer, Exchange, Instance, LabelledImage, Place, Returned
from lib.utils.errors import InputError, short_repr
from lib.utils.files import write_text

DATA, IMAGES, LABELS = "data.yaml", "images/train", "labels/train"
DIGITS = 6  # of a share of the image
SLACK = Slack(0.006, share=5e-5)  # labels.csv has two digits, some tools write shares with four
UNKNOWN = "all of whose places are new, so that it is not known whose they are"
HIDDEN, OCCLUDED, VISIBLE = 0, 1, 2


def write(exchange: Exchange, folder: Path) -> None:
    """Write the labels, links to the images, and data.yaml."""
    texts = {
        folder / LABELS / text_name(image): "".join(
            _line(image, instance) + "\n" for instance in image.instances
        )
        for image in exchange.images
    }
    if len(texts) < len(exchange.images):
        raise InputError("two images differ in their ending only, so YOLO would take one text file for both")
    link_images({folder / IMAGES / _file_name(image): image for image in exchange.images})
    for path, text in texts.items():
        write_text(path, text)
    write_text(folder / DATA, _data(exchange, folder))


def read(path: Path, exchange: Exchange) -> Answer:
    """Read the labels below a folder that was written so, or below a folder of labels alone.

    Raises:
        InputError: there are none, or a line is no pose of these joints.
    """
    root = path / LABELS if (path / LABELS).is_dir() else path
    if not root.is_dir():
        raise InputError(f"{path}: is no folder; expected one with {LABELS}, or of YOLO's text files")
    by_text = {text_name(image): image for image in exchange.images}
    images: dict[str, list[Returned]] = {}
    for file in sorted(root.rglob("*.txt")):
        name = file.relative_to(root).as_posix()
        image = by_text.get(name)
        if image is None:
            images[name] = []
        else:
            lines = file.read_text(encoding="utf-8-sig").splitlines()
            poses = [_pose(file, k, line, exchange, image) for k, line in enumerate(lines, 1) if line.strip()]
            images[image.name] = _matched(image, poses, exchange)
    if not images:
        raise InputError(f"{root}: has no text files of labels")
    return Answer(images)


def text_name(image: LabelledImage) -> str:
    """The text file of an image, below the folder of labels."""
    return Path(_file_name(image)).with_suffix(".txt").as_posix()


def _file_name(image: LabelledImage) -> str:
    """The name of an image, without folders called images: Ultralytics looks for labels beside the last of these."""
    *folders, last = image.name.split("/")
    return "/".join([*("images_" if folder == "images" else folder for folder in folders), last])


def _data(exchange: Exchange, folder: Path) -> str:
    """data.yaml. JSON is YAML, too."""
    number = {joint: k for k, joint in enumerate(exchange.joints)}
    mirrored = {a: b for pair in exchange.pairs for a, b in (pair, pair[::-1])}
    content = {
        "path": str(folder.resolve()),
        "train": IMAGES,
        "val": IMAGES,
        "names": {0: exchange.category},
        "kpt_shape": [len(exchange.joints), 3],
        "flip_idx": [number[mirrored.get(joint, joint)] for joint in exchange.joints],
        "kpt_names": {0: list(exchange.joints)},
    }
    return "".join(
        f"{key}: {_mapping(value) if isinstance(value, dict) else json.dumps(value, ensure_ascii=False)}\n"
        for key, value in content.items()
    )


def _mapping(value: dict) -> str:
    return (
        "{" + ", ".join(f"{key}: {json.dumps(each, ensure_ascii=False)}" for key, each in value.items()) + "}"
    )


def _line(image: LabelledImage, instance: Instance) -> str:
    x, y, width, height = instance.box
    (left, top), (right, bottom) = _share(image, (x, y)), _share(image, (x + width, y + height))
    numbers = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
    cells = [f"{number:.{DIGITS}f}" for number in numbers]
    for point in instance.points:
        u, v = (0.0, 0.0) if point.place is None else _share(image, point.place)
        seen = HIDDEN if point.place is None else OCCLUDED if point.is_occluded else VISIBLE
        cells += [f"{u:.{DIGITS}f}", f"{v:.{DIGITS}f}", str(seen)]
    return " ".join(["0", *cells])


def _share(image: LabelledImage, place: Place) -> Place:
    """A place as a share of the image, within it: Ultralytics leaves out images with any other."""
    x, y = (min(max(value / length, 0.0), 1.0) for value, length in zip(place, image.size))
    return x, y


def _pose(file: Path, number: int, line: str, exchange: Exchange, image: LabelledImage) -> dict[str, Place]:
    """The places of a line; x and y alone (without v) are a label unless both are 0."""
    count = len(exchange.joints)
    try:
        numbers = [float(cell) for cell in line.split()]
        depth, rest = divmod(len(numbers) - 5, count)
        if rest or depth not in (2, 3):
            raise ValueError
    except ValueError:
        raise InputError(
            f"{file}, line {number}: {short_repr(line)}, expected a class, a box and {count} points of x, y and v"
        ) from None
    places = {}
    for joint, point in zip(exchange.joints, np.reshape(numbers[5:], (count, depth)).tolist()):
        is_label = point[2] > 0 if depth == 3 else any(point)
        if is_label:
            places[joint] = (point[0] * image.size[0], point[1] * image.size[1])
    return places


def _matched(image: LabelledImage, poses: list[dict[str, Place]], exchange: Exchange) -> list[Returned]:
    """The poses with the numbers of the instances that they have most places in common with, one to one."""
    if not poses or not image.instances:
        return [Returned(None, places) for places in poses]
    common = np.array([[_common(image, instance, pose) for instance in image.instances] for pose in poses])
    away = np.array([[_distance(exchange, instance, pose) for instance in image.instances] for pose in poses])
    # The distance decides where nothing is in common, and the order between instances in the same place.
    order = np.abs(np.arange(len(poses))[:, None] - np.arange(len(image.instances)))
    rows, columns = linear_sum_assignment(away / (1 + len(poses) * away.max()) + 1e-9 * order - common)
    found = {}
    for k, i in zip(rows.tolist(), columns.tolist()):
        is_known = common[k, i] > 0 or common.shape == (1, 1)
        found[k] = Returned(image.instances[i].number, poses[k], "" if is_known else UNKNOWN)
    return [found.get(k, Returned(None, pose)) for k, pose in enumerate(poses)]


def _common(image: LabelledImage, instance: Instance, pose: dict[str, Place]) -> int:
    """How many places of a pose are those of a label of the instance, whichever."""
    slack = SLACK.of(image)
    given = [point.place for point in instance.points if point.place is not None]
    return sum(any(abs(x - u) <= slack and abs(y - v) <= slack for u, v in given) for x, y in pose.values())


def _distance(exchange: Exchange, instance: Instance, pose: dict[str, Place]) -> float:
    """Mean distance of the labels, where one is missing that of the box's diagonal."""
    far = float(np.hypot(*instance.box[2:]))
    distances = [
        min(far, float(np.hypot(point.place[0] - pose[joint][0], point.place[1] - pose[joint][1])))
        if point.place is not None and joint in pose
        else far * (point.place is not None or joint in pose)
        for joint, point in zip(exchange.joints, instance.points)
    ]
    return float(np.mean(distances))
