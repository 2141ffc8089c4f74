"""Images of a data set: files in a folder, or members of a zip archive that is never unpacked."""

import functools
import os
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lib.dataset.image_names import find_image
from lib.dataset.jpeg import upper_part
from lib.utils.errors import InputError, short_repr
from lib.utils.log import LOG

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
IN_ARCHIVE = ".zip@/"  # e.g. images/train2017.zip@/train2017/000000000009.jpg
MAX_MEMBER_BYTES = 2**28  # uncompressed: far more than any image, far less than a machine's memory


class ImageFolder:
    """The images of one folder (or archive), listed once, so that 100,000 look-ups cost nothing.

    folder: path of the folder.
    data_format: "zip" if the images are in ``folder``.zip, under ``folder``'s name or at the top level.
    nested: also list images in subfolders, whose names are then like a/b.jpg.
    """

    def __init__(self, folder: Path, data_format: str = "jpg", nested: bool = False):
        self.folder = folder
        self.data_format = data_format
        self.nested = nested

    @property
    def location(self) -> Path:
        """The folder or the archive that holds the images."""
        return self.folder.with_name(f"{self.folder.name}.zip") if self.data_format == "zip" else self.folder

    @functools.cached_property
    def paths(self) -> dict[str, str]:
        """{image name: path for `read_image`}, listed on first use. Raises InputError."""
        if self.data_format == "zip":
            paths = _list_archive(self.location, self.folder.name, self.nested)
        else:
            paths = _list_tree(self.folder) if self.nested else _list_folder(self.folder)
        LOG.debug("images: %s, %d files", self.location, len(paths))
        return paths

    @functools.cached_property
    def by_last_part(self) -> dict[str, list[str]]:
        """{file name without folders: paths}."""
        grouped: dict[str, list[str]] = {}
        for name, path in self.paths.items():
            grouped.setdefault(name.rpartition("/")[2], []).append(path)
        return grouped

    def find(self, name: Any, where: str) -> str | None:
        """The path for `read_image` of the image ``name``, of which only the end may be there; None if it is missing.

        Args:
            name: value of the annotation, unchecked.
            where: the annotation, for the error message.

        Raises:
            InputError: ``name`` is no file name, or may mean several images.
        """
        if not isinstance(name, str) or not name:
            raise InputError(
                f"{where}: image name {short_repr(name)} is not the name of a file in {self.location}"
            )
        if name in self.paths:
            return self.paths[name]
        found = find_image(name, self.paths, self.by_last_part)
        if len(found) > 1:
            raise InputError(
                f"{where}: image {short_repr(name)} is not in {self.location}, and its last part is there "
                f"{len(found)} times: {found[0]}, {found[1]}"
            )
        return found[0] if found else None

    def path(self, name: Any, where: str) -> str:
        """`find`, but an image that is missing is an error, too."""
        path = self.find(name, where)
        if path is None:
            raise InputError(f"{where}: image {short_repr(name)} is not in {self.location}")
        return path


def holds_images(folder: Path) -> bool:
    """Whether an image lies directly in ``folder``."""
    try:
        return any(os.path.splitext(entry.name)[1].lower() in SUFFIXES for entry in os.scandir(folder))
    except OSError:
        return False


def _list_folder(folder: Path) -> dict[str, str]:
    """{name: path} of the entries of ``folder``."""
    try:
        return {entry.name: entry.path for entry in os.scandir(folder)}
    except OSError as error:
        raise InputError(f"{folder}: cannot read the image folder ({error.strerror})") from None


def _list_tree(folder: Path) -> dict[str, str]:
    """{relative path with slashes: path} of all files below ``folder``. Links to folders are not followed."""
    paths: dict[str, str] = {}
    _list_folder(folder)  # os.walk ignores a folder that cannot be read
    for subfolder, _, files in os.walk(folder):
        relative = Path(subfolder).relative_to(folder)
        paths |= {(relative / name).as_posix(): os.path.join(subfolder, name) for name in files}
    return paths


