"""Pictures of the surroundings of labels, cut out of their images."""

import functools
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lib.dataset.image_spec import ImageSpec
from lib.dataset.images import ImageFolder, header_of, problem_of, read_image
from lib.review.annotated import read_annotated
from lib.review.found import DESCRIPTION, FoundLabels
from lib.review.table import Table
from lib.utils.errors import InputError
from lib.utils.log import LOG

SAMPLED = 24  # images that are looked for before the first is needed
MARGIN = 1.35  # side of a crop / extent of the instance's labels
SMALLEST = 48  # side of a crop in pixels of the image
STEP = 1.5  # between two zooms
ZOOMS = range(-3, 8)  # 0 shows the whole instance
KEPT = 4  # decoded images in memory
QUALITY = 88
OUTSIDE = (70, 70, 70)  # BGR, beside the image


@dataclass(frozen=True)
class Square:
    """x, y: image pixels of the upper left corner; side: image pixels."""

    x: float
    y: float
    side: float


def surroundings(labels: FoundLabels, person: np.ndarray, row: int, zoom: int = 0) -> Square:
    """The part of the image to show for a label: the instance, or, if the zoom is positive, less about the label.

    Args:
        labels: the table.
        person: rows of the instance's labels.
        row: of the label.
        zoom: one of ZOOMS.
    """
    own = np.array([[labels.x[row], labels.y[row]], [labels.proposed_x[row], labels.proposed_y[row]]])
    own = own[np.isfinite(own).all(1)]
    points = np.concatenate([np.stack([labels.x[person], labels.y[person]], 1), own])
    points = points[np.isfinite(points).all(1)]
    low, high = (points.min(0), points.max(0)) if len(points) else (np.zeros(2), np.zeros(2))
    side = max(float((high - low).max()) * MARGIN, SMALLEST) / STEP**zoom
    x, y = (own.mean(0) if zoom > 0 and len(own) else (low + high) / 2).tolist()
    return Square(x - side / 2, y - side / 2, side)


class Crops:
    """Draws the surroundings of labels. Only images below one folder are read.

    images: the folder.
    """

    def __init__(self, table: Table, images: Path):
        self.images = ImageFolder.at(images)
        self._table = table
        # They say how an image with an EXIF orientation was labelled.
        self._sizes = read_annotated(table.file).sizes
        self._read = functools.lru_cache(maxsize=KEPT)(read_image)

    def check(self, folder: Path) -> None:
        """Refuse an image folder that does not hold the images of the table; a sample of them is looked for.

        Args:
            folder: of find_labels.py, for the message.

        Raises:
            InputError: the image folder, or every image of the sample, is not there.
        """
        expected = (
            f"expected the images of {folder / DESCRIPTION}; if they were moved, say where with --images DIR"
        )
        if not self.images.location.exists():
            raise InputError(f"{self.images.folder}: no such folder; {expected}")
        names = self._table.image_sample(SAMPLED)
        absent = [name for name in names if header_of(self._path(name)) is None]
        if absent and len(absent) == len(names):
            raise InputError(
                f"{self.images.location}: holds none of the {len(names)} images looked for, as {absent[0]!r}; {expected}"
            )
        if absent:
            LOG.warning(
                f"{self.images.location}: {len(absent)} of {len(names)} images looked for are not there, as {absent[0]!r}"
            )

    def draw(self, row: int, zoom: int, largest: int) -> bytes:
        """The surroundings of the label of ``row`` as a JPEG of at most ``largest`` pixels a side.

        Raises:
            InputError: its image is not in the folder, or cannot be read.
        """
        labels = self._table.labels
        person = self._table.rows_of_person(int(labels.annotation_id[row]))
        square = surroundings(labels, person, row, zoom)
        name = str(labels.image[row])
        path = self._path(name)
        if not path:
            raise InputError(f"image {name!r} is not in {self.images.location}")
        spec = ImageSpec(path, self._sizes.get(name))
        reduce = next(reduce for reduce in (8, 4, 2, 1) if reduce == 1 or square.side >= reduce * largest)
        pixels = self._read(spec, False, reduce)
        if pixels is None:
            raise InputError(problem_of(spec))
        return cv2.imencode(".jpg", cut(pixels, square, reduce, largest), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()  # fmt: skip

    def _path(self, name: str) -> str:
        """Of the one image that is meant; empty if there is none, or several."""
        found = self.images.find(name, "labels.csv") if name else []
        return found[0] if len(found) == 1 else ""


def cut(pixels: np.ndarray, square: Square, reduce: int, largest: int) -> np.ndarray:
    """The part of an image that a square shows.

    Args:
        pixels: [H, W, 3], the image at 1 / ``reduce`` of its size.
        square: in pixels of the whole image.
        reduce: see ``pixels``.
        largest: side of the result, in pixels, if the image has as many.
    """
    side = int(np.clip(round(square.side / reduce), 1, largest))
    step = square.side / side  # image pixels for each of the result
    # The middle of pixel u of the result is at x + (u + 0.5) * step of the whole image, whose first pixel is about 0.
    scale = step / reduce
    offset = [(start + 0.5 * step) / reduce - 0.5 for start in (square.x + 0.5, square.y + 0.5)]
    matrix = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(pixels, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=OUTSIDE)  # fmt: skip
