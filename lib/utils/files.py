"""Atomic writes: a file is either complete or not there."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

TEMPORARY = ".unfinished."  # prefix of the names of temporary files


def write_atomically(path: str | Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file atomically: an interruption leaves the old file or none, never part of a new one.

    Args:
        path: the file; missing folders are created.
        write: writes the content to the binary file that it is given.

    Raises:
        OSError: the file cannot be written.
    """
    with open_atomically(path) as file:
        write(file)


@contextlib.contextmanager
def open_atomically(path: str | Path, previous: Path | None = None) -> Iterator[BinaryIO]:
    """Open a binary file that replaces ``path`` if the ``with`` block ends without an error.

    It is flushed to the disk first. ``previous``: path in the same folder that the old file is moved to.
    """
    with path_atomically(path, previous) as temporary, open(temporary, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def path_atomically(path: str | Path, previous: Path | None = None) -> Iterator[Path]:
    """Like `open_atomically`, but give the path of the temporary file, whose suffix is that of ``path``."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(
        dir=path.parent, prefix=f"{TEMPORARY}{path.stem}.", suffix=path.suffix
    )
    os.close(handle)
    try:
        yield Path(temporary)
        os.chmod(temporary, 0o644)  # mkstemp makes files that only their owner can read
        if previous is not None and path.exists():
            os.replace(path, previous)
        os.replace(temporary, path)
        _flush_folder(path.parent)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def remove_temporary_files(folder: Path) -> None:
    """Remove the temporary files that interrupted writes left in ``folder``."""
    for file in folder.glob(f"{TEMPORARY}*"):
        file.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    """Flush the names of a folder's files to the disk, which flushing the files does not; not on Windows."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` to ``path`` in UTF-8, atomically."""
    write_atomically(path, lambda file: file.write(text.encode()))


def rotate_directories(*folders: Path) -> list[Path]:
    """Rename the folders of one run to ``<name>.1``, or the first number that none of them has yet.

    Returns:
        The new paths; folders that are missing or empty are left as they are.
    """
    full = [folder for folder in folders if folder.exists() and any(folder.iterdir())]
    number = 1
    while any(folder.with_name(f"{folder.name}.{number}").exists() for folder in folders):
        number += 1
    return [folder.rename(folder.with_name(f"{folder.name}.{number}")) for folder in full]
