"""Do the labels of a data set lie on its pixels? What the headers of a sample of its images tell.

Tools that show pictures upright (CVAT, Label Studio, labelme, RectLabel, VIA) give the width, height and
labels of the upright picture; COCO's refer to the pixels as stored. Where both have different sizes, width
and height tell which is meant, image by image, whenever it is read (`images.read_image`). Where they have
not (a square image, a half turn, a mirrored one), the other images of the file decide.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from os import PathLike

import numpy as np

from lib.dataset.annotations import Annotations
from lib.dataset.depth import FULL, may_be_deep, significant_bits
from lib.dataset.image_header import AS_STORED, ImageHeader, read_header
from lib.dataset.image_spec import ImageSpec
from lib.dataset.images import decode, decode_deep, open_image, read_content
from lib.utils.errors import InputError
from lib.utils.log import LOG

SAMPLED = 64  # images whose header is read
SAMPLED_DEEP = 16  # of them, images that are decoded to find the bits they use
UPRIGHT, STORED, UNTOLD, OTHER = "upright", "stored", "untold", "other size"


@dataclass
class Sample:
    """What the images of a sample tell.

    checked: number of images whose size is known.
    kinds: number of images of each kind: labelled UPRIGHT or STORED; with an orientation, but UNTOLD which of
        both is meant; OTHER: of neither size.
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


def settled(annotations: Annotations, file: str | PathLike, on_bad_image: str, bits: int = 0) -> Annotations:
    """Find out how the images of an annotation file are read so that the labels lie on them.

    Args:
        annotations: all instances of the file.
        file: the annotation file, for messages.
        on_bad_image: DATASET.ON_BAD_IMAGE; "skip" leaves out images of another size than annotated.
        bits: DATASET.IMAGE_BITS; significant bits of 16-bit pixels; 0: those of the largest value.

    Returns:
        The annotations with ``upright`` and ``bits``.

    Raises:
        InputError: an image has another size than annotated, and ``on_bad_image`` is "raise".
    """
    sample = look_at(sampled_images(annotations, SAMPLED))
    if sample.other:
        told = f"{file}: {sample.kinds[OTHER]} of {sample.checked} images looked at have another size: {sample.other}"
        if on_bad_image == "raise":
            raise InputError(f"{told} (DATASET.ON_BAD_IMAGE skip leaves such images out)")
        LOG.warning(f"{told}; such images are left out")
    if sample.kinds[UPRIGHT]:
        LOG.info(
            f"{file}: {sample.kinds[UPRIGHT]} of {sample.checked} images looked at were labelled upright"
            " and are turned as their EXIF orientation says"
        )
    if sample.untold and not sample.upright and not sample.stored:
        LOG.warning(
            f"{file}: {sample.kinds[UNTOLD]} of {sample.checked} images looked at have an EXIF orientation, such as"
            f" {sample.untold}, and no size tells whether they were labelled upright; they are used as stored"
        )
    if not bits:
        bits = significant_bits(max(sample.largest, default=0))
        if bits != FULL:
            LOG.info(
                f"{file}: 16-bit images have values up to {max(sample.largest)} and are read as {bits} bits"
                " (DATASET.IMAGE_BITS)"
            )
    return replace(
        annotations,
        upright=np.full(len(annotations), sample.upright),
        bits=np.full(len(annotations), bits, np.uint8),
    )


def sampled_images(annotations: Annotations, count: int) -> list[ImageSpec]:
    """``count`` images, evenly spaced."""
    _, first = np.unique(annotations.image_index, return_index=True)
    chosen = first[np.unique(np.linspace(0, max(0, len(first) - 1), count).round().astype(int))]
    return [annotations.image(index) for index in chosen.tolist()]


def look_at(images: list[ImageSpec]) -> Sample:
    """Read the headers of ``images``, and decode a few of 16 bits. Unreadable ones are found when they are used."""
    sample = Sample()
    for image in images:
        header, may_be_deep = _start_of(image.path)
        if header is None:
            continue
        sample.checked += 1
        kind = kind_of(image, header)
        sample.kinds[kind] += 1
        if kind == OTHER:
            sample.other = sample.other or other_size(image, header)
        elif kind == UNTOLD:
            sample.untold = sample.untold or f"{image.path} (orientation {header.orientation})"
        if may_be_deep and len(sample.largest) < SAMPLED_DEEP:
            deep = decode_deep(read_content(image.path) or b"")
            sample.largest += [] if deep is None else [int(deep.max())]
    return sample


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


def _start_of(path: str) -> tuple[ImageHeader | None, bool]:
    """The header of an image, None if it cannot be read, and whether it may have 16 bits."""
    file = open_image(path)
    if file is None:
        return None, False
    with file:
        deep = may_be_deep(file.read(32))
        file.seek(0)
        header = read_header(file)
    if header is None:  # a format that only OpenCV knows, if any
        pixels = decode(read_content(path) or b"")
        header = None if pixels is None else ImageHeader(pixels.shape[1::-1], AS_STORED)
    return header, deep
