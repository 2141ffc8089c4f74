"""The tangent beside a forward pass against torch's forward mode, backward passes and finite differences."""

import copy

import pytest
import torch
from torch import nn

from lib.ignoring.forward_mode import jvp_pass
from lib.ignoring.hypergradient import jvp_by_torch, losses_and_jvp
from lib.ignoring.trainable_model import frozen_batchnorm
from lib.models.pose_resnet import DeconvHead
from tests.factories.jvp_cases import Around, batch_and_direction, by_backward, learner_of, trained_resnet
from tests.factories.setups import SmallPoseNet, as_batch


def drawn(model, **options):
    """A Batch for ``model`` and a direction of its parameters."""
    tensors, direction = batch_and_direction(model, **options)
    return as_batch(*tensors), direction


def assert_same(found, expected, tolerance=1e-10):
    assert expected.norm() > 0
    assert (found - expected).norm() / expected.norm() < tolerance


NETWORKS = {
    "10": lambda: trained_resnet(10),
    "18": lambda: trained_resnet(18),
    "50": lambda: trained_resnet(50),
    "50 caffe": lambda: trained_resnet(50, style="caffe"),
    "biases and final 3x3": lambda: trained_resnet(
        10, head=DeconvHead((6, 5), (2, 3), bias=True, final_kernel=3)
    ),
    "no head": lambda: trained_resnet(10, head=DeconvHead((), ())),
}


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_equals_torchs_forward_mode_and_backward_passes(network, training, channels_last):
    model = network().train(training)
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
    made = learner_of(model)
    assert made.jvp_pass is not None
    batch, direction = drawn(model)
    before = copy.deepcopy(batch.images), copy.deepcopy(direction)
    with frozen_batchnorm(model):
        losses, tangent = losses_and_jvp(made, batch, direction)
        assert torch.equal(losses, made.losses(batch))
    assert losses.requires_grad and not tangent.requires_grad
    assert_same(tangent, jvp_by_torch(made, batch, direction))
    assert_same(tangent, by_backward(made, batch, direction))
    torch.testing.assert_close((batch.images, direction), before, rtol=0, atol=0)


@pytest.mark.parametrize("network", [NETWORKS["10"], NETWORKS["50"], SmallPoseNet], ids=["10", "50", "small"])
def test_equals_finite_differences(network):
    torch.manual_seed(0)
    model = network().double()
    made = learner_of(model)
    batch, direction = drawn(model)
    _, tangent = losses_and_jvp(made, batch, direction)

    def moved(step):
        with (
            torch.no_grad(),
            made.swapped_parameters([p + step * d for p, d in zip(made.parameters, direction)]),
        ):
            return made.losses(batch)

    step = 1e-8  # small, so that no ReLU changes sign on the way
    assert_same(tangent, (moved(step) - moved(-step)) / (2 * step), 1e-4)


@pytest.mark.parametrize("network", [NETWORKS["10"], NETWORKS["50"], SmallPoseNet], ids=["10", "50", "small"])
def test_the_forward_pass_is_the_models_own(network):
    """The same losses, gradients and running statistics, to the last bit."""
    model = network().double()
    made, other = learner_of(model), learner_of(copy.deepcopy(model))
    batch, direction = drawn(model)
    for _ in range(2):
        losses, _ = losses_and_jvp(made, batch, direction)
        expected = other.losses(batch)
        torch.testing.assert_close(losses, expected, rtol=0, atol=0)
        found, wanted = made.local_gradient(losses.sum()), other.local_gradient(expected.sum())
        torch.testing.assert_close(found, wanted, rtol=0, atol=0)
    torch.testing.assert_close(made.model.state_dict(), other.model.state_dict(), rtol=0, atol=0)


