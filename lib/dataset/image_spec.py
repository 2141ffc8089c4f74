"""What is needed to read an image so that its labels lie on it."""

from dataclasses import dataclass

SEPARATOR = "\0"  # no path contains it


@dataclass(frozen=True)
class ImageSpec:
    """An image, and what its labels refer to.

    path: a file, or ARCHIVE.zip@/MEMBER.
    size: width and height of the image that was labelled, as annotated; None: unknown.
    upright: where ``size`` does not tell, the labels refer to the picture turned upright as its EXIF
        orientation says; False: to the pixels as stored.
    bits: significant bits of 16-bit pixels, 8 to 16; None: as many as the largest value has.
    """

    path: str
    size: tuple[int, int] | None = None
    upright: bool = False
    bits: int | None = None

    @property
    def key(self) -> str:
        """A name for the decoded pixels of a given file and ``size``: the path, unless it is read unusually."""
        unusual = ["upright"] * self.upright + [f"{self.bits} bits"] * (self.bits != 16)
        return SEPARATOR.join([self.path, *unusual])


def path_of_key(key: str) -> str:
    """The path of the image with this ``ImageSpec.key``."""
    return key.partition(SEPARATOR)[0]
