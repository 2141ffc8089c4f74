"""MATLAB files of version 5 to 7.2: the arrays of numbers, and cells of those and of texts, that one asks for.

scipy.io.loadmat reads more, but some damaged files crash the whole process in its compiled part. Here every
length is checked before it is believed. The format: MathWorks, "MAT-File Format", level 5.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lib.utils.errors import InputError
from lib.utils.log import LOG

HEADER = 128
BYTE_ORDERS = {b"IM": "<", b"MI": ">"}
# What numbers are stored as, and what they mean: an array of doubles may be stored in bytes.
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
MATRIX, COMPRESSED = 14, 15  # types of elements
CELL, CHAR = 1, 4  # classes of arrays
COMPLEX = 0x800  # a flag of arrays
LARGEST = 2**28  # bytes, unpacked: far above any array here, far below a machine's memory


def read_mat(path: str | Path, keys: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The variables ``keys`` that the file has, others left alone. Cells are arrays of str and arrays.

    Raises InputError where the file cannot be read, is damaged, or one of ``keys`` is neither kind of array.
    """
    LOG.debug("reading %s", path)
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a MATLAB file") from None
    order = BYTE_ORDERS.get(content[126:HEADER])
    if order is None:
        raise InputError(f"{path}: not a MATLAB file of version 5 to 7.2")
    found = {}
    try:
        for kind, data in _elements(memoryview(content)[HEADER:], order):
            if kind == COMPRESSED:
                ((kind, data),) = _elements(_unpacked(data), order)
            if kind == MATRIX:
                array = _Array(data, order)
                if array.name in keys:
                    found[array.name] = array.value()
    except (ValueError, struct.error, zlib.error) as error:
        raise InputError(f"{path}: a damaged MATLAB file, or one of another kind ({error})") from None
    return found


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """(type, content) one after the other."""
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from(f"{order}II", data, at)
        begin, end = at + 8, at + 8 + size
        if kind >> 16:  # four bytes or fewer, beside type and size in one word
            size, kind = kind >> 16, kind & 0xFFFF
            begin, end = at + 4, at + 4 + min(size, 4)
        if size != end - begin or end > len(data):
            raise ValueError(f"an element of {size} bytes where {max(0, len(data) - begin)} are left")
        at = end if kind == COMPRESSED else end + (at - end) % 8
        yield kind, data[begin:end]


def _unpacked(data: memoryview) -> memoryview:
    stream = zlib.decompressobj()
    content = stream.decompress(data, LARGEST)
    if not stream.eof:
        raise ValueError(f"a compressed array that is cut, or has more than {LARGEST} bytes")
    return memoryview(content)


class _Array:
    """An array whose name is read at once, and whose content only when asked for."""

    def __init__(self, data: memoryview, order: str):
        self.order = order
        self.parts = _elements(data, order)
        flags, dimensions, name = (self._next()[1] for _ in range(3))
        (self.flags,) = struct.unpack_from(f"{order}I", flags)
        self.shape = tuple(np.frombuffer(dimensions, f"{order}i4").tolist())
        if not 2 <= len(self.shape) <= 32 or min(self.shape) < 0:
            raise ValueError(f"an array of shape {self.shape[:32]}")
        self.name = bytes(name).decode("latin-1")

    def in_cell(self) -> np.ndarray | str:
        """The content of an array in a cell: a text, or numbers."""
        meaning = self.flags & 0xFF
        if meaning == CELL:
            raise ValueError(f"{self.name!r:.40} is a cell in a cell")
        return self._text() if meaning == CHAR else self.value()

    def value(self) -> np.ndarray:
        """The content of a variable: numbers, or an array of those and of texts."""
        meaning, count = self.flags & 0xFF, math.prod(self.shape)
        if meaning == CELL:
            cells = [_Array(data, self.order).in_cell() for _, data in self.parts]
            array = np.empty(len(cells), object)
            array[:] = cells
        elif self.flags & COMPLEX:
            raise ValueError(f"{self.name!r:.40} is complex")
        elif meaning in CLASSES:
            kind, data = self._next()
            if kind not in STORED:
                raise ValueError(f"numbers stored as type {kind}")
            array = np.frombuffer(data, f"{self.order}{STORED[kind]}").astype(CLASSES[meaning])
        else:
            raise ValueError(f"{self.name!r:.40} is an array of class {meaning}")
        if array.size != count:
            raise ValueError(f"{array.size} values in an array of {count}")
        return array.reshape(self.shape, order="F")

    def _text(self) -> str:
        kind, data = next(self.parts, (1, b""))  # the empty text may have no content
        if kind not in TEXTS or len(self.shape) != 2 or self.shape[0] > 1:
            raise ValueError("a text of several rows, or stored in an unknown way")
        ending = {"<": "-le", ">": "-be"}[self.order] if TEXTS[kind] in ("utf-16", "utf-32") else ""
        return bytes(data).decode(TEXTS[kind] + ending)

    def _next(self) -> tuple[int, memoryview]:
        part = next(self.parts, None)
        if part is None:
            raise ValueError("an array without its shape, name or content")
        return part
