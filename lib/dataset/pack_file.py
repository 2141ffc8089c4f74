"""The file of a pack: decoded pixels of regions of images, image after image, with a table of contents.

    header      MAGIC, VERSION, 16 random bytes that identify the file
    records     of an image each: tag, sizes and checksums, description (JSON), pixels of its regions (BGR)
    contents    a record whose data are the arrays of `Contents` (.npz)
    trailer     position of the contents, END

The file only grows. It is complete if it ends with a trailer; otherwise, after an interruption, the records
are found one after the other from the beginning, and those whose checksums are right are kept.
"""

import contextlib
import io
import json
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from lib.dataset.file_state import file_state
from lib.dataset.packed_strings import PackedStrings
from lib.utils.log import LOG
from lib.utils.progress import ProgressLines

try:
    import fcntl
except ImportError:  # Windows: nothing keeps two runs from writing to the same file
    fcntl = None  # type: ignore[assignment]

VERSION = 2  # increase it if this format, or what is decoded, changes
MAGIC, END = b"LBI pack", b"pack end"
HEADER = struct.Struct("<8sI16s")
RECORD = struct.Struct(
    "<4sIIQI"
)  # tag, checksum and length of the description, length and checksum of the data
TRAILER = struct.Struct("<Q8s")
IMAGE, CONTENTS = b"imag", b"cont"


@dataclass(frozen=True)
class Record:
    """An image of a pack.

    path: `ImageSpec.key` of the image, for most images the path alone.
    state: of its file, see `file_state`; zeros if that proves nothing.
    digest: SHA-256 of its content, in hexadecimal.
    reduce: the image was decoded at 1 / reduce of its size.
    size: width and height of the decoded image.
    boxes: its regions, (left, top, right, bottom) each.
    begin: position of the record in the file.
    pixels: position of its pixels, which begin with those of the first region.
    """

    path: str
    state: list[int]
    digest: str
    reduce: int
    size: tuple[int, int]
    boxes: list[list[int]]
    begin: int = 0
    pixels: int = 0


@dataclass(frozen=True, eq=False)
class Contents:
    """The records and regions of a pack as arrays; K records, R regions sorted by record.

    paths, states [K, 4], digests [K], reduce [K], sizes [K, 2], begins [K]: as in `Record`.
    boxes: [R, 4], the regions.
    record: [R], position of the region's record.
    offsets: [R], position of the region's pixels in the file.
    """

    paths: PackedStrings
    states: np.ndarray
    digests: np.ndarray
    reduce: np.ndarray
    sizes: np.ndarray
    begins: np.ndarray
    boxes: np.ndarray
    record: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, records: Sequence[Record]) -> "Contents":
        """The arrays of ``records``."""
        boxes = [np.array(record.boxes, np.int64).reshape(-1, 4) for record in records]
        counts = [len(part) for part in boxes]
        every = np.concatenate([np.empty((0, 4), np.int64), *boxes])
        lengths = 3 * np.prod(every[:, 2:] - every[:, :2], axis=1)
        of_record = np.repeat(np.arange(len(records)), counts)
        starts = np.cumsum(lengths) - lengths  # of all regions, without what lies between records
        pixels = np.array([record.pixels for record in records], np.int64)
        data = np.bincount(of_record, lengths, minlength=len(records)).astype(np.int64)
        return cls(
            PackedStrings.of([record.path for record in records]),
            np.array([record.state for record in records], np.int64).reshape(-1, 4),
            np.array([record.digest for record in records], "S64"),
            np.array([record.reduce for record in records], np.int64),
            np.array([record.size for record in records], np.int64).reshape(-1, 2),
            np.array([record.begin for record in records], np.int64),
            every,
            of_record,
            starts + (pixels - (np.cumsum(data) - data))[of_record],
        )

    def __len__(self) -> int:
        return len(self.begins)

    def subset(self, keep: np.ndarray) -> "Contents":
        """The records that ``keep`` (bool [K]) selects, with their regions."""
        paths = PackedStrings.of(path for path, kept in zip(self.paths, keep.tolist()) if kept)
        of_records = {name: getattr(self, name)[keep] for name in ("states", "digests", "reduce", "sizes", "begins")}  # fmt: skip
        kept = keep[self.record]
        number = np.cumsum(keep) - 1
        return Contents(
            paths, **of_records,
            boxes=self.boxes[kept], record=number[self.record[kept]], offsets=self.offsets[kept],
        )  # fmt: skip

    def joined(self, other: "Contents") -> "Contents":
        """These records followed by ``other``."""
        arrays = {
            field.name: np.concatenate([getattr(self, field.name), getattr(other, field.name)])
            for field in fields(self)
            if field.name not in ("paths", "record")
        }
        record = np.concatenate([self.record, other.record + len(self)])
        return Contents(paths=self.paths + other.paths, record=record, **arrays)

    def to_bytes(self) -> bytes:
        """The arrays as the content of an .npz file."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "paths"}
        buffer = io.BytesIO()
        np.savez(buffer, text=self.paths.text, text_ends=self.paths.ends, **arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Contents":
        """The inverse of `to_bytes`."""
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays: dict[str, Any] = {name: file[name] for name in file.files}
        return cls(paths=PackedStrings(arrays.pop("text"), arrays.pop("text_ends")), **arrays)


class NotComplete(Exception):
    """The file has no table of contents, or it is damaged; the message says which."""


@contextlib.contextmanager
def locked(path: Path) -> Iterator[BinaryIO]:
    """Open the pack for reading and writing, created if missing; other processes wait in this function."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as file:
            _lock(file, path)
            state = file_state(path)
            if state is None or state[3] != os.fstat(file.fileno()).st_ino:
                continue  # removed or replaced while this process waited
            yield file
            return