LAYERS = {
    "conv": nn.Conv2d(3, 4, 3, 2, padding=1, dilation=2),
    "grouped": nn.Conv2d(3, 6, 3, groups=3, padding_mode="circular", padding=1),
    "deconv": nn.ConvTranspose2d(3, 4, 3, 2, padding=1, output_padding=1),
    "batch norm without weights": nn.BatchNorm2d(3, affine=False),
    "batch norm without statistics": nn.BatchNorm2d(3, track_running_stats=False),
    "batch norm with the mean of all statistics": nn.BatchNorm2d(3, momentum=None),
    "relu": nn.ReLU(),
    "relu in place": nn.ReLU(inplace=True),
    "max pool": nn.MaxPool2d(3, 2, padding=1, ceil_mode=True),
    "overlapping max pool": nn.MaxPool2d(3, 1),
}


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize(
    "name, again",
    [(name, False) for name in LAYERS]
    + [(name, True) for name in LAYERS if name.startswith("batch") or name == "relu"],
)
def test_every_kind_of_layer(name, again, training):
    torch.manual_seed(0)
    model = Around(LAYERS[name], 3, again).double().train(training)
    made = learner_of(model)
    assert made.jvp_pass is not None
    batch, direction = drawn(model, size=(8, 9))  # 8: the last window of max pool is cut
    other = copy.deepcopy(model)
    _, tangent = losses_and_jvp(made, batch, direction)
    other(batch.images)
    torch.testing.assert_close(model.state_dict(), other.state_dict(), rtol=0, atol=0)
    assert_same(tangent, by_backward(made, batch, direction))


COURSES = {
    "the first summand is read again": lambda x, a, b: (a + b) + a,
    "the second summand is read again": lambda x, a, b: (a + b) + b,
    "the images are a summand": lambda x, a, b: torch.relu(x + a) + a + b,
    "the output is read again and not used": lambda x, a, b: (y := a + b, torch.relu(y))[0],
}


class Branches(nn.Module):
    """Two convolutions of the images ``x``, and a function of the three."""

    def __init__(self, course):
        super().__init__()
        self.a, self.b, self.course = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 3, padding=1), course

    def forward(self, x):
        return self.course(x, self.a(x), self.b(x))


@pytest.mark.parametrize("course", COURSES.values(), ids=COURSES)
def test_no_tangent_is_overwritten_or_freed_that_is_read_later(course):
    torch.manual_seed(0)
    made = learner_of(Branches(course).double())
    assert made.jvp_pass is not None
    batch, direction = drawn(made.model, size=(5, 6))
    _, tangent = losses_and_jvp(made, batch, direction)
    assert_same(tangent, by_backward(made, batch, direction))


class Foreign(nn.Module):
    """A network with a layer, or a course, that has no rule."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.first, self.norm, self.last = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1)
        self.act = nn.GELU() if kind == "layer" else nn.ReLU()
        if kind == "parametrised":
            nn.utils.parametrize.register_parametrization(self.first, "weight", nn.Tanh())
        if kind == "hook":
            self.act.register_forward_hook(lambda layer, given, made: 2 * made)

    def forward(self, x):
        x = self.act(self.norm(self.first(x)))
        if self.kind == "operation":
            x = x * 2.0
        if self.kind == "course" and x.sum() > 1e9:
            x = -x
        return self.last(x)


@pytest.mark.parametrize("kind", ["layer", "operation", "course", "parametrised", "hook"])
def test_any_other_network_falls_back_on_torchs_forward_mode(kind):
    torch.manual_seed(0)
    model = Foreign(kind).double()
    assert jvp_pass(model) is None and jvp_pass(Foreign("none")) is not None
    made, other = learner_of(model), copy.deepcopy(model)
    batch, direction = drawn(model, size=(9, 9))
    losses, tangent = losses_and_jvp(made, batch, direction)
    assert_same(tangent, by_backward(made, batch, direction))
    assert losses.requires_grad and not tangent.requires_grad
    assert torch.equal(losses, batch.losses(other(batch.images)))
    torch.testing.assert_close(model.state_dict(), other.state_dict(), rtol=0, atol=0)
