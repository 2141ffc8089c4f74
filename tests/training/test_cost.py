"""The calculated cost of a step against the multiplications of a real one."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lib.config.schema import Config, IgnoringConfig, TestConfig, TrainConfig
from lib.ignoring.modes import MODES
from lib.ignoring.trainable_model import TrainableModel
from lib.training.cost import (
    Cost,
    forwards_of_hypergradient,
    forwards_of_step,
    forwards_of_validation,
)
from lib.training.phases import phases
from lib.training.step import step_options
from tests.factories.step_cases import made_variables, material, take

BATCH = 5


class CheapStart(nn.Module):
    """A network whose first layer, the only one without a gradient or tangent of its input, costs next to nothing."""

    def __init__(self):
        super().__init__()
        self.first, self.widen = nn.Conv2d(3, 1, 1), nn.Conv2d(1, 16, 3, padding=1)
        self.middle, self.bn = nn.Conv2d(16, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16)
        self.final = nn.Conv2d(16, 4, 1)

    def forward(self, x):
        return self.final(self.bn(self.middle(self.widen(self.first(x)).relu())).relu())


def make_model(seed):
    torch.manual_seed(seed)
    model = CheapStart().double().train()
    parameters = list(model.parameters())
    return TrainableModel(model, torch.optim.Adam(parameters, lr=1e-3), parameters)


def flops_of(call):
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


@pytest.mark.parametrize("meta_loop", [1, 2, 3])
@pytest.mark.parametrize(
    ("name", "meta_model"),
    [("ours1", "target"), ("ours2", "target"), ("ours5", "target"), ("ours5", "source")],
)
def test_cost_of_a_step_with_its_hypergradient(name, meta_model, meta_loop):
    lbi = IgnoringConfig(meta_loop=meta_loop, meta_model=meta_model)
    config, mode = Config(train=TrainConfig(batch_size=BATCH), lbi=lbi), MODES[name]
    (phase,) = phases(config.train, config.lbi, mode)
    target, source = make_model(0), make_model(1) if mode.has_source_model else None
    batches, index, flipped = material(0)
    with torch.no_grad():
        forward = flops_of(lambda: target.model(batches["target"][0]))
    variables, _ = made_variables(name, "online")
    flops = flops_of(
        lambda: take(mode, step_options(lbi), target, source, variables, batches, index, flipped)
    )
    cost = forwards_of_step(config.train, phase) + forwards_of_hypergradient(config.train, config.lbi, phase)
    assert flops / forward == pytest.approx(cost, rel=0.02)


def test_sizes_of_source_and_validation_batches():
    """Source batches of 3 and validation batches of 2 target batches: 3 F for a gradient, 2 F for a tangent."""
    lbi = IgnoringConfig(meta_loop=2, val_batch_size=20)
    config = Config(train=TrainConfig(batch_size=10, src_batch_size=30), lbi=lbi)
    (phase,) = phases(config.train, config.lbi, MODES["ours1"])
    assert forwards_of_step(config.train, phase) == 3 + 3 * 3
    assert forwards_of_hypergradient(config.train, config.lbi, phase) == 2 * (3 * 2 + 2 * 3) + 3 * 3
    (phase,) = phases(config.train, config.lbi, MODES["baseline4"])
    assert forwards_of_step(config.train, phase) == 3 + 2 * 3 * 3
    assert forwards_of_hypergradient(config.train, config.lbi, phase) == 0


def test_validation_and_hours():
    config = Config(train=TrainConfig(batch_size=10), test=TestConfig(flip_test=True))
    assert forwards_of_validation(config.train, config.test, 50) == 10
    cost = Cost(steps=3, training=50.0, validation=10.0, source_passes=1.0)
    assert cost.forwards == 60 and cost.hours(120.0) == 2