def _lock(file: BinaryIO, path: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        LOG.info(f"{path}: another run is making this pack; waiting for it")
        fcntl.flock(file, fcntl.LOCK_EX)


def begin(file: BinaryIO) -> None:
    """Write the header of an empty file."""
    file.seek(0)
    file.truncate()
    file.write(HEADER.pack(MAGIC, VERSION, os.urandom(16)))


def identity(file: BinaryIO) -> bytes:
    """The random bytes of the header. Raises NotComplete if there is no header of this version."""
    file.seek(0)
    head = file.read(HEADER.size)
    if not head:
        raise NotComplete("empty")
    if len(head) < HEADER.size:
        raise NotComplete("it ends in its header")
    magic, version, random = HEADER.unpack(head)
    if magic != MAGIC:
        raise NotComplete("not a pack")
    if version != VERSION:
        raise NotComplete(f"version {version} of the format, this program has version {VERSION}")
    return random


def append(file: BinaryIO, record: Record, pixels: Sequence[np.ndarray]) -> Record:
    """Append an image with the ``pixels`` uint8 [h, w, 3] of its regions; the record with its positions."""
    described = {k: v for k, v in asdict(record).items() if k not in ("begin", "pixels")}
    start = file.seek(0, os.SEEK_END)
    data = b"".join(np.ascontiguousarray(part).tobytes() for part in pixels)
    at = _append_record(file, IMAGE, json.dumps(described).encode(), data)
    return Record(**described, begin=start, pixels=at)


def finish(file: BinaryIO, contents: Contents) -> None:
    """Append the table of contents, once everything before it is on the disk."""
    file.flush()
    os.fsync(file.fileno())
    start = file.seek(0, os.SEEK_END)
    _append_record(file, CONTENTS, b"", contents.to_bytes())
    file.write(TRAILER.pack(start, END))
    file.flush()
    os.fsync(file.fileno())


def _append_record(file: BinaryIO, tag: bytes, description: bytes, data: bytes) -> int:
    """Append a record to the end of the file; the position of its data."""
    data_check = zlib.crc32(data)
    check = zlib.crc32(description, zlib.crc32(struct.pack("<QI", len(data), data_check)))
    file.write(RECORD.pack(tag, check, len(description), len(data), data_check))
    file.write(description)
    at = file.tell()
    file.write(data)
    return at


def _read_head(file: BinaryIO, start: int, size: int) -> tuple[bytes, bytes, int, int] | None:
    """Tag, description, length and checksum of the data of the record at ``start``; None if it is damaged."""
    file.seek(start)
    head = file.read(RECORD.size)
    if len(head) < RECORD.size:
        return None
    tag, check, length, data_length, data_check = RECORD.unpack(head)
    if tag not in (IMAGE, CONTENTS) or file.tell() + length + data_length > size:
        return None
    description = file.read(length)
    if zlib.crc32(description, zlib.crc32(struct.pack("<QI", data_length, data_check))) != check:
        return None
    return tag, description, data_length, data_check


def data_is_whole(file: BinaryIO, start: int) -> bool:
    """Whether the record at ``start`` has the pixels that were written."""
    head = _read_head(file, start, os.fstat(file.fileno()).st_size)
    return head is not None and zlib.crc32(file.read(head[2])) == head[3]


def read_contents(file: BinaryIO) -> Contents:
    """Read the table of contents. Raises NotComplete if there is none, or it is damaged."""
    identity(file)
    size = file.seek(0, os.SEEK_END)
    if size == HEADER.size:
        raise NotComplete("empty")
    file.seek(max(HEADER.size, size - TRAILER.size))
    trailer = file.read()
    if len(trailer) < TRAILER.size or trailer[-len(END) :] != END:
        raise NotComplete("it was not finished, or is cut off")
    start, _ = TRAILER.unpack(trailer)
    head = _read_head(file, start, size)
    if head is None or head[0] != CONTENTS:
        raise NotComplete("its table of contents is damaged")
    content = file.read(head[2])
    if zlib.crc32(content) != head[3]:
        raise NotComplete("its table of contents is damaged")
    return Contents.from_bytes(content)


def recover(file: BinaryIO) -> Contents:
    """Find all whole records of a file without a table of contents, and cut off what follows the last.

    A file without a header of this version becomes an empty pack.
    """
    try:
        identity(file)
    except NotComplete:
        begin(file)
        return Contents.of([])
    records, lines = [], ProgressLines()
    start, size = HEADER.size, file.seek(0, os.SEEK_END)
    while (head := _read_head(file, start, size)) is not None:
        tag, description, length, check = head
        at = file.tell()
        if zlib.crc32(file.read(length)) == check and tag == IMAGE:
            records.append(Record(**json.loads(description), begin=start, pixels=at))
        start = at + length
        file.seek(start)
        if tag == CONTENTS and file.read(TRAILER.size)[-len(END) :] == END:
            start += TRAILER.size
        lines.log_if_due("checking an unfinished pack", start / size)
    file.truncate(start)
    return Contents.of(records)
