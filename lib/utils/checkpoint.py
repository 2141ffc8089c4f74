"""Checkpoints: everything a run needs to go on, in a file that holds tensors and plain values only."""

import zipfile
from pathlib import Path
from typing import Any

import torch

from lib.core.errors import InputError, one_line
from lib.utils.files import write_atomically


def save_checkpoint(path: str | Path, state: dict[str, Any]) -> None:
    """Write ``state`` (nested dicts and lists of tensors, numbers, texts) to ``path``, atomically."""
    write_atomically(path, lambda file: torch.save(state, file))


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU. InputError where it is missing or not one of ours."""
    try:
        state = load_plain(path)
    except OSError as error:
        raise InputError(f"{path}: cannot read the checkpoint ({error.strerror})") from None
    except Exception as error:  # a damaged pickle may raise anything
        raise InputError(f"{path}: not a checkpoint, or a damaged one ({one_line(error)[:100]})") from None
    if not isinstance(state, dict) or "target_model" not in state:
        raise InputError(f"{path}: not a checkpoint of a training run: expected it to hold 'target_model'")
    return state


def load_plain(path: str | Path) -> Any:
    """What torch.save wrote: tensors and plain values, on the CPU. No other object is made, no code is run.

    Raises whatever torch does, and ValueError for an archive that is packed: torch packs none, and a small
    one could fill the memory.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise ValueError("a packed archive, which torch.save does not write")
    return torch.load(path, map_location="cpu", weights_only=True)
