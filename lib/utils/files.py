"""Files that are either whole or not there."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO


def write_atomically(path: str | Path, write: Callable[[BinaryIO], None]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then put it in its place.

    An interruption at any moment leaves the old file, or none; never half a new one.
    """
    with open_atomically(path) as file:
        write(file)


@contextlib.contextmanager
def open_atomically(path: str | Path) -> Iterator[BinaryIO]:
    """A file that is at ``path`` only after the ``with`` block has ended without an error."""
    with path_atomically(path) as temporary, open(temporary, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def path_atomically(path: str | Path) -> Iterator[Path]:
    """As `open_atomically`, for whoever must open the file by its name (which ends as ``path`` does)."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    os.close(handle)
    try:
        yield Path(temporary)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_text(path: str | Path, text: str) -> None:
    write_atomically(path, lambda file: file.write(text.encode()))


def set_aside(folder: Path) -> Path | None:
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
