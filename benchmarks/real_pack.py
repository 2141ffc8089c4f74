"""Make the data of benchmarks/real.py small enough to travel: smaller pictures, annotations scaled with them.

    python benchmarks/real_pack.py --data FOLDER --out lspet_mpii_small.tar.gz
    mkdir NEW && tar xf lspet_mpii_small.tar.gz -C NEW    # then benchmarks/real.py --data NEW

Pictures whose person is larger than --pixels are made smaller and all are encoded again, as JPEG; boxes, keypoints and
the second opinion's places are scaled with their picture. --out is a folder, or a file that
ends with .tar or .tar.gz (which saves a tenth: the blocks of small files are half empty).
"""

import argparse
import contextlib
import gzip
import io
import json
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.evidence.second_opinion import read_second_opinion
from benchmarks.lspet_ground import SECOND_OPINION
from benchmarks.real_ground import read_people
from lib.dataset.annotations import read_json
from lib.utils.errors import InputError
from lib.utils.progress import track

SETS = ("lspet_train.json", "mpii_train.json", "mpii_test.json")
ARCHIVES = (".tar", ".tar.gz")
MIB = 2**20
DIGITS = 2  # of coordinates, in pixels


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help=f"folder of {', '.join(SETS)}, {SECOND_OPINION} and images")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.tar.gz|DIR", help="what to write")
    parser.add_argument("--pixels", type=int, default=110, help="longer side of a person's box at most; default: 110")  # fmt: skip
    parser.add_argument("--quality", type=int, default=80, help="of JPEG, 1 to 100; default: 80")
    parser.add_argument("--limit", type=float, default=60, metavar="MIB", help="fail above this size; default: 60")  # fmt: skip
    return parser


def pack(data: Path, out: Path, pixels: int, quality: int) -> dict[str, int]:
    """Write the files and pictures of ``data`` into the folder ``out``.

    Returns:
        {"pictures": their number, "smaller": how many were made smaller, "bytes": of all files}.

    Raises:
        InputError: a file or picture is missing or invalid.
    """
    read_second_opinion(data / SECOND_OPINION)  # so that it is refused now
    (out / "images").mkdir(parents=True)
    factors: dict[str, tuple[float, float]] = {}
    smaller = 0
    for name in SETS:
        tree = read_people(data / name)
        wanted = dict(_factors(tree, pixels, data / name))
        for file, factor in track(list(wanted.items()), name):
            factors[file] = _write_picture(data / "images" / file, out / "images" / file, factor, quality)
            smaller += factor < 1
        _write(out / name, _scaled(tree, factors))
    _write(out / SECOND_OPINION, _scaled_opinion(data, factors))
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return {"pictures": len(factors), "smaller": smaller, "bytes": size}


def _factors(tree: dict, pixels: int, path: Path) -> Iterator[tuple[str, float]]:
    """(file name, factor) of every picture, such that none of its people is larger than ``pixels``."""
    largest: dict[int, float] = {}
    for person in tree["annotations"]:
        try:
            side = float(max(person["bbox"][2:4]))
        except (KeyError, TypeError, ValueError):
            raise InputError(f"{path}: annotation {person['id']}: expected a bbox of four numbers") from None
        largest[person["image_id"]] = max(side, largest.get(person["image_id"], 0))
    for image in tree["images"]:
        yield image["file_name"], min(1, pixels / max(largest.get(image["id"], 0), 1))


def _write_picture(path: Path, out: Path, factor: float, quality: int) -> tuple[float, float]:
    """Write a smaller picture; by how much its width and height really changed."""
    picture = cv2.imread(str(path))
    if picture is None:
        raise InputError(f"{path}: cannot be read as an image")
    height, width = picture.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if factor < 1 else picture
    _, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1])  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(encoded.tobytes())
    return (size[0] / width, size[1] / height) if factor < 1 else (1.0, 1.0)


