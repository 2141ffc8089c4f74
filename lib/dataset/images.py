"""Images of a data set: files of a folder, or members of a zip archive that is never unpacked."""

import functools
import os
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lib.dataset.jpeg import upper_part
from lib.utils.errors import InputError
from lib.utils.log import LOG

IN_ARCHIVE = ".zip@/"  # images/train2017.zip@/train2017/000000000009.jpg: archive, then member
LARGEST_MEMBER = 2**28  # bytes, unpacked: far above any image, far below a machine's memory


class ImageFolder:
    """The images of one folder, listed once, so that asking for each of 100,000 costs nothing.

    With ``data_format`` zip they are in ``folder``.zip, under ``folder``'s name or at the top.
    ``nested``: also those of folders in it, whose names are then like a/b.jpg.
    """

    def __init__(self, folder: Path, data_format: str = "jpg", nested: bool = False):
        self.nested = nested
        if data_format == "zip":
            self.place = folder.with_name(f"{folder.name}.zip")
            self.paths = _list_archive(self.place, folder.name, nested)
        else:
            self.place = folder
            self.paths = _list_tree(folder) if nested else _list_folder(folder)
        LOG.debug("images: %s, %d files", self.place, len(self.paths))

    def path(self, name: Any, where: str) -> str:
        """What ``read_image`` takes for the image ``name`` that the annotation ``where`` asks for."""
        if not isinstance(name, str) or not (self.nested or name == os.path.basename(name)):
            raise InputError(f"{where}: image name {name!r} is not the name of a file in {self.place}")
        if name not in self.paths:
            raise InputError(f"{where}: image {name!r} is not in {self.place}")
        return self.paths[name]


def _list_folder(folder: Path) -> dict[str, str]:
    try:
        return {entry.name: entry.path for entry in os.scandir(folder)}
    except OSError as error:
        raise InputError(f"{folder}: cannot read the image folder ({error.strerror})") from None


def _list_tree(folder: Path) -> dict[str, str]:
    """{path from ``folder`` on, with slashes: path} of all files below it. Links to folders are not followed."""
    paths = {}
    _list_folder(folder)  # os.walk says nothing of a folder that can't be read
    for place, _, files in os.walk(folder):
        inside = Path(place).relative_to(folder)
        paths |= {(inside / name).as_posix(): os.path.join(place, name) for name in files}
    return paths


def _list_archive(path: Path, folder: str, nested: bool = False) -> dict[str, str]:
    """{name: path} of the members in ``folder``, or of those at the top where the archive has no such folder."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except OSError as error:
        raise InputError(f"{path}: cannot read the image archive ({error.strerror or error})") from None
    except Exception as error:  # zipfile has no one kind of error for an archive that is damaged
        raise InputError(f"{path}: not a zip archive ({error})") from None
    inside = f"{folder}/"
    prefix = inside if any(member.startswith(inside) for member in members) else ""
    return {
        name: f"{path}@/{member}"
        for member in members
        if member.startswith(prefix)
        and _is_file_name(os.path.basename(name := member.removeprefix(prefix)))
        and (nested or _is_file_name(name))
    }


def _is_file_name(name: str) -> bool:
    return name == os.path.basename(name) and name not in ("", ".", "..")


REDUCED = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}  # fmt: skip


def read_image(
    path: str, color_rgb: bool = True, reduce: int = 1, rows: int | None = None, upright: bool = False
) -> np.ndarray | None:
    """[H, W, 3] uint8 as stored, or ``upright`` as the camera was held; None where it cannot be read.

    Annotations are made on the stored pixels, so EXIF rotation must be ignored for them.
    ``reduce`` 2, 4 or 8 decodes a JPEG at that part of its width and height, rounded up.
    ``rows`` allows to leave out what lies below so many rows of the stored image.
    """
    archive, in_archive, member = path.partition(IN_ARCHIVE)
    if not in_archive and not os.path.isfile(path):  # a pipe would wait for somebody to write into it
        return None
    try:
        content = _read_member(f"{archive}.zip", member) if in_archive else Path(path).read_bytes()
        if content is None:
            return None
        image = None if rows is None else _decode(upper_part(content, rows), reduce, upright)
        if image is None:
            image = _decode(content, reduce, upright)
    except (OSError, cv2.error):
        return None
    if image is None or not color_rgb:
        return image
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _decode(content: bytes, reduce: int, upright: bool) -> np.ndarray | None:
    flags = REDUCED[reduce] | (0 if upright else cv2.IMREAD_IGNORE_ORIENTATION)
    return cv2.imdecode(np.frombuffer(content, np.uint8), flags)


def _read_member(archive: str, name: str) -> bytes | None:
    """The bytes of a member, None where it is missing, damaged, too large or packed in an unusual way."""
    try:
        opened = _open_archive(archive, os.getpid())
        # What the archive says of a size may be wrong; only these two ways of packing can be read bit by bit.
        if opened.getinfo(name).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            return None
        with opened.open(name) as member:
            content = member.read(LARGEST_MEMBER + 1)
    except Exception:  # as in _list_archive
        return None
    return content if len(content) <= LARGEST_MEMBER else None


@functools.lru_cache(maxsize=8)
def _open_archive(path: str, process: int) -> zipfile.ZipFile:
    """Kept open, once in each ``process``: a forked worker that shared its parent's would move its position."""
    return zipfile.ZipFile(path)
