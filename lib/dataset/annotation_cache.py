"""Annotations kept as plain arrays in a file, so that a large JSON file is read only once.

The file is NumPy's .npy format several times over: first a text (JSON) that says what was read and
how, then every array, those of large items first, so that each begins at a multiple of its item's
size and can be mapped into memory. Processes that map it share one copy.

It is used only where reading would give the same: same settings, and files that have not changed.
A file counts as unchanged with the same size, times and inode; failing that, with the same SHA-256.
Its times say nothing where it was written just before it was read: the next change may bear the same.
"""

import hashlib
import io
import json
import os
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lib.dataset.annotations import Annotations
from lib.dataset.images import ImageFolder
from lib.dataset.keypoints import JointMapping
from lib.utils.errors import InputError
from lib.utils.files import write_atomically
from lib.utils.log import LOG

VERSION = 2  # of this format, and of what the readers make of a file: count on when either changes
WORTH = 2**22  # bytes of JSON: less is read in no time
MTIME_GRANULARITY_NS = (
    2 * 10**9
)  # nanoseconds after which a change would show in a file's times, on any file system
BLOCK = 64  # bytes; the heads of .npy are a multiple of it


@dataclass(frozen=True)
class CacheKey:
    """What reading annotations depends on.

    name: of the file that keeps them, for people.   mapping: see Annotations.
    settings: all else that is asked for, as JSON has it.   files: whose content is read.
    images: folder whose names are looked up, data_format: how they are kept there, and nested: also those
    of folders in it.
    """

    name: str
    mapping: JointMapping
    settings: dict
    files: tuple[Path, ...]
    images: Path
    data_format: str
    nested: bool = False

    def asked(self) -> dict:
        """Everything but the content of files, in the form that it has when read back from JSON."""
        files = [str(path) for path in (*self.files, self.images)]
        asked = [VERSION, asdict(self.mapping), self.settings, files, self.data_format]
        return json.loads(json.dumps(asked))


def load_or_build(
    folder: Path | None,
    reading: CacheKey,
    read: Callable[[], Annotations],
    report: Callable[[str], None],
) -> Annotations:
    """What ``read()`` returns, from a file in ``folder`` where it was read before.

    Nothing is kept where ``folder`` is None or what is read is small.
    A damaged file is made again and one that can't be written is done without; ``report`` is told.
    """
    if folder is None or not _is_large(reading):
        return read()
    digest = hashlib.sha256(json.dumps(reading.asked()).encode()).hexdigest()
    path = folder / f"{reading.name}_{digest[:12]}.npy"
    try:
        return _load(path, reading)
    except (FileNotFoundError, NotADirectoryError, _OutOfDate):
        pass
    except Exception as error:  # a damaged file has no one kind of error
        report(f"{path}: cannot be used, the annotations are read anew ({error or type(error).__name__})")

    file_stats = _stamps(reading)
    people = read()
    try:
        state = {"file_stats": file_stats, "hashes": [_hash(file) for file in reading.files]}
        if None not in file_stats and file_stats == _stamps(reading):  # nothing was changed while it was read
            _store(path, reading, state, people)
    except OSError as error:
        report(f"{path}: annotations can't be kept here for the next start ({error.strerror or error})")
    return people


class _OutOfDate(Exception):
    """The file is of other settings or of an earlier state of what was read."""


def _store(path: Path, reading: CacheKey, state: dict, people: Annotations) -> None:
    arrays = people.arrays()
    names = sorted(arrays, key=lambda name: -arrays[name].itemsize)
    body = io.BytesIO()
    for name in names:
        np.save(body, np.ascontiguousarray(arrays[name]), allow_pickle=False)
    state["file_stats"] = [stamp if _settled(stamp) else None for stamp in state["file_stats"]]
    content = body.getbuffer()
    head = {"asked": reading.asked(), **state, "arrays": names, "crc32": zlib.crc32(content)}
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % BLOCK)

    def write(file) -> None:
        np.save(file, np.frombuffer(text, np.uint8), allow_pickle=False)
        file.write(content)

    write_atomically(path, write)


def _load(path: Path, reading: CacheKey) -> Annotations:
    """Raises FileNotFoundError, _OutOfDate, or anything else where the file is damaged."""
    with open(path, "rb") as file:
        head = json.loads(np.load(file, allow_pickle=False).tobytes())
        if head["asked"] != reading.asked():
            raise _OutOfDate
        begin = file.tell()
        if zlib.crc32(np.memmap(file, np.uint8, "r", begin)) != head["crc32"]:
            raise ValueError("its checksum is wrong")
        file.seek(begin)
        people = Annotations.of_arrays(reading.mapping, {name: _mapped(file) for name in head["arrays"]})
    LOG.debug("reading %s, in place of %s", path, ", ".join(map(str, reading.files)))
    now = _stamps(reading)
    if None in now:  # a missing file is the reader's to tell
        raise _OutOfDate
    unchanged = [stamp == then for stamp, then in zip(now, head["file_stats"], strict=True)]
    for file, same, content in zip(reading.files, unchanged[:-1], head["hashes"], strict=True):
        if not same and _hash(file) != content:
            raise _OutOfDate
    if not unchanged[-1] and not _all_there(people, reading):
        raise _OutOfDate
    return people


def _mapped(file) -> np.ndarray:
    """The array at the file's position, mapped: private, so that a change stays in this process."""
    np.lib.format.read_magic(file)
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    array = np.memmap(file, dtype, "c", file.tell(), shape)
    file.seek(array.offset + array.nbytes)
    return np.asarray(array)


def _stamps(reading: CacheKey) -> list[list[int] | None]:
    """Size, times and inode of each file and of the images' folder or archive; None where it is missing."""
    folder = reading.images
    archive = folder.with_name(f"{folder.name}.zip")
    return [_stamp(path) for path in (*reading.files, archive if reading.data_format == "zip" else folder)]


def _stamp(path: Path) -> list[int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _is_large(reading: CacheKey) -> bool:
    return sum(stamp[0] for stamp in map(_stamp, reading.files) if stamp) >= WORTH


def _settled(stamp: list[int]) -> bool:
    return max(stamp[1:3]) < time.time_ns() - MTIME_GRANULARITY_NS


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()


def _all_there(people: Annotations, reading: CacheKey) -> bool:
    """Whether the readers would still find all images, at the same paths."""
    try:
        paths = ImageFolder(reading.images, reading.data_format, reading.nested).paths
    except InputError:
        return False
    return set(paths.values()).issuperset(people.image_paths)
