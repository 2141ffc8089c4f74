"""DeepLabCut: CollectedData_SCORER.csv in a folder labeled-data/VIDEO, beside the images.

If an image has several instances, the table has a row of individuals: of each image the first, the second and so on, in
the order of the annotation file.
"""

import csv
import io
from pathlib import Path

from lib.exchange.image_files import link_images
from lib.exchange.labels import Answer, Exchange, Instance, LabelledImage, Place, Returned
from lib.utils.errors import InputError, short_repr
from lib.utils.files import write_text

FOLDER = "labeled-data"
INDEX = 3  # columns before the places: labeled-data, video, image
INDIVIDUAL = "individual"
HEADERS = ("scorer", "individuals", "bodyparts", "coords")


def write(exchange: Exchange, folder: Path, scorer: str = "lbi") -> None:
    """Write the table, with the images beside it. folder: of a video in labeled-data. scorer: as in config.yaml."""
    count = max(len(image.instances) for image in exchange.images)
    individuals = [f"{INDIVIDUAL}{k}" for k in range(1, count + 1)] if count > 1 else [""]
    columns = [
        (scorer, individual, joint, axis)
        for individual in individuals
        for joint in exchange.joints
        for axis in "xy"
    ]
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for level, header in enumerate(HEADERS):
        if header != "individuals" or count > 1:
            rows.writerow([header, *[""] * (INDEX - 1), *(column[level] for column in columns)])
    for image in exchange.images:
        cells = [cell for instance in image.instances for cell in _cells(instance)]
        cells += [""] * (len(columns) - len(cells))
        rows.writerow([FOLDER, folder.name, file_name(image), *cells])
    link_images({folder / file_name(image): image for image in exchange.images})
    write_text(folder / f"CollectedData_{scorer}.csv", text.getvalue())


def read(path: Path, exchange: Exchange) -> Answer:
    """Read a table of labels.

    Raises:
        InputError: it is no such table, or lacks joints.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise InputError(
            f"{path}: cannot be read ({getattr(problem, 'strerror', None) or problem})"
        ) from None
    heads = {row[0]: row for row in rows[: len(HEADERS)]}
    if not {"scorer", "bodyparts", "coords"} <= set(heads):
        raise InputError(
            f"{path}: expected the rows {', '.join(HEADERS)} at its head (individuals if there are several)"
        )
    index = next((k for k, name in enumerate(heads["coords"]) if name == "x"), INDEX)
    individuals = heads.get("individuals", [""] * len(heads["coords"]))
    column_of = {
        key: k
        for k, key in enumerate(zip(individuals, heads["bodyparts"], heads["coords"], strict=False))
        if k >= index
    }
    known = {joint for _, joint, _ in column_of}
    if lacking := set(exchange.joints) - known:
        raise InputError(f"{path}: has no bodypart {min(lacking)}; expected the joints that were given to it")
    by_file = {file_name(image): image for image in exchange.images}
    images: dict[str, list[Returned]] = {}
    for row in rows[3 + ("individuals" in heads) :]:
        name = "/".join(row[:index]).replace("\\", "/").rpartition("/")[2]
        image = by_file.get(name)
        found = _returned(path, exchange, image, row, column_of) if image is not None else []
        images.setdefault(image.name if image is not None else name, []).extend(found)
    return Answer(images)


def file_name(image: LabelledImage) -> str:
    """The name of an image in the folder of a video, which has no folders in it."""
    return image.name.replace("/", "__")


def _cells(instance: Instance) -> list[str]:
    return [
        "" if point.place is None else f"{value:.2f}"
        for point in instance.points
        for value in (point.place or ("", ""))
    ]


def _returned(
    path: Path, exchange: Exchange, image: LabelledImage, row: list[str], column_of: dict[tuple, int]
) -> list[Returned]:
    found = []
    for individual in dict.fromkeys(name for name, joint, _ in column_of if joint in exchange.joints):
        places = {}
        for joint in exchange.joints:
            columns = [column_of.get((individual, joint, axis)) for axis in "xy"]
            texts = [row[k] if k is not None and k < len(row) else "" for k in columns]
            if all(text.strip() and text.strip().lower() != "nan" for text in texts):
                places[joint] = _place(path, image, texts)
        position = int(individual[len(INDIVIDUAL) :]) - 1 if individual[len(INDIVIDUAL) :].isdecimal() else 0
        is_given = 0 <= position < len(image.instances)
        if is_given or places:
            found.append(Returned(image.instances[position].number if is_given else None, places))
    return found


def _place(path: Path, image: LabelledImage, texts: list[str]) -> Place:
    try:
        x, y = map(float, texts)
        return x, y
    except ValueError:
        raise InputError(f"{path}: {image.name}: {short_repr(texts)}, expected x and y in pixels") from None
