"""Checkpoints: everything a run needs to go on, in a file that holds tensors and plain values only."""

import pickle
from pathlib import Path
from typing import Any

import torch

from lib.core.errors import InputError
from lib.utils.files import write_atomically


def save_checkpoint(path: str | Path, state: dict[str, Any]) -> None:
    """Write ``state`` (nested dicts and lists of tensors, numbers, texts) to ``path``, atomically."""
    write_atomically(path, lambda file: torch.save(state, file))


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU. InputError where it is missing or not one of ours."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"{path}: cannot read the checkpoint ({error.strerror})") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise InputError(f"{path}: not a checkpoint, or a damaged one ({str(error)[:100]})") from None
    if not isinstance(state, dict) or "target_model" not in state:
        raise InputError(f"{path}: not a checkpoint of a training run: expected it to hold 'target_model'")
    return state
