"""The calculated cost of a step against the multiplications of a real one."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lib.config.schema import Config, IgnoringConfig, ModelConfig, TestConfig, TrainConfig
from lib.ignoring.modes import MODES
from lib.ignoring.trainable_model import TrainableModel
from lib.models.pose_resnet import HYPERGRADIENT_LAYERS
from lib.training import cost
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
        middle = nn.Conv2d(16, 16, 3, stride=2, padding=1)
        self.deconv_layers = nn.Sequential(middle, nn.BatchNorm2d(16), nn.ReLU())
        self.final_layer = nn.Conv2d(16, 4, 1)

    def forward(self, x):
        return self.final_layer(self.deconv_layers(self.widen(self.first(x)).relu()))


def make_model(seed, layers):
    torch.manual_seed(seed)
    model = CheapStart().double().train()
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters, lr=1e-3)
    return TrainableModel(model, optimizer, parameters, hypergradient_layers=HYPERGRADIENT_LAYERS[layers])


def flops_of(call):
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


@pytest.fixture
def cheap_start(monkeypatch):
    """`CheapStart` is the network of every configuration."""
    cost._forwards_along.cache_clear()
    monkeypatch.setattr(cost, "build_pose_resnet", lambda model: CheapStart())
    yield
    cost._forwards_along.cache_clear()


@pytest.mark.usefixtures("cheap_start")
@pytest.mark.parametrize("layers", HYPERGRADIENT_LAYERS)
@pytest.mark.parametrize("meta_loop", [1, 2, 3])
@pytest.mark.parametrize(
    ("name", "meta_model"),
    [("ours1", "target"), ("ours2", "target"), ("ours5", "target"), ("ours5", "source")],
)
def test_cost_of_a_step_with_its_hypergradient(name, meta_model, meta_loop, layers):
    lbi = IgnoringConfig(
        meta_loop=meta_loop,
        meta_model=meta_model,
        hypergrad_layers=layers,
        hypergrad_through="optimizer",
        schedule="together",
        val_batch_size=0,
    )
    config, mode = Config(train=TrainConfig(batch_size=BATCH), lbi=lbi), MODES[name]
    (phase,) = phases(config.train, config.lbi, mode)
    target, source = make_model(0, layers), make_model(1, layers) if mode.has_source_model else None
    batches, index, flipped = material(0)
    with torch.no_grad():
        forward = flops_of(lambda: target.model(batches["target"][0]))
    variables, _ = made_variables(name, "online")
    flops = flops_of(
        lambda: take(mode, step_options(lbi), target, source, variables, batches, index, flipped)
    )
    expected = forwards_of_step(config.train, phase) + forwards_of_hypergradient(config, phase)
    assert flops / forward == pytest.approx(expected, rel=0.02)


@pytest.mark.usefixtures("cheap_start")
def test_a_part_costs_its_own_multiplications():
    """By hand, at 16x16: widen 16 * 9 * 256; the middle 16 * 16 * 9 * 64; the last one 16 * 4 * 64."""
    (phase,) = phases(TrainConfig(), IgnoringConfig(), MODES["ours1"])
    first, widen, middle, last = 3 * 256, 16 * 9 * 256, 16 * 16 * 9 * 64, 16 * 4 * 64
    forward = first + widen + middle + last
    # The last layer: its weights. The head: also the middle's weights, and the last layer's input.
    for layers, part in {"final": last, "head": 2 * last + middle}.items():
        lbi = IgnoringConfig(hypergrad_layers=layers, val_batch_size=0)
        config = Config(lbi=lbi, model=ModelConfig(image_size=(16, 16)))
        found = forwards_of_hypergradient(config, phase)
        assert found == pytest.approx(1 + 2 * part / forward)


def test_the_last_layer_of_the_published_network_costs_next_to_nothing():
    """Multiplications of a forward pass at 256x192: 16 heatmaps of 64x48 from 256 channels; all, 5.4e9."""
    model = ModelConfig(image_size=(192, 256), num_joints=16)
    config = Config(model=model, lbi=IgnoringConfig(val_batch_size=0))
    (phase,) = phases(config.train, config.lbi, MODES["ours1"])
    state = torch.get_rng_state()
    found = forwards_of_hypergradient(config, phase)
    assert found == pytest.approx(1 + 2 * 16 * 256 * 64 * 48 / 5.43e9, rel=1e-5)
    assert torch.equal(state, torch.get_rng_state())


def test_sizes_of_source_and_validation_batches():
    """Source batches of 3 and validation batches of 2 target batches: 3 F for a gradient, 2 F for a tangent."""
    lbi = IgnoringConfig(meta_loop=2, val_batch_size=20, hypergrad_layers="all", schedule="together")
    config = Config(train=TrainConfig(batch_size=10, src_batch_size=30), lbi=lbi)
    (phase,) = phases(config.train, config.lbi, MODES["ours1"])
    assert forwards_of_step(config.train, phase) == 3 + 3 * 3
    assert forwards_of_hypergradient(config, phase) == 2 * (3 * 2 + 2 * 3) + 3 * 3
    (phase,) = phases(config.train, config.lbi, MODES["baseline4"])
    assert forwards_of_step(config.train, phase) == 3 + 2 * 3 * 3
    assert forwards_of_hypergradient(config, phase) == 0


def test_validation_and_hours():
    config = Config(train=TrainConfig(batch_size=10), test=TestConfig(flip_test=True))
    assert forwards_of_validation(config.train, config.test, 50) == 10
    run = Cost(steps=3, training=50.0, validation=10.0, source_passes=1.0)
    assert run.forwards == 60 and run.hours(120.0) == 2
