"""Images of a data set: files in a folder, or members of a zip archive that is never unpacked."""

import functools
import io
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np

from lib.dataset import jpeg
from lib.dataset.depth import FULL, may_be_deep, significant_bits, to_eight_bits
from lib.dataset.image_header import AS_STORED, TRANSPOSED, ImageHeader, as_stored, read_header, turn_upright
from lib.dataset.image_names import Listing
from lib.dataset.image_spec import ImageSpec
from lib.utils.errors import InputError, short_repr
from lib.utils.log import LOG

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
IN_ARCHIVE = ".zip@/"  # e.g. images/train2017.zip@/train2017/000000000009.jpg
SEARCHED_FILES = 100_000  # beside a folder that lacks an image: an error does not wait for the whole disk
MAX_MEMBER_BYTES = 2**28  # uncompressed: far more than any image, far less than a machine's memory


class ImageFolder:
    """The images of one folder (or archive), listed once, so that 100,000 look-ups cost nothing.

    folder: path of the folder.
    data_format: "zip" if the images are in ``folder``.zip, under ``folder``'s name or at the top level.
    nested: also list images in subfolders, whose names are then like a/b.jpg.
    setting: the setting that names the folder, for error messages; empty if there is none.
    """

    def __init__(self, folder: Path, data_format: str = "jpg", nested: bool = False, setting: str = ""):
        self.folder = folder
        self.data_format = data_format
        self.nested = nested
        self.setting = setting

    @classmethod
    def at(cls, folder: Path) -> "ImageFolder":
        """The images in and below a folder or, where there is no such folder but ``folder``.zip, in that archive."""
        zipped = not folder.is_dir() and folder.with_name(f"{folder.name}.zip").is_file()
        return cls(folder, "zip" if zipped else "jpg", nested=True)

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
    def names(self) -> dict[str, str]:
        """{path: image name}, the reverse of ``paths``."""
        return {path: name for name, path in self.paths.items()}

    @functools.cached_property
    def listing(self) -> Listing:
        """``paths`` by all names that may be given for them."""
        return Listing.of(self.paths)

    def find(self, name: Any, where: str) -> list[str]:
        """The paths for `read_image` of the image ``name``, of which only the end may be there.

        Args:
            name: value of the annotation, unchecked.
            where: the annotation, for the error message.

        Returns:
            One path; none if the image is missing; or several that ``name`` ends like.

        Raises:
            InputError: ``name`` is no file name.
        """
        if not isinstance(name, str) or not name:
            raise InputError(
                f"{where}: image name {short_repr(name)} is not the name of a file in {self.location}"
            )
        return [self.paths[name]] if name in self.paths else self.listing.find(name)

    def absence(self, name: str, found: Sequence[str]) -> str:
        """Why ``name`` is none of the images, given what `find` found."""
        there = (
            f", and what it ends with is there {len(found)} times: {found[0]}, {found[1]}" if found else ""
        )
        return f"image {short_repr(name)} is not in {self.location}{there}"

    def path(self, name: Any, where: str) -> str:
        """The one path that `find` finds. Raises InputError if there is none, or several."""
        found = self.find(name, where)
        if len(found) != 1:
            raise InputError(f"{where}: {self.absence(name, found)}")
        return found[0]

    def elsewhere(self, name: str) -> Path | None:
        """A folder beside this one, or below it, with a file of the last part of ``name``, for an error message."""
        last = name.replace("\\", "/").rpartition("/")[2]
        entries = 0
        for subfolder, _, files in os.walk(self.location.parent):
            if last in files:
                return Path(subfolder)
            entries += len(files)
            if entries > SEARCHED_FILES:
                break
        return None


def holds_images(folder: Path) -> bool:
    """Whether an image lies in ``folder`` or below it. Links to folders are not followed."""
    return any(
        os.path.splitext(name)[1].lower() in SUFFIXES for _, _, names in os.walk(folder) for name in names
    )


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
    image: ImageSpec | str, color_rgb: bool = True, reduce: int = 1, rows: int | None = None
) -> np.ndarray | None:
    """Read an image as uint8 [H, W, 3].

    Args:
        image: what to read; a path alone stands for the pixels as stored.
        color_rgb: channels in the order RGB, else BGR.
        reduce: 2, 4 or 8 decodes a JPEG at this fraction of its width and height, rounded up.
        rows: if given, rows below this one may be missing from the result.

    Returns:
        The image in the frame of its labels, or None if it cannot be read, is cut off, or has another size
        than annotated; `problem_of` says which.
    """
    image = ImageSpec(image) if isinstance(image, str) else image
    content = read_content(image.path)
    pixels = None if content is None else decode_image(content, image, reduce, rows)
    if pixels is None or not color_rgb:
        return pixels
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def decode_image(
    content: bytes, image: ImageSpec, reduce: int = 1, rows: int | None = None
) -> np.ndarray | None:
    """`read_image` of a file's ``content``, as BGR."""
    header = jpeg.read_header(content)
    if header is None:
        pixels = decode(content, bits=image.bits)
        turn = None if pixels is None else _turn(content, image, pixels.shape[1::-1])
    else:
        turn = _turn(content, image, header.size)
        if turn == AS_STORED:
            return _decode_jpeg(content, header, reduce, rows)
        pixels = None if turn is None else _decode_jpeg(content, header)
    return None if pixels is None or turn is None else _shrink(turn_upright(pixels, turn), reduce)


