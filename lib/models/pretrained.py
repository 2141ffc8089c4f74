"""Weights from files into networks: ImageNet backbones, published pose checkpoints, our own."""

import logging
import pickle
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lib.dataset.keypoints import NATIVE_KEYPOINTS, joint_mapping, network_joints
from lib.utils.checkpoint import load_plain
from lib.utils.errors import InputError, one_line

IMAGENET_FOLDER = "models/pytorch/imagenet"

log = logging.getLogger(__name__)


def imagenet_weights_path(path: str | Path) -> Path:
    """``path``, or where it is missing another file beside it of the same ImageNet network.

    Configs name the weights as they were called first (resnet50-19c8e357.pth); torchvision gives the same
    ones under another name now (resnet50-0676ba61.pth).
    """
    path = Path(path)
    network = path.name.partition("-")[0]
    if path.exists() or not re.fullmatch(r"resnet\d+", network) or "caffe" in path.name:
        return path
    # Caffe's weights belong to another network: their bottlenecks have the stride elsewhere.
    others = [p for p in sorted(path.parent.glob(f"{network}-*.pth")) if "caffe" not in p.name]
    if not others:
        return path
    log.warning("%s is missing; %s is taken instead", path, others[0])
    return others[0]


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a .pth or .pth.tar by parameter name, on the CPU.

    The file holds them plainly, under 'state_dict' or 'model', or as this project's checkpoints do, with or without DataParallel's 'module.'
    before their names. Raises InputError where it is missing, unreadable or holds no tensors.
    """
    return state_dict_of(read_weights_file(path), path)


def read_weights_file(path: str | Path) -> Any:
    """All that a file of weights holds, on the CPU. Raises InputError where it is missing or unreadable."""
    path = Path(path)
    if not path.is_file():
        hint = ""
        if path.parent.as_posix().endswith(IMAGENET_FOLDER):
            hint = "; `python pose_estimation/fetch_weights.py` fetches ImageNet weights"
        raise InputError(f"{path}: there is no such weights file{hint}")
    try:
        return load_plain(path)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path}: not a weights file, or one that holds other Python objects beside tensors,"
            " which are never unpickled; expected a state dict saved by torch.save"
        ) from error
    except Exception as error:  # a damaged pickle may raise anything
        reason = one_line(str(error).partition("\n")[0])[:200]
        raise InputError(f"{path}: cannot be read as a weights file ({reason})") from error


def state_dict_of(content: Any, path: str | Path) -> dict[str, Tensor]:
    """The tensors in what `read_weights_file` gave; see `read_state_dict`."""
    nested = (
        [content.get(key) for key in ("state_dict", "model", "target_model")]
        if isinstance(content, dict)
        else []
    )
    tensors = next(filter(None, map(_tensors, [*nested, content])), None)
    if not tensors:
        raise InputError(f"{path}: holds no tensors, neither plainly nor under 'state_dict' or 'model'")
    return {name.removeprefix("module."): tensor for name, tensor in tensors.items()}


def _tensors(content) -> dict[str, Tensor]:
    if not isinstance(content, dict):
        return {}
    return {str(name): value.detach() for name, value in content.items() if isinstance(value, Tensor)}


@dataclass(frozen=True)
class LoadReport:
    """What `load_weights` did.

    loaded: names of the network's tensors that were copied.
    dropped: names of the checkpoint's tensors that were not, each with the reason.
    reinitialised: names of the network's tensors that keep the values they were initialised with.
    """

    loaded: tuple[str, ...]
    dropped: dict[str, str]
    reinitialised: tuple[str, ...]

    def summary(self) -> str:
        """Three lines at most for a log."""
        lines = [f"loaded {len(self.loaded)} tensors"]
        if self.dropped:
            shown = [f"{name} ({reason})" for name, reason in list(self.dropped.items())[:4]]
            more = len(self.dropped) - len(shown)
            rest = [f"and {more} more"] if more else []
            lines.append(f"dropped {len(self.dropped)}: " + ", ".join(shown + rest))
        if self.reinitialised:
            counts = Counter(name.partition(".")[0] for name in self.reinitialised)
            parts = ", ".join(f"{part} ({count})" for part, count in counts.items())
            lines.append(f"re-initialised {len(self.reinitialised)}: {parts}")
        return "\n".join(lines)


def load_weights(
    model: nn.Module,
    state_dict: dict[str, Tensor],
    *,
    source_joints: tuple[str, ...] | None = None,
    joints: tuple[str, ...] | None = None,
) -> LoadReport:
    """Copy into ``model`` every tensor of ``state_dict`` whose name and shape are the model's.

    Heatmaps of other joints are mapped by name: of ``final_layer`` [joints, C, k, k] the rows of the model's
    own joints are picked. ``source_joints`` and ``joints`` name the outputs of the checkpoint and of the
    model; left out, they follow from their number (16 MPII, 17 COCO, 13 shared), equal numbers meaning
    equal joints.

    Raises InputError where nothing fits, and where what fits is not finite.
    """
    own = model.state_dict()
    loaded, dropped = [], {}
    for name, value in state_dict.items():
        if name not in own:
            dropped[name] = "not in the network"
            continue
        if not _is_plain(value):
            dropped[name] = f"{value.dtype} on {value.device}, {value.layout}: no plain numbers"
            continue
        # Before anything is picked, for a view of one number can have any shape.
        if name.startswith("final_layer.") and value.dim() and value.shape[1:] == own[name].shape[1:]:
            value = _pick_joints(value, len(own[name]), source_joints, joints)
            if value is None:
                dropped[name] = "not all of the network's joints are among its own"
                continue
        if value.shape != own[name].shape:
            dropped[name] = f"{_size(value)}, the network's is {_size(own[name])}"
            continue
        value = value.to(own[name].dtype)
        if not torch.isfinite(value).all():
            raise InputError(f"the checkpoint's {name} holds numbers that are not finite")
        own[name].copy_(value)
        loaded.append(name)
    if not loaded:
        raise InputError(
            f"the checkpoint fits nothing in the network: its {len(state_dict)} tensors begin with"
            f" {', '.join(list(state_dict)[:2])}, expected {', '.join(list(own)[:2])}, equally shaped"
        )
    # Checkpoints from before torch 0.4.1 have no such counter, and momentum 0.1 never reads it.
    missing = [n for n in own if n not in loaded and not n.endswith("num_batches_tracked")]
    return LoadReport(tuple(loaded), dropped, tuple(missing))


def _is_plain(tensor: Tensor) -> bool:
    strange = tensor.is_meta or tensor.is_complex() or tensor.is_quantized
    return tensor.layout is torch.strided and not strange


def _pick_joints(
    rows: Tensor, count: int, source_joints: tuple[str, ...] | None, joints: tuple[str, ...] | None
) -> Tensor | None:
    """Of ``rows`` [source joints, ...] those of the network's ``count`` joints; None if one is missing."""
    if source_joints is None and len(rows) == count:
        return rows
    if source_joints is not None and len(source_joints) != len(rows):
        raise InputError(
            f"the checkpoint has {len(rows)} heatmaps; expected {len(source_joints)}, one for each joint"
        )
    try:
        source = source_joints or network_joints(len(rows))
        index = _joint_index(tuple(source), tuple(joints or network_joints(count)))
    except KeyError:
        return None
    return rows[list(index)]


def _joint_index(source: tuple[str, ...], target: tuple[str, ...]) -> tuple[int, ...]:
    """For each joint of ``target`` its position in ``source``. Raises KeyError for one that is not there."""
    if source == target:
        return tuple(range(len(source)))
    for dataset, keypoints in NATIVE_KEYPOINTS.items():
        if source == keypoints:
            return joint_mapping(dataset, target).index
    position = {joint: i for i, joint in enumerate(source)}
    return tuple(position[joint] for joint in target)


def _size(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"
