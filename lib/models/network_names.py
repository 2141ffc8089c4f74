"""The names of a network's tensors as SimpleBaseline has them, whatever program or wrapper wrote them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from lib.utils.errors import InputError
from lib.utils.log import LOG

HEAD = ("deconv_layers", "final_layer")
# torch.compile, FSDP and activation checkpointing put these anywhere into a name.
INSERTED = re.compile(r"(^|(?<=\.))(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
# Not weights: what mmpose normalizes images with, and what FLOP counters leave in modules.
NO_WEIGHTS = re.compile(r"(.*\.)?(data_preprocessor\..*|total_ops|total_params)")
MMPOSE_HEADS = ("keypoint_head", "head")  # before and since mmpose 1.0


@dataclass(frozen=True)
class NamedTensors:
    """Tensors by the names of `PoseResNet`.

    from_mmpose: whether they were named as mmpose names them (backbone.* and keypoint_head.* or head.*).
    """

    tensors: dict[str, Tensor]
    from_mmpose: bool = False


def network_names(tensors: dict[str, Tensor], where: str) -> NamedTensors:
    """Strip the prefix that wrappers and toolboxes put before the names of a ResNet and its heatmap head.

    The prefix is whatever stands before both conv1 and layer1 (module., model., _orig_mod., backbone., and any
    combination); the head may have another one beside it (backbone.conv1, keypoint_head.final_layer). Tensors
    outside of the wrapper (a loss, a counter) are left out, with a note in the log; without such a prefix the
    names stay as they are.

    Args:
        tensors: by their names in the file.
        where: begin of error messages.

    Raises:
        InputError: there are several such networks in the file.
    """
    cleaned = {
        INSERTED.sub("", name): value for name, value in tensors.items() if not NO_WEIGHTS.fullmatch(name)
    }
    if len(cleaned) + sum(map(bool, map(NO_WEIGHTS.fullmatch, tensors))) < len(tensors):
        raise InputError(f"{where}: several tensors have the same name but for _orig_mod")
    backbones = sorted(_prefixes(cleaned, ("conv1",)) & _prefixes(cleaned, ("layer1",)))
    if len(backbones) > 1:
        raise InputError(
            f"{where}: holds {len(backbones)} networks, named {' and '.join(f'{p}conv1' for p in backbones[:4])}; "
            "expected one: save the one to use alone"
        )
    if not backbones:
        return NamedTensors(cleaned)
    (backbone,) = backbones
    head = _head_prefix(cleaned, backbone, where)
    root = backbone if head == backbone else _parent(backbone)
    renamed, outside = {}, []
    for name, tensor in cleaned.items():
        if not name.startswith(root):
            outside.append(name)
            continue
        stripped = name.removeprefix(backbone if name.startswith(backbone) else root)
        if head != backbone and name.startswith(head):
            stripped = name.removeprefix(head)
        renamed[stripped] = tensor
    if len(renamed) + len(outside) < len(cleaned):
        raise InputError(f"{where}: several tensors have the same name behind {backbone} and {head}")
    if outside:
        LOG.info(f"{where}: left out {len(outside)} tensors beside {root}*: {', '.join(outside[:3])}")
    return NamedTensors(renamed, head.removeprefix(root).rstrip(".") in MMPOSE_HEADS)


def _prefixes(names: Iterable[str], parts: tuple[str, ...]) -> set[str]:
    """What stands before one of ``parts``, with its dot, where a name has it; the outermost part counts."""
    found = re.compile(rf"((?:[^.]+\.)*?)(?:{'|'.join(parts)})\.")
    return {match[1] for name in names if (match := found.match(name))}


def _head_prefix(names: Iterable[str], backbone: str, where: str) -> str:
    """The prefix of the heatmap head: the backbone's, or one of as many parts beside it."""
    heads = _prefixes(names, HEAD)
    if not heads or backbone in heads:
        return backbone
    beside = sorted(head for head in heads if _parent(head) == _parent(backbone))
    if len(beside) > 1:
        raise InputError(f"{where}: holds {len(beside)} heads, {' and '.join(beside[:4])}; expected one")
    return beside[0] if beside else backbone


def _parent(prefix: str) -> str:
    """``prefix`` without its last part: ``model.`` of ``model.backbone.``."""
    return prefix[: prefix.rstrip(".").rfind(".") + 1]
