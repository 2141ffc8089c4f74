"""Rebuild a trained pose network, with its joints, input size and colors, from a checkpoint file alone."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lib.config.loader import kept_settings, with_settings
from lib.config.schema import Config
from lib.dataset.heatmap import BACKBONE_STRIDE, HeatmapCodec, network_heatmap_size
from lib.dataset.keypoints import COCO_KEYPOINTS, MPII_KEYPOINTS
from lib.models.category import Category, category_of
from lib.models.pose_resnet import RESNETS, BasicBlock, Bottleneck, DeconvHead, PoseResNet
from lib.models.pretrained import load_weights
from lib.models.weights_file import Weights, read_weights
from lib.utils.errors import InputError
from lib.utils.log import LOG

# Settings that are taken from the configuration in a checkpoint.
SETTINGS = ("MODEL.IMAGE_SIZE", "MODEL.STYLE", "MODEL.EXTRA.SIGMA", "TEST.SHIFT_HEATMAP")
COLOR_RGB = "DATASET.COLOR_RGB"
PUBLISHED_ON_BGR = (len(MPII_KEYPOINTS), len(COCO_KEYPOINTS))  # numbers of joints


@dataclass(frozen=True)
class TrainedPose:
    """A trained network and how to use it.

    network: in evaluation mode, on the CPU.
    category: the objects and their joints, in the order of the heatmaps.
    codec: sizes of the input and of the heatmaps.
    color_rgb: channel order of the input: RGB, or BGR if False.
    shift_heatmap: see `lib.evaluation.inference.flip_back`.
    """

    network: PoseResNet
    category: Category
    codec: HeatmapCodec
    color_rgb: bool
    shift_heatmap: bool

    @property
    def joints(self) -> tuple[str, ...]:
        """[J] names of the heatmaps."""
        return self.category.skeleton.names


def load_trained(
    path: str | Path, image_size: tuple[int, int] | None = None, color_rgb: bool | None = None
) -> TrainedPose:
    """Load the network of a checkpoint of main.py or train.py, or of another program that trains the same network.

    Depth, width, head and number of joints are derived from the tensors, and this project's checkpoints hold
    category, joints and settings. Of others, joints and color order are found by `category_of` and `color_order`,
    and the input size is read from the file name (..._HEIGHTxWIDTH.pth). A file name with 'caffe' means that
    `PoseResNet` has the style 'caffe'.

    Args:
        path: .pth or .pth.tar; see `read_weights`.
        image_size: (width, height) of the input in pixels, multiples of 32; None: from the checkpoint.
        color_rgb: whether the network was trained on RGB images; None: from the checkpoint.

    Raises:
        InputError: not a pose network, tensors that are not finite, or an unknown or unsupported input size.
    """
    weights = read_weights(path)
    tensors, config = weights.tensors, weights.other.get("config")
    has_settings = isinstance(config, str)
    settings = kept_settings(config if has_settings else "", SETTINGS, str(path))
    style = settings["MODEL.STYLE"]
    if not has_settings and "caffe" in Path(path).name:
        style = "caffe"
    network = network_of(tensors, style, path)
    category = category_of(weights.other, len(tensors["final_layer.bias"]), path)
    size, size_source = _image_size(path, image_size, settings["MODEL.IMAGE_SIZE"] if has_settings else None)
    order = ColorOrder(color_rgb, "as requested") if color_rgb is not None else color_order(weights)
    LOG.info(
        f"{path}: ResNet-{network.num_layers} ({style}), {len(category.skeleton.names)} joints of {category}, "
        f"input {size[0]} x {size[1]} ({size_source}), {order}"
    )
    heatmap_size = network_heatmap_size(size, len(_deconvolutions(tensors)))
    codec = HeatmapCodec(size, heatmap_size, settings["MODEL.EXTRA.SIGMA"])
    return TrainedPose(network, category, codec, order.rgb, settings["TEST.SHIFT_HEATMAP"])


@dataclass(frozen=True)
class ColorOrder:
    """The channel order of the images that a network was trained on.

    rgb: RGB, or BGR if False.
    source: how this is known.
    """

    rgb: bool
    source: str

    def __str__(self) -> str:
        return f"{'RGB' if self.rgb else 'BGR'} ({self.source})"


def color_order(weights: Weights) -> ColorOrder:
    """The channel order that a checkpoint was trained with.

    From the settings in this project's checkpoints. Of others, mmpose trains on RGB, and the published
    checkpoints of SimpleBaseline (16 or 17 joints) were trained on BGR, as OpenCV reads images.
    """
    config, bias = weights.other.get("config"), weights.tensors.get("final_layer.bias")
    if isinstance(config, str):
        settings = kept_settings(config, (COLOR_RGB,), weights.path)
        return ColorOrder(settings[COLOR_RGB] is not False, "from its settings")
    if weights.from_mmpose:
        return ColorOrder(True, "as mmpose trains")
    if bias is not None and bias.dim() and len(bias) in PUBLISHED_ON_BGR:
        return ColorOrder(False, "as published ones with as many joints")
    return ColorOrder(True, "the default")


def with_color_order(config: Config, weights: Weights) -> Config:
    """``config`` with DATASET.COLOR_RGB as the weights were trained, if it is auto; logs which order is used."""
    trained, given = color_order(weights), config.dataset.color_rgb
    if given == "auto":
        LOG.info(f"{weights.path}: trained on {trained}; images are read likewise (DATASET.COLOR_RGB)")
        return with_settings(config, {COLOR_RGB: trained.rgb})
    if given is not trained.rgb:
        LOG.warning(
            f"{weights.path}: trained on {trained}, but DATASET.COLOR_RGB is {str(given).lower()}: "
            f"images are read as {'RGB' if given else 'BGR'}"
        )
    return config


def network_of(tensors: dict[str, Tensor], style: str, path: str | Path) -> PoseResNet:
    """Build the pose network that ``tensors`` belong to and load them.

    Args:
        tensors: state dict of a `PoseResNet`, see `read_weights`.
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
                f"{path}: not a pose network: expected a tensor {name} of {dimensions} dimensions; "
                f"it has {', '.join(list(tensors)[:3])} and so on"
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


def _image_size(
    path: str | Path, requested: tuple[int, int] | None, from_settings: Sequence[int] | None
) -> tuple[tuple[int, int], str]:
    """(width, height) of the input in pixels, and where they were taken from."""
    in_name = re.search(r"[_-](\d+)x(\d+)(?![^\W_])", Path(path).name)
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
