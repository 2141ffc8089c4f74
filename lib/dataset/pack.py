"""A pack: for every instance the pixels that its crops depend on, decoded, in a memory-mapped file.

Reading a sample from it costs neither decoding nor opening the image; pixels are the same to the last bit.
Packs are made by packing.py.
"""

import mmap
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from lib.dataset.pack_file import NotComplete, identity
from lib.utils.errors import InputError

UNREADABLE = 0  # in place of a position


class Part(NamedTuple):
    """A part of an image.

    pixels: uint8 [h, w, 3], BGR.
    corner: left and top pixel of the part in the image.
    reduce: the image was decoded at 1 / reduce of its size.
    """

    pixels: np.ndarray
    corner: tuple[int, int]
    reduce: int


@dataclass(frozen=True, eq=False)
class Pack:
    """The parts of images that N instances need.

    files: path and identity of each file. All processes map the same ones, so they share one copy in memory.
    rows: int64 [N, 7], for each instance: the file, the position of the pixels (UNREADABLE if the image could
        not be read), left, top, right, bottom, reduce.
    """

    files: tuple[tuple[str, bytes], ...]
    rows: np.ndarray
    _maps: dict[int, np.ndarray] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        """Without the maps: another process opens the files itself."""
        return self.__dict__ | {"_maps": {}}

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, index: int) -> Part | None:
        """The part that the crops of instance ``index`` need; None if its image could not be read.

        Raises:
            InputError: the file was removed or replaced since the pack was opened.
        """
        number, position, left, top, right, bottom, reduce = self.rows[index].tolist()
        if position == UNREADABLE:
            return None
        if number not in self._maps:
            self._maps[number] = _map(*self.files[number])
        height, width = bottom - top, right - left
        pixels = self._maps[number][position : position + 3 * height * width]
        return Part(pixels.reshape(height, width, 3), (left, top), reduce)

    def joined(self, other: "Pack") -> "Pack":
        """The parts of these instances followed by those of ``other``."""
        rows = other.rows.copy()
        rows[:, 0] += len(self.files)
        return Pack(self.files + other.files, np.concatenate([self.rows, rows]))

    def with_rows(self, rows: np.ndarray) -> "Pack":
        """The same files with another array of rows."""
        return Pack(self.files, rows)


def _map(path: str, expected: bytes) -> np.ndarray:
    """The bytes of a pack, mapped into memory."""
    try:
        with open(path, "rb") as file:
            if identity(file) != expected:
                raise InputError(f"{path}: another run has replaced this pack; start again")
            return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
    except (OSError, NotComplete) as error:
        raise InputError(f"{path}: cannot be read any more ({error}); start again") from None