def problem_of(image: ImageSpec) -> str:
    """Why `read_image` gave None: path, and what is wrong."""
    content = read_content(image.path)
    stored = None if content is None else decode_image(content, ImageSpec(image.path))
    if stored is None or image.size is None:
        return f"{image.path}: cannot be read as an image"
    (height, width), (annotated_width, annotated_height) = stored.shape[:2], image.size
    return f"{image.path}: has {width} x {height} pixels, but was labelled with {annotated_width} x {annotated_height}"


def _turn(content: bytes, image: ImageSpec, stored: tuple[int, int]) -> int | None:
    """The EXIF orientation to apply to an image of ``stored`` pixels; None if it has another size than annotated."""
    if image.size in (None, stored) and not image.upright:
        return AS_STORED
    header = read_header(io.BytesIO(content))
    orientation = AS_STORED if header is None else header.orientation
    if image.size in (None, stored if orientation < TRANSPOSED else stored[::-1]):
        return orientation
    return AS_STORED if image.size == stored else None


def _decode_jpeg(
    content: bytes, header: jpeg.Header, reduce: int = 1, rows: int | None = None
) -> np.ndarray | None:
    """Decode a JPEG as stored; None if pixels are missing."""
    upper = content if rows is None else jpeg.upper_part(content, rows, header)
    if upper is not content and (pixels := decode(upper, reduce)) is not None:
        return pixels
    if jpeg.has_end(content, header):
        return decode(content, reduce)
    # OpenCV before 4.11 gives wrong pixels in place of missing ones, later it refuses the file.
    ways = [decode(completed, reduce) for completed in jpeg.completions(content)]
    same = all(pixels is not None and np.array_equal(pixels, ways[0]) for pixels in ways)
    return ways[0] if ways and same else None


def _shrink(pixels: np.ndarray, reduce: int) -> np.ndarray:
    """The image at 1 / ``reduce`` of its size, rounded up: means of ``reduce`` x ``reduce`` pixels."""
    if reduce == 1:
        return pixels
    below, right = -pixels.shape[0] % reduce, -pixels.shape[1] % reduce
    padded = cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_REPLICATE)
    size = padded.shape[1] // reduce, padded.shape[0] // reduce
    return cv2.resize(padded, size, interpolation=cv2.INTER_AREA)


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


def open_image(path: str) -> BinaryIO | None:
    """An image file, or a member of an archive, opened for reading; None if it cannot be read."""
    if IN_ARCHIVE in path:
        content = read_content(path)
        return None if content is None else io.BytesIO(content)
    try:
        return open(path, "rb") if os.path.isfile(path) else None
    except OSError:
        return None


def header_of(path: str) -> ImageHeader | None:
    """Size and EXIF orientation of an image; None if it cannot be read."""
    file = open_image(path)
    if file is None:
        return None
    with file:
        header = read_header(file)
    if header is None:  # a format that only OpenCV knows, if any
        pixels = decode(read_content(path) or b"", bits=FULL)
        header = None if pixels is None else ImageHeader(pixels.shape[1::-1], AS_STORED)
    return header


def starts_deep(path: str) -> bool:
    """Whether an image may have more than 8 bits a channel, from its first bytes."""
    file = open_image(path)
    if file is None:
        return False
    with file:
        return may_be_deep(file.read(32))


def file_of(path: str) -> str:
    """The file on disk that holds an image: ``path`` itself, or the archive."""
    archive, in_archive, _ = path.partition(IN_ARCHIVE)
    return f"{archive}.zip" if in_archive else path


def decode(content: bytes, reduce: int = 1, bits: int | None = None) -> np.ndarray | None:
    """Decode an image file's ``content`` as stored.

    Args:
        content: of the file.
        reduce: see `read_image`.
        bits: significant bits of 16-bit pixels; None: as many as the largest value has.

    Returns:
        BGR, uint8 [H, W, 3]; None if it is not an image.
    """
    if may_be_deep(content):
        content = as_stored(content)
        deep = None if bits == FULL else decode_deep(content)
        if deep is not None and (bits := bits or significant_bits(int(deep.max()))) != FULL:
            return to_eight_bits(deep, bits)
    return _imdecode(content, DECODE_FLAGS[reduce])


def decode_deep(content: bytes) -> np.ndarray | None:
    """An image of 16 bits a channel as BGR, uint16 [H, W, 3]; None if it is not one."""
    pixels = _imdecode(content, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH) if may_be_deep(content) else None
    return None if pixels is None or pixels.dtype != np.uint16 else pixels


def _imdecode(content: bytes, flags: int) -> np.ndarray | None:
    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
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
