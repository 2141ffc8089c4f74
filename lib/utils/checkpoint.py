"""Checkpoint files: nested dicts of tensors and plain values, written atomically and read without pickle's risks."""

import contextlib
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from lib.utils.errors import InputError, one_line, short_repr
from lib.utils.files import open_atomically
from lib.utils.log import LOG
from lib.utils.numpy_in_pickles import numpy_numbers


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
    state = read_plain(path, "checkpoint")
    if not isinstance(state, dict) or "target_model" not in state:
        found = f", found {short_repr(list(state))}" if isinstance(state, dict) else ""
        raise InputError(
            f"{path}: not a checkpoint of a training run: expected it to hold 'target_model'{found} "
            "(weights of other programs are for MODEL.PRETRAINED)"
        )
    return state


def read_plain(path: str | Path, what: str) -> Any:
    """`load_plain` with one clear error.

    Args:
        path: the file.
        what: what it should be, for the error.

    Raises:
        InputError: the file cannot be read, is damaged, or holds objects other than tensors and plain values.
    """
    try:
        return load_plain(path)
    except Exception as error:  # a damaged pickle can raise anything, an OSError without a file name too
        if isinstance(error, OSError) and error.filename is not None:
            raise InputError(f"{path}: cannot read the {what} ({error.strerror})") from None
        raise InputError(f"{path}: {_why_unreadable(error, what, path)}") from error


def _why_unreadable(error: Exception, what: str, path: str | Path) -> str:
    if found := re.search(r"GLOBAL ([\w.]+)", str(error)):
        return (
            f"holds a Python object besides tensors and plain values, {found[1]}, and is not read: unpickling "
            "objects can run any code. If you trust the file, save its weights alone where it was made: "
            f"`import torch; whole = torch.load({str(path)!r}, 'cpu', weights_only=False); "
            "torch.save(whole['state_dict'], 'weights.pth')` (of a pickled module: `whole.state_dict()`)"
        )
    if known := _other_format(path):
        return f"not a {what} written by torch.save, but {known}"
    # torch explains at length how to load the file anyway, then comes the reason.
    reason = str(error).rpartition("WeightsUnpickler error:")[2].partition("Check the documentation")[0]
    reason = one_line(reason)[:200]
    if isinstance(error, pickle.UnpicklingError):
        reason = "another format" if reason.startswith("Unsupported operand") else reason
        return f"not a {what} written by torch.save ({reason})"
    return f"cannot be read as a {what}: damaged or of another format ({reason})"


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


def _other_format(path: str | Path) -> str:
    """What a file is that people take for weights; empty if it is not known."""
    with open(path, "rb") as file:
        begin = file.read(64).lstrip().lower()
    if begin.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS: `git lfs pull` fetches the file itself"
    if begin.startswith(b"<"):
        return "a web page: the download failed"
    with contextlib.suppress(zipfile.BadZipFile, OSError, ValueError), zipfile.ZipFile(path) as archive:
        if any("/code/" in name for name in archive.namelist()):
            return "TorchScript: save the state_dict() of what torch.jit.load returns"
    return ""


def load_plain(path: str | Path) -> Any:
    """Load a file of torch.save onto the CPU, with ``weights_only``: it cannot run code.

    Returns:
        Tensors and plain values, nested as they were saved; NumPy's numbers as Python's.

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
    with numpy_numbers():
        return torch.load(path, map_location="cpu", weights_only=True)
