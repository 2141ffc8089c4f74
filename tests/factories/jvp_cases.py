"""Networks, batches and directions for tests of Jacobian-vector products, on the CPU in double precision."""

import copy

import torch
from torch import nn

from lib.ignoring.trainable_model import TrainableModel, frozen_batchnorm
from lib.models.pose_resnet import DeconvHead, PoseResNet


def trained_resnet(layers=10, **options):
    """A small PoseResNet, as if trained: no weight or statistic of BatchNorm is exactly 0 or 1."""
    torch.manual_seed(0)
    settings = {"num_joints": 3, "width": 4, "head": DeconvHead((6, 5), (4, 3))} | options
    model = PoseResNet(layers, **settings).double().train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.2)
            nn.init.normal_(module.bias, 0, 0.2)
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)
    return model


class Around(nn.Module):
    """A copy of ``layer``, with ``channels`` inputs, between two convolutions.

    again: the layer's input is also added to its output.
    """

    def __init__(self, layer, channels, again=False):
        super().__init__()
        self.again = again
        self.first, self.layer = nn.Conv2d(3, channels, 1), copy.deepcopy(layer)
        self.last = nn.Conv2d(getattr(layer, "out_channels", channels), 2, 1)

    def forward(self, x):
        x = self.first(x)
        y = self.layer(x)
        return self.last(y + x + x if self.again else y)


def learner_of(model):
    """The TrainableModel of all parameters of ``model``."""
    parameters = list(model.parameters())
    return TrainableModel(model, torch.optim.SGD(parameters, lr=1.0), parameters)


def batch_and_direction(model, size=(32, 32), count=4):
    """(images [N, 3, *size], heatmaps, target_weight) for ``model``, and a direction of its parameters."""
    rng = torch.Generator().manual_seed(0)
    images = torch.randn(count, 3, *size, generator=rng, dtype=torch.float64)
    with torch.no_grad(), frozen_batchnorm(model):
        shape = model(images).shape
    heatmaps = torch.rand(shape, generator=rng, dtype=torch.float64)
    weight = (torch.rand(shape[:2], generator=rng) < 0.8).double()
    direction = [torch.randn(p.shape, generator=rng, dtype=p.dtype) * 0.1 for p in model.parameters()]
    return (images, heatmaps, weight), direction


def by_backward(learner, batch, direction):
    """< direction, grad l_ij > [N, J] of a Batch, with one backward pass for each keypoint."""
    with frozen_batchnorm(learner.model):
        losses = learner.losses(batch)
    products = []
    for loss in losses.flatten():
        gradient = torch.autograd.grad(loss, learner.parameters, retain_graph=True)
        products.append(sum((g * d).sum() for g, d in zip(gradient, direction)))
    return torch.stack(products).view_as(losses)
