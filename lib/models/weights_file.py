"""Read the tensors of a weights file, of this project or of another program."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from lib.models.network_names import network_names
from lib.utils.checkpoint import read_plain
from lib.utils.errors import InputError, short_repr
from lib.utils.log import LOG

IMAGENET_FOLDER = "models/pytorch/imagenet"

# Where trainers keep the weights in a checkpoint; the first that holds tensors is used.
KEYS = (
    "state_dict", "model_state_dict", "model", "target_model", "best_state_dict", "network", "net", "module",
    "weights", "params", "ema", "ema_state_dict", "state_dict_ema", "model_ema",
)  # fmt: skip
DEEPEST = 3  # levels of such keys


@dataclass(frozen=True)
class Weights:
    """What a weights file holds.

    path: the file.
    tensors: by the names of `PoseResNet`, without gradients, on the CPU.
    other: what else the file holds, by key; empty for a plain state dict.
    from_mmpose: whether the tensors were named as mmpose names them.
    """

    path: str
    tensors: dict[str, Tensor]
    other: dict[Any, Any]
    from_mmpose: bool


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of a weights file onto the CPU, by parameter name; see `read_weights`."""
    return read_weights(path).tensors


def read_weights(path: str | Path) -> Weights:
    """Read a weights file onto the CPU.

    Args:
        path: .pth or .pth.tar written by torch.save (zip or legacy format): a state dict, or a dict with one
            under one of ``KEYS``. Names are stripped of the prefixes of other programs, see `network_names`.

    Raises:
        InputError: the file is missing or unreadable, holds other Python objects, no tensors or several networks.
    """
    path = Path(path)
    if not path.is_file():
        hint = ""
        if path.parent.as_posix().endswith(IMAGENET_FOLDER):
            hint = "; `python pose_estimation/fetch_weights.py` fetches ImageNet weights"
        raise InputError(f"{path}: there is no such weights file{hint}")
    content = read_plain(path, "weights file")
    state_dicts = list(_state_dicts(content))
    if not state_dicts:
        keys = f", found {short_repr(list(content))}" if isinstance(content, dict) else ""
        raise InputError(f"{path}: holds no tensors, neither plainly nor under {', '.join(KEYS[:3])}{keys}")
    place, tensors = state_dicts[0]
    if others := [other for other, _ in state_dicts[1:] if other and place]:
        LOG.info(f"{path}: the weights of '{place}' are used; it also holds {', '.join(others)}")
    named = network_names(tensors, str(path))
    return Weights(str(path), named.tensors, content if place else {}, named.from_mmpose)


def _state_dicts(content: Any, place: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """(keys joined by dots, tensors) of every state dict in ``content``, in the order of preference."""
    if not isinstance(content, dict):
        return
    if depth < DEEPEST:
        for key in KEYS:
            yield from _state_dicts(content.get(key), f"{place}.{key}".lstrip("."), depth + 1)
    tensors = {str(name): value.detach() for name, value in content.items() if isinstance(value, Tensor)}
    if tensors:
        yield place, tensors
