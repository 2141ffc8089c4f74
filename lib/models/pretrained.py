"""Load weights into networks: ImageNet backbones, published and own pose checkpoints."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from lib.dataset.keypoints import NATIVE_KEYPOINTS, joint_mapping, network_joints
from lib.models.weights_file import Weights
from lib.utils.errors import InputError
from lib.utils.log import LOG


def imagenet_weights_path(path: str | Path) -> Path:
    """Return ``path``, or if it does not exist another weights file of the same ResNet in its folder.

    Configurations of SimpleBaseline name the weights by an older hash (resnet50-19c8e357.pth) than torchvision
    uses today (resnet50-0676ba61.pth). Logs a warning if another file is returned.
    """
    path = Path(path)
    network = path.name.partition("-")[0]
    if path.exists() or not re.fullmatch(r"resnet\d+", network) or "caffe" in path.name:
        return path
    # Caffe weights are for another network (CaffeBottleneck), so they can't replace torchvision's.
    others = [p for p in sorted(path.parent.glob(f"{network}-*.pth")) if "caffe" not in p.name]
    if not others:
        return path
    LOG.warning(f"{path} is missing; using {others[0]} instead")
    return others[0]


@dataclass(frozen=True)
class LoadReport:
    """Result of `load_weights`.

    loaded: names of the tensors that were copied into the network.
    dropped: names of the checkpoint's tensors that were not copied, with the reason.
    reinitialized: names of the network's tensors that keep their initial values.
    """

    loaded: tuple[str, ...]
    dropped: dict[str, str]
    reinitialized: tuple[str, ...]

    def summary(self) -> str:
        """Format the result for a log, in at most three lines."""
        lines = [f"loaded {len(self.loaded)} tensors"]
        if self.dropped:
            listed = [f"{name} ({reason})" for name, reason in list(self.dropped.items())[:4]]
            if len(self.dropped) > len(listed):
                listed.append(f"and {len(self.dropped) - len(listed)} more")
            lines.append(f"dropped {len(self.dropped)}: " + ", ".join(listed))
        if self.reinitialized:
            counts = Counter(name.partition(".")[0] for name in self.reinitialized)
            parts = ", ".join(f"{part} ({count})" for part, count in counts.items())
            lines.append(f"re-initialized {len(self.reinitialized)}: {parts}")
        return "\n".join(lines)


def load_weights(
    model: nn.Module,
    state_dict: dict[str, Tensor],
    *,
    source_joints: tuple[str, ...] | None = None,
    joints: tuple[str, ...] | None = None,
) -> LoadReport:
    """Copy every tensor of ``state_dict`` into ``model`` whose name and shape match.

    If the checkpoint predicts other joints, the rows of ``final_layer`` ([joints, C, k, k] and [joints]) are
    selected by joint name.

    Args:
        model: the network, changed in place.
        state_dict: tensors by parameter name, see `lib.models.weights_file.read_state_dict`.
        source_joints: names of the checkpoint's heatmaps. None: by their number (16 MPII, 17 COCO, 13 shared);
            as many as the model's are the same joints.
        joints: names of the model's heatmaps. None: by their number.

    Returns:
        Which tensors were copied, dropped and left at their initial values.

    Raises:
        InputError: no tensor fits, a fitting tensor is not finite (the model may be partly overwritten), or
            ``source_joints`` are not as many as the checkpoint's heatmaps.
    """
    own = model.state_dict()
    loaded, dropped = [], {}
    for name, value in state_dict.items():
        if name not in own:
            dropped[name] = "not in the network"
            continue
        if not _is_plain(value):
            dropped[name] = f"{value.dtype} on {value.device}, {value.layout}: not a plain tensor"
            continue
        # Shapes are compared before rows are selected: an expanded tensor of one number may have any shape,
        # and selecting from it would allocate all of it.
        if name.startswith("final_layer.") and value.dim() and value.shape[1:] == own[name].shape[1:]:
            selected = _select_joints(value, len(own[name]), source_joints, joints)
            if selected is None:
                dropped[name] = (
                    f"{len(value)} heatmaps, not known to have the network's {len(own[name])} joints"
                )
                continue
            value = selected
        if value.shape != own[name].shape:
            dropped[name] = f"{_size(value)}, the network's is {_size(own[name])}"
            continue
        value = value.to(own[name].dtype)
        if not torch.isfinite(value).all():
            raise InputError(f"the checkpoint's {name} holds values that are not finite")
        own[name].copy_(value)
        loaded.append(name)
    if not loaded:
        raise InputError(
            f"no tensor of the checkpoint fits the network: its {len(state_dict)} tensors begin with"
            f" {', '.join(list(state_dict)[:2])}; expected {', '.join(list(own)[:2])} and so on, of equal shapes"
        )
    # Checkpoints written before torch 0.4.1 lack num_batches_tracked, and BatchNorm with a momentum ignores it.
    missing = [n for n in own if n not in loaded and not n.endswith("num_batches_tracked")]
    return LoadReport(tuple(loaded), dropped, tuple(missing))


def load_whole_network(
    model: nn.Module,
    weights: Weights,
    source_joints: tuple[str, ...] | None = None,
    joints: tuple[str, ...] | None = None,
) -> LoadReport:
    """`load_weights` of a trained network, all of which has to be in the file.

    Raises:
        InputError: naming the file, where `load_weights` raises it, if a tensor of the network is missing, and if
            the file has more tensors within the network's layers: it is of another network, such as one with
            attention blocks, and without them its predictions would be wrong.
    """
    try:
        report = load_weights(model, weights.tensors, source_joints=source_joints, joints=joints)
    except InputError as error:
        raise InputError(f"{weights.path}: {error}") from None
    if report.reinitialized:
        found = "; ".join(report.summary().splitlines())
        raise InputError(f"{weights.path}: {found}; expected all of a trained network")
    layers = {name for name, _ in model.named_children()}
    if inside := [name for name in report.dropped if name.partition(".")[0] in layers]:
        raise InputError(
            f"{weights.path}: of another network: {len(inside)} of its tensors have no place in the layers of this "
            f"one ({', '.join(inside[:2])}); expected its tensors alone"
        )
    return report


def _is_plain(tensor: Tensor) -> bool:
    """Whether the tensor holds real numbers in memory that can be copied."""
    special = tensor.is_meta or tensor.is_complex() or tensor.is_quantized
    return tensor.layout is torch.strided and not special


def _select_joints(
    rows: Tensor, count: int, source_joints: tuple[str, ...] | None, joints: tuple[str, ...] | None
) -> Tensor | None:
    """Select the network's ``count`` joints from ``rows`` [source joints, ...]; None if one is missing."""
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
    """Position in ``source`` of each joint of ``target``. Raises KeyError for one that is missing."""
    if source == target:
        return tuple(range(len(source)))
    # Between the data sets' own joints, names are mapped: COCO's nose is the shared head, for example.
    for dataset, keypoints in NATIVE_KEYPOINTS.items():
        if source == keypoints:
            return joint_mapping(dataset, target).index
    position = {joint: i for i, joint in enumerate(source)}
    return tuple(position[joint] for joint in target)


def _size(tensor: Tensor) -> str:
    """Shape for a message, e.g. 13x8x1x1."""
    return "x".join(map(str, tensor.shape)) or "scalar"
