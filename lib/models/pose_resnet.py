"""The pose network: a ResNet backbone, transposed convolutions, and a convolution with a heatmap per joint.

Simple Baselines for Human Pose Estimation and Tracking, Xiao et al. 2018, https://arxiv.org/abs/1804.06208.
Parameters are named as in the published checkpoints, and those of the backbone as in torchvision's ResNet.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from lib.config.schema import ModelConfig
from lib.utils.errors import InputError


def _conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    """1x1 convolution that projects a block's input to the shape of its output; None if the shapes are equal."""
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(_conv(in_channels, out_channels, 1, stride), nn.BatchNorm2d(out_channels))


class BasicBlock(nn.Module):
    """Residual block of ResNet-10, -18 and -34: two 3x3 convolutions."""

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int):
        super().__init__()
        self.conv1 = _conv(in_channels, channels, 3, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv(channels, channels, 3)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.relu(out + shortcut)


class Bottleneck(nn.Module):
    """Residual block of ResNet-50, -101 and -152: 1x1, 3x3 (with the stride) and 1x1 to 4 times the channels."""

    expansion = 4
    stride_in_first = False

    def __init__(self, in_channels: int, channels: int, stride: int):
        super().__init__()
        out_channels = channels * self.expansion
        first, second = (stride, 1) if self.stride_in_first else (1, stride)
        self.conv1 = _conv(in_channels, channels, 1, first)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv(channels, channels, 3, second)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = _conv(channels, out_channels, 1)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.relu(out + shortcut)


class CaffeBottleneck(Bottleneck):
    """Bottleneck of the original Caffe ResNets: the first 1x1 convolution has the stride."""

    stride_in_first = True


# Depth: (type of block, blocks in each of the four stages), table 1 of https://arxiv.org/abs/1512.03385;
# ResNet-10 has one block per stage, for small data sets.
Block = type[BasicBlock] | type[Bottleneck]
RESNETS: dict[int, tuple[Block, tuple[int, ...]]] = {
    10: (BasicBlock, (1, 1, 1, 1)),
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}

# Kernel size of a transposed convolution: (padding, output padding) with which stride 2 doubles the size exactly.
DECONV_PADDING = {4: (1, 0), 3: (1, 1), 2: (0, 0)}


# Modules of each choice of LBI.HYPERGRAD_LAYERS; none stands for the whole network.
HYPERGRADIENT_LAYERS: dict[str, tuple[str, ...]] = {
    "all": (),
    "head": ("deconv_layers", "final_layer"),
    "final": ("final_layer",),
}


@dataclass(frozen=True)
class DeconvHead:
    """Layers between the backbone and the heatmaps; the defaults are those of the published networks.

    filters: output channels of each transposed convolution.
    kernels: kernel size (2, 3 or 4) of each transposed convolution, as many as ``filters``.
    bias: the transposed convolutions have a bias.
    final_kernel: kernel size (1 or 3) of the last convolution.
    """

    filters: tuple[int, ...] = (256, 256, 256)
    kernels: tuple[int, ...] = (4, 4, 4)
    bias: bool = False
    final_kernel: int = 1


class PoseResNet(nn.Module):
    """Pose network of SimpleBaseline: images [N, 3, H, W] to heatmaps [N, num_joints, h, w].

    H and W must be multiples of 32. The backbone divides them by 32 and each transposed convolution doubles
    them, so h = H / 4 and w = W / 4 with the usual three.

    Args:
        num_layers: depth of the ResNet: 10, 18, 34, 50, 101 or 152.
        num_joints: number of heatmaps.
        width: channels of the first stage, 64 in the published networks.
        style: which convolution of a bottleneck has the stride: the 3x3 ('pytorch') or the first 1x1 ('caffe').
        head: the layers after the backbone.

    Raises:
        InputError: a value is not supported; the message names the setting.
    """

    def __init__(
        self,
        num_layers: int,
        num_joints: int,
        width: int = 64,
        style: str = "pytorch",
        head: DeconvHead = DeconvHead(),
    ):
        super().__init__()
        _expect_one_of(RESNETS, "MODEL.EXTRA.NUM_LAYERS", num_layers)
        _expect_positive("MODEL.NUM_JOINTS", num_joints)
        _expect_positive("MODEL.EXTRA.WIDTH", width)
        for filters in head.filters:
            _expect_positive("an entry of MODEL.EXTRA.NUM_DECONV_FILTERS", filters)
        for kernel in head.kernels:
            _expect_one_of(DECONV_PADDING, "an entry of MODEL.EXTRA.NUM_DECONV_KERNELS", kernel)
        _expect_one_of((1, 3), "MODEL.EXTRA.FINAL_CONV_KERNEL", head.final_kernel)

        block, counts = RESNETS[num_layers]
        _expect_one_of(("pytorch",) if block is BasicBlock else ("pytorch", "caffe"),
                       f"MODEL.STYLE of a ResNet-{num_layers}", style)  # fmt: skip
        if style == "caffe":
            block = CaffeBottleneck
        self.num_layers = num_layers

        # The order of the layers is the order in which their initial values are drawn.
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(block, width, width, counts[0], stride=1)
        self.layer2 = _stage(block, width * block.expansion, width * 2, counts[1], stride=2)
        self.layer3 = _stage(block, width * 2 * block.expansion, width * 4, counts[2], stride=2)
        self.layer4 = _stage(block, width * 4 * block.expansion, width * 8, counts[3], stride=2)
        features = width * 8 * block.expansion
        self.deconv_layers = _deconv_layers(features, head)
        features = head.filters[-1] if head.filters else features
        self.final_layer = nn.Conv2d(features, num_joints, head.final_kernel, padding=head.final_kernel // 2)
        self._initialize()

    def forward(self, x: Tensor) -> Tensor:
        """Return the heatmaps [N, num_joints, h, w] of images [N, 3, H, W]."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.final_layer(self.deconv_layers(x))

    def _initialize(self) -> None:
        """Initialize as published (`init_weights` of SimpleBaseline), except for the backbone."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                # SimpleBaseline's std 0.001 hardly trains a backbone without ImageNet weights, so the
                # backbone is initialized as in torchvision. BatchNorm keeps torch's weight 1 and bias 0.
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.ConvTranspose2d):
                nn.init.normal_(module.weight, std=0.001)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.normal_(self.final_layer.weight, std=0.001)
        nn.init.zeros_(self.final_layer.bias)


def build_pose_resnet(model: ModelConfig) -> PoseResNet:
    """Build the network that the MODEL section of a configuration describes.

    Raises:
        InputError: a setting is not supported, or the lists of the head do not have NUM_DECONV_LAYERS entries.
    """
    extra = model.extra
    for key in ("NUM_DECONV_FILTERS", "NUM_DECONV_KERNELS"):
        entries = len(getattr(extra, key.lower()))
        if entries != extra.num_deconv_layers:
            raise InputError(
                f"MODEL.EXTRA.{key} has {entries} entries; expected {extra.num_deconv_layers},"
                " as MODEL.EXTRA.NUM_DECONV_LAYERS says"
            )
    return PoseResNet(
        num_layers=extra.num_layers,
        num_joints=model.num_joints,
        width=extra.width,
        style=model.style,
        head=DeconvHead(
            filters=tuple(extra.num_deconv_filters),
            kernels=tuple(extra.num_deconv_kernels),
            bias=extra.deconv_with_bias,
            final_kernel=extra.final_conv_kernel,
        ),
    )


def _stage(block: Block, in_channels: int, channels: int, count: int, stride: int) -> nn.Sequential:
    """``count`` residual blocks; the first one has the stride."""
    blocks = [block(in_channels, channels, stride)]
    blocks += [block(channels * block.expansion, channels, 1) for _ in range(count - 1)]
    return nn.Sequential(*blocks)


def _deconv_layers(in_channels: int, head: DeconvHead) -> nn.Sequential:
    """Transposed convolution, BatchNorm and ReLU for each entry of ``head.filters``; each doubles the size."""
    layers = []
    for out_channels, kernel in zip(head.filters, head.kernels, strict=True):
        padding, output_padding = DECONV_PADDING[kernel]
        layers += [
            nn.ConvTranspose2d(in_channels, out_channels, kernel, 2, padding, output_padding, bias=head.bias),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        ]
        in_channels = out_channels
    return nn.Sequential(*layers)


def _expect_one_of(allowed, setting: str, value) -> None:
    if value not in allowed:
        raise InputError(f"{setting} is {value!r}; expected one of {', '.join(map(str, allowed))}")


def _expect_positive(setting: str, value: int) -> None:
    if value < 1:
        raise InputError(f"{setting} is {value}; expected 1 or more")
