"""The tangent beside a forward pass on CUDA against torch.autograd.forward_ad, and backward passes."""

import copy

import pytest
import torch
import torch.autograd.forward_ad as forward_ad
from torch import nn
from torch.func import functional_call

from lib.ignoring.hypergradient import jvp_by_torch, losses_and_jvp
from lib.ignoring.trainable_model import frozen_batchnorm
from lib.models.pose_resnet import DeconvHead
from tests.factories.jvp_cases import Around, batch_and_direction, by_backward, learner_of, trained_resnet
from tests.factories.setups import SmallPoseNet, as_batch
from tests.gpu.on_device import NEEDS_DEVICE, on_cpu, on_device, relative_error

pytestmark = NEEDS_DEVICE

HEAD = DeconvHead((12, 8), (4, 3))
NETWORKS = {
    "resnet 10": lambda: trained_resnet(10, width=8, head=HEAD),
    "resnet 50": lambda: trained_resnet(50, head=HEAD),
    "caffe": lambda: trained_resnet(50, head=HEAD, style="caffe"),
    "biases, final 3x3": lambda: trained_resnet(
        10, width=8, head=DeconvHead((12, 8), (2, 3), bias=True, final_kernel=3)
    ),
    "small": lambda: SmallPoseNet().double(),
}
LAYERS = {
    "conv": nn.Conv2d(6, 5, 3, 2, 1),
    "grouped conv": nn.Conv2d(6, 6, 3, padding=2, dilation=2, groups=3, bias=False),
    "deconv": nn.ConvTranspose2d(6, 5, 3, 2, 1, output_padding=1),
    "batchnorm": nn.BatchNorm2d(6),
    "batchnorm, not affine": nn.BatchNorm2d(6, affine=False),
    "batchnorm, no statistics": nn.BatchNorm2d(6, track_running_stats=False),
    "batchnorm, neither": nn.BatchNorm2d(6, affine=False, track_running_stats=False),
    "batchnorm, cumulative": nn.BatchNorm2d(6, momentum=None),
    "relu": nn.ReLU(),
    "relu in place": nn.ReLU(inplace=True),
    "max pool": nn.MaxPool2d(3, 2, 1),
}
READ_AGAIN = [name for name in LAYERS if name.startswith("batchnorm") or name == "relu"]


def forward_mode(model, batch, direction):
    """< direction, grad l_ij > [N, J] by torch's forward mode where ``model`` is."""
    images, heatmaps, weight = batch
    with torch.no_grad(), frozen_batchnorm(model), forward_ad.dual_level():
        pairs = zip(model.named_parameters(), direction)
        dual = {name: forward_ad.make_dual(p.detach(), tangent) for (name, p), tangent in pairs}
        outputs = functional_call(model, dual, (images,))
        return forward_ad.unpack_dual(as_batch(images, heatmaps, weight).losses(outputs)).tangent


def check(model, size=(32, 32), channels_last=False):
    """The rules on the device against torch's forward mode there and on the CPU, and the model's own pass."""
    batch, direction = batch_and_direction(model, size)
    expected = forward_mode(copy.deepcopy(model), batch, direction)
    there = copy.deepcopy(model)
    if channels_last:
        there = there.to(memory_format=torch.channels_last)
    made = learner_of(on_device(there))
    assert made.jvp_pass is not None
    images, heatmaps, weight = on_device(batch)
    if channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    given, along = as_batch(images, heatmaps, weight), on_device(direction)

    other = learner_of(copy.deepcopy(made.model))
    by_torch = jvp_by_torch(other, given, along)
    losses, tangent = losses_and_jvp(made, given, along)
    assert relative_error(tangent, expected) < 1e-10
    assert relative_error(by_torch, expected) < 1e-10
    assert relative_error(tangent, by_backward(other, given, along)) < 1e-10
    assert losses.requires_grad and not tangent.requires_grad

    # The same pass as the model's: losses, running statistics, gradients.
    wanted = other.losses(given)
    torch.testing.assert_close(losses, wanted, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        on_cpu(made.model.state_dict()), on_cpu(other.model.state_dict()), rtol=1e-12, atol=1e-12
    )
    found, wanted = made.local_gradient(losses.sum()), other.local_gradient(wanted.sum())
    assert relative_error(found, wanted) < 1e-10


@pytest.mark.parametrize("channels_last", [False, True], ids=["contiguous", "channels last"])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("network", NETWORKS)
def test_networks(network, training, channels_last):
    torch.manual_seed(0)
    check(NETWORKS[network]().train(training), channels_last=channels_last)


@pytest.mark.parametrize("channels_last", [False, True], ids=["contiguous", "channels last"])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize(
    "name, again", [*((name, False) for name in LAYERS), *((name, True) for name in READ_AGAIN)]
)
def test_every_kind_of_layer(name, again, training, channels_last):
    torch.manual_seed(0)
    model = Around(LAYERS[name], 6, again).double().train(training)
    check(model, size=(9, 11), channels_last=channels_last)


@pytest.mark.parametrize("affine", [True, False], ids=["affine", "not affine"])
@pytest.mark.parametrize("channels_last", [False, True], ids=["contiguous", "channels last"])
def test_batchnorm_in_bf16(affine, channels_last):
    """Statistics are in float32 where values are bf16: the tangent is rounded once, at the end."""
    torch.manual_seed(0)
    model = Around(nn.BatchNorm2d(6, affine=affine), 6).double()
    batch, direction = batch_and_direction(model, (16, 16), count=8)
    expected = forward_mode(copy.deepcopy(model), batch, direction)
    single = model.float()
    if channels_last:
        single = single.to(memory_format=torch.channels_last)
    made = learner_of(on_device(single))
    made = type(made)(made.model, made.optimizer, made.parameters, torch.bfloat16)
    images, heatmaps, weight = (part.float() for part in on_device(batch))
    if channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    along = [tangent.float() for tangent in on_device(direction)]
    _, tangent = losses_and_jvp(made, as_batch(images, heatmaps, weight), along)
    assert relative_error(tangent, expected) < 0.05
