"""Checkpoints of small pose networks that were never trained but answer each image differently."""

from pathlib import Path

import torch

from lib.dataset.keypoints import network_joints
from lib.models.category import Category
from lib.models.pose_resnet import DeconvHead, PoseResNet

# The settings that describe `small_network` on images of 64x64 pixels.
SMALL_NETWORK = {
    "MODEL.IMAGE_SIZE": [64, 64],
    "MODEL.EXTRA.HEATMAP_SIZE": [16, 16],
    "MODEL.EXTRA.NUM_LAYERS": 10,
    "MODEL.EXTRA.WIDTH": 4,
    "MODEL.EXTRA.NUM_DECONV_FILTERS": [8, 8, 8],
}
SETTINGS = """\
MODEL: {{IMAGE_SIZE: [{width}, {height}]}}
DATASET: {{COLOR_RGB: {rgb}}}
"""


def small_network(joints: int = 13, seed: int = 0, **shape) -> PoseResNet:
    """Its heatmaps peak at about 1, at places that depend on the image."""
    torch.manual_seed(seed)
    shape = {"num_layers": 10, "width": 4, "head": DeconvHead((8, 8, 8))} | shape
    network = PoseResNet(num_joints=joints, **shape).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "deconv_layers" in name and parameter.dim() == 4:
                parameter.mul_(200)
        heatmaps = network(torch.randn(4, 3, 64, 64))
        network.final_layer.weight.div_(heatmaps.abs().max())
    return network


def write_checkpoint(
    path: Path, network: PoseResNet, image_size=(64, 64), rgb: bool = True, category: Category | None = None
) -> Path:
    """As main.py and train.py write them, with what predictions need; without ``category`` as earlier versions did."""
    settings = SETTINGS.format(width=image_size[0], height=image_size[1], rgb=str(rgb).lower())
    content = {"target_model": network.state_dict(), "config": settings}
    if category is None:
        content["joints"] = list(network_joints(len(network.final_layer.bias)))
    else:
        content |= {"joints": list(category.skeleton.names), "category": category.entry()}
    torch.save(content, path)
    return path
