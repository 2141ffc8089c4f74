"""A small pose net with BatchNorm, batches and optimisers for tests of the training step."""

import copy
from dataclasses import replace

import torch
from torch import nn

from lib.ignoring.batch import Batch, SourceBatch, StepBatches
from lib.ignoring.bilevel_step import StepModels, TrainingStep
from lib.ignoring.trainable_model import TrainableModel

JOINTS = 4
PARTNER = (1, 0, 2, 3)


class SmallPoseNet(nn.Module):
    """Convolutions, BatchNorm, pooling, a shortcut and a transposed convolution: [N, 3, 16, 16] -> [N, 4, 8, 8]."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.conv2, self.bn2 = nn.Conv2d(6, 6, 3, 1, 1, bias=False), nn.BatchNorm2d(6)
        self.deconv, self.bn3 = nn.ConvTranspose2d(6, 6, 4, 2, 1, bias=False), nn.BatchNorm2d(6)
        self.final = nn.Conv2d(6, JOINTS, 1)

    def forward(self, x):
        x = self.pool(self.bn1(self.conv1(x)).relu())
        x = (x + self.bn2(self.conv2(x))).relu()
        return self.final(self.bn3(self.deconv(x)).relu())


def small_batches(seed=0, count=5, dtype=torch.float64):
    """{name: (images, heatmaps, target_weight)}; some source joints have no label."""
    rng = torch.Generator().manual_seed(seed)
    batches = {}
    for name in ("target", "source", "validation"):
        images = torch.randn(count, 3, 16, 16, generator=rng, dtype=dtype)
        heatmaps = torch.rand(count, JOINTS, 8, 8, generator=rng, dtype=dtype)
        weight = (torch.rand(count, JOINTS, generator=rng) < 0.8).to(dtype)
        batches[name] = (images, heatmaps, weight)
    return batches


def as_batch(images, heatmaps, weight):
    return Batch(images, heatmaps, weight)


def as_source_batch(images, heatmaps, weight, flipped=None):
    count = len(images)
    flipped = torch.zeros(count, dtype=torch.bool) if flipped is None else flipped
    return SourceBatch(images, heatmaps, weight, torch.arange(count), flipped)


def step_batches(batches):
    """The StepBatches of {name: (images, heatmaps, weight)}; source samples are annotations 0, 1, ..."""
    return StepBatches(
        as_batch(*batches["target"]), as_source_batch(*batches["source"]), as_batch(*batches["validation"])
    )


def take_step(mode, options, models, batches):
    """The StepOutput of one training step; ``models`` is (target, source, variables)."""
    return TrainingStep(mode, options, StepModels(*models), step_batches(batches)).run()


OPTIMIZERS = {
    "adam": lambda p, wd: torch.optim.Adam(p, lr=1e-3, weight_decay=wd),
    "sgd": lambda p, wd: torch.optim.SGD(p, lr=1e-2, weight_decay=wd),
    "momentum": lambda p, wd: torch.optim.SGD(p, lr=1e-2, momentum=0.9, dampening=0.1, weight_decay=wd),
    "nesterov": lambda p, wd: torch.optim.SGD(p, lr=1e-2, momentum=0.9, nesterov=True, weight_decay=wd),
}


def learner(optimizer="adam", decay=0.0, warm=0, seed=0, dtype=torch.float64, layers=()):
    """A model and its optimizer after ``warm`` steps on noise; ``layers``: of its hypergradients."""
    torch.manual_seed(seed)
    model = SmallPoseNet().to(dtype).train()
    parameters = list(model.parameters())
    made = TrainableModel(
        model, OPTIMIZERS[optimizer](parameters, decay), parameters, hypergradient_layers=layers
    )
    for i in range(warm):
        batch = as_batch(*small_batches(100 + 10 * seed + i, dtype=dtype)["target"])
        made.step(made.local_gradient(made.losses(batch).mean()))
    return made


def copied(made):
    """An independent copy of a learner, optimiser state and all."""
    model = copy.deepcopy(made.model)
    parameters = list(model.parameters())
    (group,) = made.optimizer.param_groups
    rest = {k: v for k, v in group.items() if k != "params"}
    optimizer = type(made.optimizer)(parameters, lr=rest["lr"])
    optimizer.load_state_dict(copy.deepcopy(made.optimizer.state_dict()))
    return replace(made, model=model, optimizer=optimizer, parameters=parameters)
