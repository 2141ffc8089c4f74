"""Checkpoints: everything a run needs to go on, in a file that holds tensors and plain values only."""

import zipfile
from pathlib import Path
from typing import Any

import torch

from lib.utils.errors import InputError, one_line
from lib.utils.files import open_atomically
from lib.utils.log import LOG


def save_checkpoint(path: str | Path, state: dict[str, Any], previous: Path | None = None) -> None:
    """Write ``state`` (nested dicts and lists of tensors, numbers, texts) to ``path``, atomically.

    What was at ``path`` goes to ``previous``, once the new file is whole and on the disk. The file carries
    a CRC-32 of every tensor, as torch writes it. Raises OSError where it can't be written.
    """
    with open_atomically(path, previous) as file:
        try:
            torch.save(state, file)
        except RuntimeError as error:  # torch's own, in place of the file's "no space left"
            raise _of_the_file(error) from None


def _of_the_file(error: BaseException) -> BaseException:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError):
            return cause
        cause = cause.__context__
    return error


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU. InputError where it is missing, damaged or not one of ours."""
    try:
        state = load_plain(path)
    except OSError as error:
        raise InputError(f"{path}: cannot read the checkpoint ({error.strerror})") from None
    except Exception as error:  # a damaged pickle may raise anything
        raise InputError(f"{path}: not a checkpoint, or a damaged one ({one_line(error)[:100]})") from None
    if not isinstance(state, dict) or "target_model" not in state:
        raise InputError(f"{path}: not a checkpoint of a training run: expected it to hold 'target_model'")
    return state


def load_newest(path: Path, previous: Path) -> tuple[dict[str, Any], Path]:
    """The checkpoint at ``path``, or the one before it where that is missing or damaged; and where it was.

    Raises InputError where neither can be used.
    """
    try:
        return load_checkpoint(path), path
    except InputError as error:
        if not previous.exists():
            raise
        LOG.warning(f"{error}; going back to {previous}")
        return load_checkpoint(previous), previous


def load_plain(path: str | Path) -> Any:
    """What torch.save wrote: tensors and plain values, on the CPU. No other object is made, no code is run.

    Raises whatever torch does, and ValueError for an archive that is packed (torch packs none, and a small
    one could fill the memory) or whose tensors are not those that were written.
    """
    LOG.debug("reading %s", path)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise ValueError("a packed archive, which torch.save does not write")
            # torch.load does not look at the checksums.
            if damaged := archive.testzip():
                raise ValueError(f"the checksum of {damaged} is wrong")
    return torch.load(path, map_location="cpu", weights_only=True)
