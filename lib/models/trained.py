"""A trained network and all that is needed to use it, from a checkpoint alone."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lib.config.loader import kept_settings
from lib.dataset.heatmap import HeatmapCodec
from lib.dataset.keypoints import SHARED_KEYPOINTS, network_joints
from lib.models.pose_resnet import RESNETS, Bottleneck, DeconvHead, PoseResNet
from lib.models.pretrained import load_weights, read_weights_file, state_dict_of
from lib.utils.errors import InputError

STRIDE = 32  # input pixels per pixel of the ResNet's last features
KEPT = ("MODEL.IMAGE_SIZE", "MODEL.STYLE", "MODEL.EXTRA.SIGMA", "DATASET.COLOR_RGB", "TEST.SHIFT_HEATMAP")


@dataclass(frozen=True)
class TrainedPose:
    """network: in evaluation mode, on the CPU.   joints: what each of its heatmaps stands for.

    codec: sizes of its input and heatmaps.   color_rgb: false where it was trained on BGR.
    shift_heatmap: see `lib.evaluation.inference.flip_back`.   notes: what was found, and where each choice came from.
    """

    network: PoseResNet
    joints: tuple[str, ...]
    codec: HeatmapCodec
    color_rgb: bool
    shift_heatmap: bool
    notes: tuple[str, ...]


def load_trained(
    path: str | Path, image_size: tuple[int, int] | None = None, color_rgb: bool | None = None
) -> TrainedPose:
    """The network of a checkpoint of main.py or train.py, or of a published one.

    Depth, widths and joints follow from the tensors. ``image_size`` (width, height) and ``color_rgb`` go
    before what the checkpoint says of itself; one without settings is taken as published: its file's name
    ends in HEIGHTxWIDTH, 16 and 17 joints were trained on BGR images.
    Raises InputError for what is no pose network, and where the size of its input is not known.
    """
    content = read_weights_file(path)
    tensors = state_dict_of(content, path)
    config = content.get("config") if isinstance(content, dict) else None
    keeps = isinstance(config, str)
    kept = kept_settings(config if keeps else "", KEPT, str(path))
    style = kept["MODEL.STYLE"]
    if not keeps and "caffe" in Path(path).name:
        style = "caffe"
    network = network_of(tensors, style, path)
    joints = _joints(content, len(tensors["final_layer.bias"]), path)
    size, why_size = _image_size(path, image_size, kept["MODEL.IMAGE_SIZE"] if keeps else None)
    why_color = "as asked for"
    if color_rgb is None and keeps:
        color_rgb, why_color = kept["DATASET.COLOR_RGB"], "by its settings"
    elif color_rgb is None:
        color_rgb, why_color = joints == SHARED_KEYPOINTS, "by its number of joints; --color says otherwise"
    depth = next(depth for depth, made in RESNETS.items() if made == _residual_blocks(tensors))
    notes = (
        f"{path}: ResNet-{depth} ({style}), {len(joints)} joints, "
        f"input {size[0]} x {size[1]} ({why_size}), {'RGB' if color_rgb else 'BGR'} ({why_color})",
    )
    heatmap_size = tuple(side // STRIDE * 2 ** len(_deconvolutions(tensors)) for side in size)
    codec = HeatmapCodec(size, heatmap_size, kept["MODEL.EXTRA.SIGMA"])
    return TrainedPose(network, joints, codec, color_rgb, kept["TEST.SHIFT_HEATMAP"], notes)


def network_of(tensors: dict[str, Tensor], style: str, path: str | Path) -> PoseResNet:
    """The pose network whose state ``tensors`` is, in evaluation mode. Raises InputError naming ``path``.

    ``style`` (see PoseResNet) can't be told from tensors.
    """
    for name, dimensions in (("conv1.weight", 4), ("final_layer.weight", 4), ("final_layer.bias", 1)):
        if name not in tensors or tensors[name].dim() != dimensions:
            raise InputError(f"{path}: not a pose network: expected a {name} of {dimensions} dimensions")
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        raise InputError(f"{path}: some of its weights are not finite")
    blocks = _residual_blocks(tensors)
    depths = [depth for depth, made in RESNETS.items() if made == blocks]
    if not depths:
        raise InputError(
            f"{path}: its stages have {', '.join(map(str, blocks[1]))} blocks of the kind {blocks[0].__name__}; "
            f"no ResNet of {', '.join(map(str, RESNETS))} layers has"
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
        raise InputError(f"{path}: no such network can be built: {error}") from None
    report = load_weights(network, tensors)
    if report.dropped or report.reinitialised:
        raise InputError(
            f"{path}: does not fit the network of its shape: {'; '.join(report.summary().splitlines())}"
        )
    return network.eval()


def _residual_blocks(tensors: dict[str, Tensor]) -> tuple[type, tuple[int, ...]]:
    """An entry of RESNETS, or what would be one."""
    plain = RESNETS[18][0]
    stages = [
        {match[1] for name in tensors if (match := re.match(rf"layer{stage}\.(\d+)\.", name))}
        for stage in (1, 2, 3, 4)
    ]
    return Bottleneck if "layer1.0.conv3.weight" in tensors else plain, tuple(map(len, stages))


def _deconvolutions(tensors: dict[str, Tensor]) -> list[Tensor]:
    """Weights [in, out, k, k] of the transposed convolutions, in order."""
    numbered = {
        int(match[1]): tensor
        for name, tensor in tensors.items()
        if (match := re.fullmatch(r"deconv_layers\.(\d+)\.weight", name)) and tensor.dim() == 4
    }
    return [numbered[number] for number in sorted(numbered)]


def _joints(content: Any, count: int, path: str | Path) -> tuple[str, ...]:
    """The names that the checkpoint keeps, or those of a network with so many joints."""
    names = content.get("joints") if isinstance(content, dict) else None
    if names is None:
        try:
            return network_joints(count)
        except KeyError:
            raise InputError(
                f"{path}: {count} joints whose names are not known; expected 13, 16 or 17, or 'joints' in the file"
            ) from None
    known = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    if not known or not len(set(names)) == len(names) == count:
        raise InputError(f"{path}: 'joints' should be {count} different names, found {names!r:.200}")
    return tuple(names)


def _image_size(
    path: str | Path, asked: tuple[int, int] | None, kept: list[int] | None
) -> tuple[tuple[int, int], str]:
    """(width, height) of the input, and where that is from."""
    named = re.search(r"_(\d+)x(\d+)\b", Path(path).name)
    if asked:
        size, why = asked, "as asked for"
    elif kept:
        size, why = kept, "by its settings"
    elif named:
        size, why = (int(named[2]), int(named[1])), "by the file's name"
    else:
        raise InputError(
            f"{path}: does not say how large the network's input is; give --image-size WIDTHxHEIGHT"
        )
    if any(side < STRIDE or side % STRIDE for side in size):
        raise InputError(
            f"{path}: the input is {size[0]} x {size[1]} pixels ({why}); a ResNet needs multiples of {STRIDE}"
        )
    return tuple(size), why