def _list_archive(path: Path, folder: str, nested: bool) -> dict[str, str]:
    """{name: path} of the members in ``folder``, or at the top level if the archive has no such folder."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except OSError as error:
        raise InputError(f"{path}: cannot read the image archive ({error.strerror or error})") from None
    except Exception as error:  # zipfile raises various exceptions for a damaged archive
        raise InputError(f"{path}: not a zip archive ({error})") from None
    prefix = f"{folder}/"
    if not any(member.startswith(prefix) for member in members):
        prefix = ""
    return {
        name: f"{path}@/{member}"
        for member in members
        if member.startswith(prefix)
        and _is_file_name(os.path.basename(name := member.removeprefix(prefix)))
        and (nested or _is_file_name(name))
    }


def _is_file_name(name: str) -> bool:
    """Whether ``name`` has no folder and is neither empty nor special."""
    return name == os.path.basename(name) and name not in ("", ".", "..")


# {reduction: flag of cv2.imdecode that decodes a JPEG at this fraction of its size}
DECODE_FLAGS = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}  # fmt: skip


def read_image(
    path: str, color_rgb: bool = True, reduce: int = 1, rows: int | None = None, upright: bool = False
) -> np.ndarray | None:
    """Read an image as uint8 [H, W, 3].

    Args:
        path: a file, or ARCHIVE.zip@/MEMBER.
        color_rgb: channels in the order RGB, else BGR.
        reduce: 2, 4 or 8 decodes a JPEG at this fraction of its width and height, rounded up.
        rows: if given, rows below this one (of the stored image) may be missing from the result.
        upright: apply the EXIF orientation. Annotations refer to the pixels as stored, so not for them.

    Returns:
        The image, or None if it cannot be read.
    """
    content = read_content(path)
    if content is None:
        return None
    image = None if rows is None else decode(upper_part(content, rows), reduce, upright)
    if image is None:  # all rows are needed, or the decoder does not take the shortened file
        image = decode(content, reduce, upright)
    if image is None or not color_rgb:
        return image
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def read_content(path: str) -> bytes | None:
    """The bytes of an image file or of a member of an archive; None if they cannot be read."""
    archive, in_archive, member = path.partition(IN_ARCHIVE)
    if in_archive:
        return _read_member(f"{archive}.zip", member)
    if not os.path.isfile(path):  # opening a named pipe would block
        return None
    try:
        return Path(path).read_bytes()
    except OSError:
        return None


def file_of(path: str) -> str:
    """The file on disk that holds an image: ``path`` itself, or the archive."""
    archive, in_archive, _ = path.partition(IN_ARCHIVE)
    return f"{archive}.zip" if in_archive else path


def decode(content: bytes, reduce: int = 1, upright: bool = False) -> np.ndarray | None:
    """Decode an image file's ``content`` as BGR, uint8 [H, W, 3]; None if it is not an image."""
    flags = DECODE_FLAGS[reduce] | (0 if upright else cv2.IMREAD_IGNORE_ORIENTATION)
    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:
        return None


def _read_member(archive: str, name: str) -> bytes | None:
    """The bytes of a member, or None if it is missing, damaged, too large or compressed in an unusual way."""
    try:
        opened = _open_archive(archive, os.getpid())
        # Only these two methods can be read piecewise, which guards against a wrong size in the archive.
        if opened.getinfo(name).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            return None
        with opened.open(name) as member:
            content = member.read(MAX_MEMBER_BYTES + 1)
    except Exception:  # zipfile raises various exceptions for a damaged archive
        return None
    return content if len(content) <= MAX_MEMBER_BYTES else None


@functools.lru_cache(maxsize=8)
def _open_archive(path: str, process: int) -> zipfile.ZipFile:
    """An open archive per ``process``: a forked worker must not share its parent's file position."""
    return zipfile.ZipFile(path)