def _scaled(tree: dict, factors: dict[str, tuple[float, float]]) -> dict:
    """A file in COCO's format with its pictures scaled."""
    of_image = {image["id"]: factors[image["file_name"]] for image in tree["images"]}
    images = []
    for image in tree["images"]:
        x, y = of_image[image["id"]]
        new = {"width": round(image["width"] * x), "height": round(image["height"] * y)}
        if "crop_scale" in image:
            new["crop_scale"] = [round(a * b, 5) for a, b in zip(image["crop_scale"], (x, y))]
        images.append(image | new)
    people = []
    for person in tree["annotations"]:
        x, y = of_image[person["image_id"]]
        new = {"keypoints": _points(person["keypoints"], x, y), "bbox": _numbers(np.array(person["bbox"]) * (x, y, x, y))}  # fmt: skip
        if "area" in person:
            new["area"] = round(person["area"] * x * y, 1)
        people.append(person | new)
    return tree | {"images": images, "annotations": people}


def _scaled_opinion(data: Path, factors: dict[str, tuple[float, float]]) -> dict:
    """The second opinion; its places are x, y and a score in the person's picture."""
    path, source = data / SECOND_OPINION, read_people(data / SETS[0])
    files = {image["id"]: image["file_name"] for image in source["images"]}
    of_person = {person["id"]: factors[files[person["image_id"]]] for person in source["annotations"]}
    opinion, people = read_json(path), []
    for person in opinion["people"]:
        number = person["annotation_id"]
        if number not in of_person:
            raise InputError(f"{path}: annotation {number} is not in {SETS[0]}")
        scaled = {}
        if "movenet" in person:
            points = np.array(person["movenet"], float) * (*of_person[number], 1)
            scaled["movenet"] = points.round(3).tolist()
        people.append(person | scaled)
    return opinion | {"people": people}


def _points(keypoints: list, x: float, y: float) -> list:
    points = np.array(keypoints, float).reshape(-1, 3) * (x, y, 1)
    return _numbers(points.ravel())


def _numbers(values: np.ndarray) -> list:
    """Short to write: whole numbers without a point."""
    return [int(value) if value.is_integer() else value for value in values.round(DIGITS).tolist()]


def _write(path: Path, tree: dict) -> None:
    path.write_text(json.dumps(tree, separators=(",", ":")), encoding="utf-8")


def _archived(folder: Path, out: Path) -> Path:
    """One file in place of the packed ``folder``, in which times and owners do not count; its path beside it."""
    whole = folder.with_name(out.name)
    with open(whole, "wb") as file, _compressed(file, out) as stream, tarfile.open(fileobj=stream, mode="w") as archive:  # fmt: skip
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            content = path.read_bytes()
            entry = tarfile.TarInfo(str(path.relative_to(folder)))
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return whole


def _compressed(file: BinaryIO, out: Path) -> AbstractContextManager:
    if out.suffix == ".tar":
        return contextlib.nullcontext(file)
    return gzip.GzipFile("", "wb", fileobj=file, mtime=0)


def make_pack(arguments: argparse.Namespace) -> tuple[dict[str, int], float]:
    """Write --out; the counts of `pack`, and the size of what was written in MiB.

    Raises:
        InputError: also if the size is above --limit; nothing is written then.
    """
    out = arguments.out
    is_file = out.name.endswith(ARCHIVES)
    if not is_file and out.exists():
        raise InputError(f"{out}: exists")
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.absolute().parent, prefix=".packing.") as folder:
        packed = Path(folder) / "packed"
        counts = pack(arguments.data, packed, arguments.pixels, arguments.quality)
        if is_file:
            packed = _archived(packed, out)
        size = (packed.stat().st_size if is_file else counts["bytes"]) / MIB
        if size > arguments.limit:
            raise InputError(f"{size:.1f} MiB, above --limit {arguments.limit:g}: give a smaller --pixels or --quality")  # fmt: skip
        packed.replace(out)
    return counts, size


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code is 2 for invalid input, or if the result is too large."""
    arguments = build_parser().parse_args(argv)
    try:
        if not (arguments.pixels > 0 and 1 <= arguments.quality <= 100 and arguments.limit > 0):
            raise InputError("--pixels and --limit: expected above 0; --quality: 1 to 100")
        counts, size = make_pack(arguments)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{counts['pictures']} pictures, {counts['smaller']} of them made smaller, {size:.1f} MiB")
    print(arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
