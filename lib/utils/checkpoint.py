"""Checkpoint files: nested dicts of tensors and plain values, written atomically and read without pickle's risks."""

import zipfile
from pathlib import Path
from typing import Any

import torch

from lib.utils.errors import InputError, one_line
from lib.utils.files import open_atomically
from lib.utils.log import LOG


def save_checkpoint(path: str | Path, state: dict[str, Any], previous: Path | None = None) -> None:
    """Write a checkpoint atomically, with torch.save, which adds a CRC-32 of every tensor.

    Args:
        path: the file.
        state: nested dicts and lists of tensors, numbers and strings.
        previous: path in the same folder that the old file at ``path`` is moved to, once the new one is complete.

    Raises:
        OSError: the file cannot be written.
    """
    with open_atomically(path, previous) as file:
        try:
            torch.save(state, file)
        except RuntimeError as error:  # torch raises it instead of the file's OSError (no space left)
            raise _os_error_behind(error) from None


def _os_error_behind(error: BaseException) -> BaseException:
    """The OSError in the chain of contexts of ``error``, or else ``error``."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError):
            return cause
        cause = cause.__context__
    return error


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint of a training run onto the CPU.

    Raises:
        InputError: the file is missing, damaged, or has no 'target_model'.
    """
    try:
        state = load_plain(path)
    except OSError as error:
        raise InputError(f"{path}: cannot read the checkpoint ({error.strerror})") from None
    except Exception as error:  # a damaged pickle can raise anything
        raise InputError(f"{path}: not a checkpoint, or a damaged one ({one_line(error)[:100]})") from None
    if not isinstance(state, dict) or "target_model" not in state:
        raise InputError(f"{path}: not a checkpoint of a training run: expected it to hold 'target_model'")
    return state


def load_newest(path: Path, previous: Path) -> tuple[dict[str, Any], Path]:
    """Load the checkpoint at ``path`` or, with a warning, the one at ``previous`` if that one cannot be used.

    Returns:
        The checkpoint, and the path it was loaded from.

    Raises:
        InputError: neither can be used.
    """
    try:
        return load_checkpoint(path), path
    except InputError as error:
        if not previous.exists():
            raise
        LOG.warning(f"{error}; going back to {previous}")
        return load_checkpoint(previous), previous


def load_plain(path: str | Path) -> Any:
    """Load a file of torch.save onto the CPU, with ``weights_only``: it cannot run code.

    Returns:
        Tensors and plain values, nested as they were saved.

    Raises:
        OSError: the file cannot be read.
        ValueError: a member of the archive is compressed, or does not match its checksum.
        pickle.UnpicklingError: the file holds other objects than tensors and plain values.
        RuntimeError, EOFError and others: the file is damaged; torch does not document which.
    """
    LOG.debug("reading %s", path)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            # torch.save compresses nothing, and a small compressed file could fill the memory.
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise ValueError("a compressed archive, which torch.save does not write")
            # torch.load does not check the checksums.
            if damaged := archive.testzip():
                raise ValueError(f"the checksum of {damaged} is wrong")
    return torch.load(path, map_location="cpu", weights_only=True)
