"""Rebuild a trained pose network, with its joints, input size and colors, from a checkpoint file alone."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lib.config.loader import kept_settings
from lib.dataset.heatmap import BACKBONE_STRIDE, HeatmapCodec, network_heatmap_size
from lib.dataset.keypoints import SHARED_KEYPOINTS, network_joints
from lib.models.pose_resnet import RESNETS, BasicBlock, Bottleneck, DeconvHead, PoseResNet
from lib.models.pretrained import load_weights, read_weights_file, state_dict_of
from lib.utils.errors import InputError, short_repr
from lib.utils.log import LOG

# Settings that are taken from the configuration in a checkpoint.
SETTINGS = ("MODEL.IMAGE_SIZE", "MODEL.STYLE", "MODEL.EXTRA.SIGMA", "DATASET.COLOR_RGB", "TEST.SHIFT_HEATMAP")


@dataclass(frozen=True)
class TrainedPose:
    """A trained network and how to use it.

    network: in evaluation mode, on the CPU.
    joints: [J] names of the heatmaps.
    codec: sizes of the input and of the heatmaps.
    color_rgb: channel order of the input: RGB, or BGR if False.
    shift_heatmap: see `lib.evaluation.inference.flip_back`.
    """

    network: PoseResNet
    joints: tuple[str, ...]
    codec: HeatmapCodec
    color_rgb: bool
    shift_heatmap: bool


def load_trained(
    path: str | Path, image_size: tuple[int, int] | None = None, color_rgb: bool | None = None
) -> TrainedPose:
    """Load the network of a checkpoint of main.py or train.py, or of a published SimpleBaseline checkpoint.

    Depth, width, head and number of joints are derived from the tensors. Joint names and settings are read
    from this project's checkpoints; of others the joints follow from their number (13, 16 or 17), the input
    size from the end of the file name (..._HEIGHTxWIDTH.pth), and 16 and 17 joints are taken to be trained on
    BGR images, as published. A file name with 'caffe' means that `PoseResNet` has the style 'caffe'.

    Args:
        path: .pth or .pth.tar; see `read_state_dict`.
        image_size: (width, height) of the input in pixels, multiples of 32; None: from the checkpoint.
        color_rgb: whether the network was trained on RGB images; None: from the checkpoint.

    Raises:
        InputError: not a pose network, tensors that are not finite, or an unknown or unsupported input size.
    """
    content = read_weights_file(path)
    tensors = state_dict_of(content, path)
    config = content.get("config") if isinstance(content, dict) else None
    has_settings = isinstance(config, str)
    settings = kept_settings(config if has_settings else "", SETTINGS, str(path))
    style = settings["MODEL.STYLE"]
    if not has_settings and "caffe" in Path(path).name:
        style = "caffe"
    network = network_of(tensors, style, path)
    joints = _joints(content, len(tensors["final_layer.bias"]), path)
    size, size_source = _image_size(path, image_size, settings["MODEL.IMAGE_SIZE"] if has_settings else None)
    color_source = "as requested"
    if color_rgb is None and has_settings:
        color_rgb, color_source = settings["DATASET.COLOR_RGB"], "from its settings"
    elif color_rgb is None:
        color_rgb, color_source = joints == SHARED_KEYPOINTS, "from its number of joints; --color overrides"
    LOG.info(
        f"{path}: ResNet-{network.num_layers} ({style}), {len(joints)} joints, "
        f"input {size[0]} x {size[1]} ({size_source}), {'RGB' if color_rgb else 'BGR'} ({color_source})"
    )
    heatmap_size = network_heatmap_size(size, len(_deconvolutions(tensors)))
    codec = HeatmapCodec(size, heatmap_size, settings["MODEL.EXTRA.SIGMA"])
    return TrainedPose(network, joints, codec, color_rgb, settings["TEST.SHIFT_HEATMAP"])


def network_of(tensors: dict[str, Tensor], style: str, path: str | Path) -> PoseResNet:
    """Build the pose network that ``tensors`` belong to and load them.

    Args:
        tensors: state dict of a `PoseResNet`, see `read_state_dict`.
        style: of `PoseResNet`; tensors of both styles have the same shapes.
        path: where the tensors were read from, for error messages.

    Returns:
        The network in evaluation mode, on the CPU.

    Raises:
        InputError: the tensors are not those of a pose network, or not finite.
    """
    for name, dimensions in (("conv1.weight", 4), ("final_layer.weight", 4), ("final_layer.bias", 1)):
        if name not in tensors or tensors[name].dim() != dimensions:
            raise InputError(
                f"{path}: not a pose network: expected a tensor {name} of {dimensions} dimensions"
            )
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        raise InputError(f"{path}: holds weights that are not finite")
    blocks = _residual_blocks(tensors)
    depths = [depth for depth, known in RESNETS.items() if known == blocks]
    if not depths:
        raise InputError(
            f"{path}: its stages have {', '.join(map(str, blocks[1]))} blocks of type {blocks[0].__name__}; "
            f"expected those of a ResNet of {', '.join(map(str, RESNETS))} layers"
        )
    deconvolutions = _deconvolutions(tensors)
    try:
        network = PoseResNet(
            num_layers=depths[0],
            num_joints=len(tensors["final_layer.bias"]),
            width=len(tensors["conv1.weight"]),
            style=style,
            head=DeconvHead(
                filters=tuple(weight.shape[1] for weight in deconvolutions),
                kernels=tuple(weight.shape[2] for weight in deconvolutions),
                bias="deconv_layers.0.bias" in tensors,
                final_kernel=tensors["final_layer.weight"].shape[2],
            ),
        )
    except InputError as error:
        raise InputError(f"{path}: cannot build its network: {error}") from None
    report = load_weights(network, tensors)
    if report.dropped or report.reinitialized:
        raise InputError(
            f"{path}: not the tensors of a ResNet-{depths[0]}: {'; '.join(report.summary().splitlines())}"
        )
    return network.eval()


def _residual_blocks(tensors: dict[str, Tensor]) -> tuple[type, tuple[int, ...]]:
    """Type of the residual blocks and their number in each stage, in the form of an entry of RESNETS."""
    stages = [
        {match[1] for name in tensors if (match := re.match(rf"layer{stage}\.(\d+)\.", name))}
        for stage in (1, 2, 3, 4)
    ]
    block = Bottleneck if "layer1.0.conv3.weight" in tensors else BasicBlock
    return block, tuple(map(len, stages))


def _deconvolutions(tensors: dict[str, Tensor]) -> list[Tensor]:
    """Weights [in, out, k, k] of the transposed convolutions, in order."""
    numbered = {
        int(match[1]): tensor
        for name, tensor in tensors.items()
        if (match := re.fullmatch(r"deconv_layers\.(\d+)\.weight", name)) and tensor.dim() == 4
    }
    return [numbered[number] for number in sorted(numbered)]


def _joints(content: Any, count: int, path: str | Path) -> tuple[str, ...]:
    """The checkpoint's joint names, or if it has none the names of the data set with ``count`` joints."""
    names = content.get("joints") if isinstance(content, dict) else None
    if names is None:
        try:
            return network_joints(count)
        except KeyError:
            raise InputError(
                f"{path}: has {count} heatmaps and no 'joints' that name them; expected 13, 16 or 17 heatmaps"
            ) from None
    are_names = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    if not are_names or not len(set(names)) == len(names) == count:
        raise InputError(f"{path}: 'joints' should be {count} different names, found {short_repr(names)}")
    return tuple(names)


def _image_size(
    path: str | Path, requested: tuple[int, int] | None, from_settings: Sequence[int] | None
) -> tuple[tuple[int, int], str]:
    """(width, height) of the input in pixels, and where they were taken from."""
    in_name = re.search(r"_(\d+)x(\d+)\b", Path(path).name)
    if requested:
        size: Sequence[int] = requested
        source = "as requested"
    elif from_settings:
        size, source = from_settings, "from its settings"
    elif in_name:
        size, source = (int(in_name[2]), int(in_name[1])), "from the file name"
    else:
        raise InputError(f"{path}: does not say the network's input size; give --image-size WIDTHxHEIGHT")
    if any(side < BACKBONE_STRIDE or side % BACKBONE_STRIDE for side in size):
        raise InputError(
            f"{path}: the input size is {size[0]} x {size[1]} ({source}); "
            f"expected multiples of {BACKBONE_STRIDE}"
        )
    width, height = size
    return (width, height), source
