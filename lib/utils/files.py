"""Files that are either whole or not there."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

TEMPORARY = ".unfinished."  # what the names of temporary files begin with


def write_atomically(path: str | Path, write: Callable[[BinaryIO], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then put it in its place.

    An interruption at any moment leaves the old file, or none; never half a new one.
    """
    with open_atomically(path) as file:
        write(file)


@contextlib.contextmanager
def open_atomically(path: str | Path, previous: Path | None = None) -> Iterator[BinaryIO]:
    """A file that is at ``path``, and on the disk, only after the ``with`` block has ended without an error.

    What was at ``path`` is at ``previous`` then, in the same folder.
    """
    with path_atomically(path, previous) as temporary, open(temporary, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def path_atomically(path: str | Path, previous: Path | None = None) -> Iterator[Path]:
    """As `open_atomically`, for whoever must open the file by its name (which ends as ``path`` does)."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(
        dir=path.parent, prefix=f"{TEMPORARY}{path.stem}.", suffix=path.suffix
    )
    os.close(handle)
    try:
        yield Path(temporary)
        os.chmod(temporary, 0o644)
        if previous is not None and path.exists():
            os.replace(path, previous)
        os.replace(temporary, path)
        _flush_folder(path.parent)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def remove_temporary_files(folder: Path) -> None:
    """Remove the temporary files that interrupted writers left in ``folder``."""
    for file in folder.glob(f"{TEMPORARY}*"):
        file.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    """Put a folder's new names on the disk; a file's own flush does not, and Windows knows no such thing."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_text(path: str | Path, text: str) -> None:
    write_atomically(path, lambda file: file.write(text.encode()))


def rotate_directory(folder: Path) -> Path | None:
    """Rename a folder that holds something to the first free ``<name>.1``, ``<name>.2``, ...

    Returns the new name, None where there was nothing to keep.
    """
    if not folder.exists() or not any(folder.iterdir()):
        return None
    number = 1
    while (kept := folder.with_name(f"{folder.name}.{number}")).exists():
        number += 1
    folder.rename(kept)
    return kept
