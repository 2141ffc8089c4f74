"""Size and EXIF orientation of image files, from their headers.

Pillow reads them, as OpenCV gives sizes only of decoded images, and does not give the orientation.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

WIDTH, LENGTH, ORIENTATION = 256, 257, 274  # tags of TIFF 6.0; EXIF has the same ORIENTATION
AS_STORED, MIRRORED, HALF_TURN, FLIPPED, TRANSPOSED, CLOCKWISE, TRANSVERSE, COUNTERCLOCKWISE = range(1, 9)


@dataclass(frozen=True)
class ImageHeader:
    """What the header of an image file says.

    size: width and height of the stored pixels.
    orientation: EXIF orientation, 1 to 8; 1 where there is none.
    """

    size: tuple[int, int]
    orientation: int

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height of the picture as viewers show it."""
        return self.size if self.orientation < TRANSPOSED else self.size[::-1]


def read_header(file: BinaryIO) -> ImageHeader | None:
    """The header of an image file, opened for reading; None if Pillow does not know the format."""
    try:
        with Image.open(file) as image:
            size, orientation = image.size, AS_STORED
            if isinstance(image, TiffImageFile):  # Pillow 10.3 and later exchange the sides of turned ones
                size = image.tag_v2[WIDTH], image.tag_v2[LENGTH]
                orientation = image.tag_v2.get(ORIENTATION, AS_STORED)
            elif image.format != "PNG" or {"exif", "Raw profile type exif"} & image.info.keys():
                orientation = image.getexif().get(ORIENTATION, AS_STORED)  # else it would decode a PNG
    except Exception:  # damaged files raise various exceptions
        return None
    return ImageHeader(size, orientation if orientation in range(1, 9) else AS_STORED)


def turn_upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn stored ``pixels`` [H, W, C] by an EXIF orientation (CIPA DC-008, 4.6.4, tag 274)."""
    if orientation in (TRANSPOSED, TRANSVERSE):
        pixels = cv2.transpose(pixels)
    turned = {
        MIRRORED: lambda: cv2.flip(pixels, 1),
        HALF_TURN: lambda: cv2.rotate(pixels, cv2.ROTATE_180),
        FLIPPED: lambda: cv2.flip(pixels, 0),
        CLOCKWISE: lambda: cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE),
        TRANSVERSE: lambda: cv2.rotate(pixels, cv2.ROTATE_180),
        COUNTERCLOCKWISE: lambda: cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE),
    }.get(orientation)
    return pixels if turned is None else turned()


def as_stored(content: bytes) -> bytes:
    """A TIFF file's content without its orientation, which OpenCV applies even if told to ignore it.

    Any other content is returned as it is.
    """
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    if order is None:
        return content
    try:
        (version,) = struct.unpack_from(f"{order}H", content, 2)
        # Of TIFF and of BigTIFF: the position of the directory, the number of its entries, size and value of one.
        if version == 42:
            at, count_format, entry_size, value_at = *struct.unpack_from(f"{order}I", content, 4), "H", 12, 8
        elif version == 43:
            at, count_format, entry_size, value_at = *struct.unpack_from(f"{order}Q", content, 8), "Q", 20, 12
        else:
            return content
        (count,) = struct.unpack_from(order + count_format, content, at)
        first = at + struct.calcsize(order + count_format)
        for entry in range(first, first + count * entry_size, entry_size):
            if struct.unpack_from(f"{order}H", content, entry)[0] == ORIENTATION:
                value = entry + value_at
                return content[:value] + struct.pack(f"{order}H", AS_STORED) + content[value + 2 :]
    except struct.error:  # cut off
        pass
    return content
