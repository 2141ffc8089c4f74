"""Cache of parsed annotations, so that a large JSON file is read only once.

A cache file is a sequence of arrays in NumPy's .npy format: first a JSON header (as bytes) with the cache
key and the state of the source files, then every array, largest item size first, so that each starts at a
multiple of its item size and can be mapped into memory. Processes that map the file share one copy.

A cache file is used only if parsing would give the same result: same key, and source files that have not
changed (see file_state.py).
"""

import hashlib
import io
import json
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from lib.dataset.annotations import Annotations
from lib.dataset.file_state import file_state, hash_file, is_settled
from lib.dataset.image_index import IMAGE_MISSING
from lib.dataset.image_sizes import SIZES_READ
from lib.dataset.images import ImageFolder
from lib.dataset.keypoints import JointMapping
from lib.dataset.reading_notes import ReadingNotes
from lib.utils.errors import InputError
from lib.utils.files import write_atomically
from lib.utils.log import LOG

VERSION = 5  # increase it if this format or the result of a reader changes
MIN_JSON_BYTES = 2**22  # smaller annotation files are parsed quickly enough without a cache
BLOCK = 64  # bytes; every .npy header is padded to a multiple of it


@dataclass(frozen=True)
class CacheKey:
    """Everything that the result of reading annotations depends on.

    name: readable beginning of the cache file's name.
    mapping: see Annotations.
    settings: all other settings that matter, JSON-serializable.
    files: annotation files whose content is read.
    images: folder or archive in which image names are looked up.
    """

    name: str
    mapping: JointMapping
    settings: dict
    files: tuple[Path, ...]
    images: ImageFolder

    def as_json(self) -> list:
        """The key, but for the content of the files, in the types that JSON gives back."""
        paths = [str(path) for path in (*self.files, self.images.folder)]
        key = [VERSION, asdict(self.mapping), self.settings, paths, self.images.data_format]
        return json.loads(json.dumps(key))

    def cache_file(self, folder: Path) -> Path:
        """The path of the cache file in ``folder``."""
        digest = hashlib.sha256(json.dumps(self.as_json()).encode()).hexdigest()
        return folder / f"{self.name}_{digest[:12]}.npy"


def load_or_build(folder: Path | None, key: CacheKey, read: Callable[[], Annotations]) -> Annotations:
    """Load annotations from the cache, or read them and write the cache.

    A corrupt cache file is rebuilt; failure to write it is logged and otherwise ignored.

    Args:
        folder: folder of the cache files; None: no cache. Small annotation files are not cached either.
        key: what identifies the annotations.
        read: parses the annotation files.
    """
    if folder is None or not _is_large(key):
        return read()
    path = key.cache_file(folder)
    try:
        return _load(path, key)
    except (FileNotFoundError, NotADirectoryError, _OutOfDate):
        pass
    except Exception as error:  # corruption can raise any exception
        reason = error or type(error).__name__
        LOG.info(f"{path}: corrupt annotation cache ({reason}), reading the annotations again")

    before = _file_stats(key)
    annotations = read()
    if _depends_on_images(annotations):
        return annotations
    try:
        hashes = [hash_file(file) for file in key.files]
        if None not in before and before == _file_stats(key):  # nothing changed while it was read
            _store(path, key, before, hashes, annotations)
    except OSError as error:
        LOG.info(f"{path}: cannot write the annotation cache ({error.strerror or error})")
    return annotations


def _depends_on_images(annotations: Annotations) -> bool:
    """Whether the result could change with the images: some are missing, or gave their size."""
    notes = annotations.notes
    return bool(notes.left_out.get(IMAGE_MISSING)) or bool(notes.filled_in.get(SIZES_READ))


class _OutOfDate(Exception):
    """The cache file has another key, or its source files have changed."""


def _store(
    path: Path, key: CacheKey, file_stats: list[list[int]], hashes: list[str], annotations: Annotations
) -> None:
    arrays = annotations.arrays()
    names = sorted(arrays, key=lambda name: -arrays[name].itemsize)
    body = io.BytesIO()
    for name in names:
        np.save(body, np.ascontiguousarray(arrays[name]), allow_pickle=False)
    content = body.getbuffer()
    header = {
        "key": key.as_json(),
        "file_stats": [stat if is_settled(stat) else None for stat in file_stats],
        "hashes": hashes,
        "arrays": names,
        "notes": asdict(annotations.notes),
        "crc32": zlib.crc32(content),
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % BLOCK)

    def write(file: BinaryIO) -> None:
        np.save(file, np.frombuffer(text, np.uint8), allow_pickle=False)
        file.write(content)

    write_atomically(path, write)


def _load(path: Path, key: CacheKey) -> Annotations:
    """Raises FileNotFoundError, _OutOfDate, or any other exception if the file is corrupt."""
    with open(path, "rb") as file:
        header = json.loads(np.load(file, allow_pickle=False).tobytes())
        if header["key"] != key.as_json():
            raise _OutOfDate
        begin = file.tell()
        if zlib.crc32(np.memmap(file, np.uint8, "r", begin).data) != header["crc32"]:
            raise ValueError("wrong checksum")
        file.seek(begin)
        arrays = {name: _map_array(file) for name in header["arrays"]}
    annotations = Annotations.from_arrays(key.mapping, ReadingNotes(**header["notes"]), arrays)
    LOG.debug("reading %s, in place of %s", path, ", ".join(map(str, key.files)))
    file_stats = _file_stats(key)
    if None in file_stats:  # let the reader raise its own error for a missing file
        raise _OutOfDate
    unchanged = [now == then for now, then in zip(file_stats, header["file_stats"], strict=True)]
    for file, same, digest in zip(key.files, unchanged[:-1], header["hashes"], strict=True):
        if not same and hash_file(file) != digest:
            raise _OutOfDate
    if not unchanged[-1] and not _has_all_images(annotations, key):
        raise _OutOfDate
    return annotations


def _map_array(file: BinaryIO) -> np.ndarray:
    """Map the array at the file's position copy-on-write, and move to its end."""
    np.lib.format.read_magic(file)
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    array = np.memmap(file, dtype, "c", file.tell(), shape)
    file.seek(array.offset + array.nbytes)
    return np.asarray(array)


def _file_stats(key: CacheKey) -> list[list[int] | None]:
    """``file_state`` of each annotation file and of the folder or archive of the images."""
    return [file_state(path) for path in (*key.files, key.images.location)]


def _is_large(key: CacheKey) -> bool:
    return sum(stat[0] for stat in map(file_state, key.files) if stat) >= MIN_JSON_BYTES


def _has_all_images(annotations: Annotations, key: CacheKey) -> bool:
    """Whether every image is still at the path that the reader would give it."""
    try:
        paths = key.images.paths
    except InputError:
        return False
    return set(paths.values()).issuperset(annotations.image_paths)
