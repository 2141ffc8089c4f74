"""Do the labels of a data set lie on its pixels? What the headers of a sample of its images tell.

Tools that show pictures upright (CVAT, Label Studio, labelme, RectLabel, VIA) give the width, height and
labels of the upright picture; COCO's refer to the pixels as stored. Where both have different sizes, width
and height tell which is meant, image by image, whenever it is read (`images.read_image`). Where they have
not (a square image, a half turn, a mirrored one), the other images of the file decide.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from os import PathLike

import numpy as np

from lib.config.data_settings import SingleDatasetConfig
from lib.dataset.annotations import Annotations
from lib.dataset.depth import FULL, significant_bits
from lib.dataset.image_header import AS_STORED, ImageHeader
from lib.dataset.image_spec import ImageSpec
from lib.dataset.images import decode_deep, header_of, read_content, starts_deep
from lib.dataset.reading_notes import ReadingNotes
from lib.utils.errors import InputError

SAMPLED = 64  # images whose header is read
DARK = 16  # an image whose values are all below this part of white is nearly black
SAMPLED_DEEP = 16  # of them, images that are decoded to find the bits they use
UPRIGHT, STORED, UNTOLD, OTHER = "upright", "stored", "untold", "other size"


@dataclass
class Sample:
    """What the images of a sample tell.

    checked: number of images whose size is known.
    kinds: number of images of each kind: labelled UPRIGHT or STORED; with an orientation, but UNTOLD which of
        both is meant; of OTHER size.
    untold, other: the first image of that kind, and what it is.
    largest: largest value of each image of 16 bits.
    """

    checked: int = 0
    kinds: Counter = field(default_factory=Counter)
    untold: str = ""
    other: str = ""
    largest: list[int] = field(default_factory=list)

    @property
    def upright(self) -> bool:
        """Whether the labels of the file refer to upright pictures, as far as the sample tells."""
        return self.kinds[UPRIGHT] > 0 and self.kinds[STORED] == 0

    @property
    def stored(self) -> bool:
        """Whether they refer to the pixels as stored."""
        return self.kinds[STORED] > 0 and self.kinds[UPRIGHT] == 0

    def notes(self, bits: int, given: bool = False) -> ReadingNotes:
        """What is said of the images, of which those of 16 bits are read as ``bits``; given: the user said so."""
        of, filled_in, doubts = f"of {self.checked} images looked at", {}, {}
        if self.kinds[UPRIGHT]:
            what = f"{of} were labelled upright and are turned as their EXIF orientation says"
            filled_in[what] = self.kinds[UPRIGHT]
        if self.largest and bits != FULL:
            what = f"images of 16 bits have values up to {max(self.largest)} and are read as {bits} bits (DATASET.IMAGE_BITS)"
            filled_in[what] = len(self.largest)
        dark = [value for value in self.largest if value < 2**bits / DARK]
        if dark and not given:
            doubts[
                f"of {len(self.largest)} images of 16 bits looked at have no value above {max(dark)} and are nearly "
                f"black, read as {bits} bits: do they use fewer? Scale them, or set DATASET.IMAGE_BITS"
            ] = len(dark)
        if self.untold and not self.upright and not self.stored:
            what = (
                f"{of} have an EXIF orientation, such as {self.untold}, and no size tells whether they were"
                " labelled upright; they are used as stored"
            )
            doubts[what] = self.kinds[UNTOLD]
        if self.other:
            doubts[f"{of} have another size, and such images are left out: {self.other}"] = self.kinds[OTHER]
        return ReadingNotes({}, filled_in, doubts)


def settled(annotations: Annotations, file: str | PathLike, images: SingleDatasetConfig) -> Annotations:
    """Find out how the images of an annotation file are read so that the labels lie on them.

    Args:
        annotations: all instances of the file.
        file: the annotation file, for the error message.
        images: section DATASET: ON_BAD_IMAGE and IMAGE_BITS.

    Returns:
        The annotations with ``upright`` and ``bits``, and with notes on both.

    Raises:
        InputError: an image has another size than annotated, and ON_BAD_IMAGE is "raise".
    """
    sample = look_at(sampled_images(annotations, SAMPLED))
    if sample.other and images.on_bad_image == "raise":
        raise InputError(
            f"{file}: {sample.kinds[OTHER]} of {sample.checked} images looked at have another size: {sample.other}"
            " (DATASET.ON_BAD_IMAGE skip leaves such images out)"
        )
    bits = images.image_bits or significant_bits(max(sample.largest, default=0))
    return replace(
        annotations,
        upright=np.full(len(annotations), sample.upright),
        bits=np.full(len(annotations), bits, np.uint8),
        notes=annotations.notes.joined(sample.notes(bits, images.image_bits > 0)),
    )


def sampled_images(annotations: Annotations, count: int) -> list[ImageSpec]:
    """``count`` images, evenly spaced; without a size where the annotations do not give it."""
    _, first = np.unique(annotations.image_index, return_index=True)
    chosen = first[np.unique(np.linspace(0, max(0, len(first) - 1), count).round().astype(int))]
    images = [annotations.image(index) for index in chosen.tolist()]
    if annotations.sized is None:
        return images
    sized = annotations.sized[chosen].tolist()
    return [image if known else replace(image, size=None) for image, known in zip(images, sized)]


def look_at(images: list[ImageSpec]) -> Sample:
    """Read the headers of ``images``, and decode a few of 16 bits. Unreadable ones are found when they are used."""
    sample = Sample()
    for image in images:
        header = header_of(image.path)
        if header is None:
            continue
        sample.checked += 1
        kind = kind_of(image, header)
        sample.kinds[kind] += 1
        if kind == OTHER:
            sample.other = sample.other or other_size(image, header)
        elif kind == UNTOLD:
            sample.untold = sample.untold or f"{image.path} (orientation {header.orientation})"
    sample.largest = largest_values([image.path for image in images])
    return sample


def largest_values(paths: Iterable[str]) -> list[int]:
    """The largest value of each image of 16 bits among ``paths``, of at most SAMPLED_DEEP of them."""
    largest: list[int] = []
    for path in filter(starts_deep, paths):
        deep = decode_deep(read_content(path) or b"")
        largest += [] if deep is None else [int(deep.max())]
        if len(largest) == SAMPLED_DEEP:
            break
    return largest


def kind_of(image: ImageSpec, header: ImageHeader) -> str:
    """Which frame the size of an image's annotation fits: a key of ``Sample.kinds``; "" if there is just one."""
    if image.size is None or header.size == header.upright_size == image.size:
        return "" if header.orientation == AS_STORED else UNTOLD
    return {header.size: STORED, header.upright_size: UPRIGHT}.get(image.size, OTHER)


def other_size(image: ImageSpec, header: ImageHeader) -> str:
    """One line on an image that has another size than annotated."""
    assert image.size is not None
    stored, annotated = (f"{width} x {height}" for width, height in (header.size, image.size))
    reason = "resized after it was labelled?"
    if image.size == header.size[::-1]:
        reason = "turned after it was labelled (its EXIF orientation lost?), or width and height exchanged"
    exif = "" if header.orientation == AS_STORED else f" (stored, with EXIF orientation {header.orientation})"
    return f"{image.path} has {stored} pixels{exif}, its annotation says {annotated}: {reason}"
