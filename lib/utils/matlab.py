"""Reader of MATLAB files of version 5 to 7.2: arrays of numbers, and cell arrays of those and of strings.

Why not scipy.io.loadmat: some damaged files crash the whole process in its compiled code, and a damaged input
has to end in one line that names it. Here every length is checked before it is used. Files are written with
scipy.io.savemat. Format: MathWorks, "MAT-File Format", level 5.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lib.utils.errors import InputError
from lib.utils.log import LOG

HEADER = 128  # bytes
BYTE_ORDERS = {b"IM": "<", b"MI": ">"}
# NumPy types by number: of an element (how it is stored) and of an array; doubles may be stored as bytes.
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
MATRIX, COMPRESSED = 14, 15  # element types
CELL, CHAR = 1, 4  # array classes
COMPLEX = 0x800  # array flag
MAX_BYTES = 2**28  # of a decompressed array: far more than MPII's, far less than a machine's memory


def read_mat(path: str | Path, keys: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Read the variables ``keys`` of a MATLAB file.

    Returns:
        {name: array} of those variables that the file has; a cell array is an object array of str and arrays.

    Raises:
        InputError: the file cannot be read or is damaged, or a variable is of another kind.
    """
    LOG.debug("reading %s", path)
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a MATLAB file") from None
    order = BYTE_ORDERS.get(content[126:HEADER])
    if order is None:
        raise InputError(f"{path}: not a MATLAB file of version 5 to 7.2")
    variables = {}
    try:
        for kind, data in _elements(memoryview(content)[HEADER:], order):
            if kind == COMPRESSED:
                ((kind, data),) = _elements(_decompressed(data), order)
            if kind == MATRIX:
                array = _Array(data, order)
                if array.name in keys:
                    variables[array.name] = array.value()
    except (ValueError, struct.error, zlib.error) as error:
        raise InputError(f"{path}: a damaged MATLAB file, or one of another kind ({error})") from None
    return variables


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Yield (type, content) of each data element. ``order``: byte order, < or >."""
    position = 0
    while position < len(data):
        kind, size = struct.unpack_from(f"{order}II", data, position)
        begin, end = position + 8, position + 8 + size
        if kind >> 16:  # small element: size and type in one word, followed by up to four bytes
            size, kind = kind >> 16, kind & 0xFFFF
            begin, end = position + 4, position + 4 + min(size, 4)
        if size != end - begin or end > len(data):
            raise ValueError(f"an element of {size} bytes where {max(0, len(data) - begin)} are left")
        # All but compressed elements are padded to a multiple of 8 bytes.
        position = end if kind == COMPRESSED else end + (position - end) % 8
        yield kind, data[begin:end]


def _decompressed(data: memoryview) -> memoryview:
    stream = zlib.decompressobj()
    content = stream.decompress(data, MAX_BYTES)
    if not stream.eof:
        raise ValueError(f"a compressed array that is cut, or has more than {MAX_BYTES} bytes")
    return memoryview(content)


class _Array:
    """A matrix element: its flags, shape and name; `value` reads its content."""

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
        """The content as an entry of a cell array: a str, or numbers."""
        array_class = self.flags & 0xFF
        if array_class == CELL:
            raise ValueError(f"{self.name!r:.40} is a cell array in a cell array")
        return self._text() if array_class == CHAR else self.value()

    def value(self) -> np.ndarray:
        """The content, of ``shape``; in a cell array, a character array is a str."""
        array_class, count = self.flags & 0xFF, math.prod(self.shape)
        if array_class == CELL:
            cells = [_Array(data, self.order).in_cell() for _, data in self.parts]
            array = np.empty(len(cells), object)
            array[:] = cells
        elif self.flags & COMPLEX:
            raise ValueError(f"{self.name!r:.40} is complex")
        elif array_class in CLASSES:
            kind, data = self._next()
            if kind not in STORED:
                raise ValueError(f"numbers stored as type {kind}")
            array = np.frombuffer(data, f"{self.order}{STORED[kind]}").astype(CLASSES[array_class])
        else:
            raise ValueError(f"{self.name!r:.40} is an array of class {array_class}")
        if array.size != count:
            raise ValueError(f"{array.size} values in an array of {count}")
        return array.reshape(self.shape, order="F")

    def _text(self) -> str:
        """The content of a character array of one row."""
        kind, data = next(self.parts, (1, b""))  # an empty string may have no content
        if kind not in TEXTS or len(self.shape) != 2 or self.shape[0] > 1:
            raise ValueError("a text of several rows, or stored in an unknown way")
        ending = {"<": "-le", ">": "-be"}[self.order] if TEXTS[kind] in ("utf-16", "utf-32") else ""
        return bytes(data).decode(TEXTS[kind] + ending)

    def _next(self) -> tuple[int, memoryview]:
        """Type and content of the next sub-element."""
        part = next(self.parts, None)
        if part is None:
            raise ValueError("an array without its shape, name or content")
        return part
