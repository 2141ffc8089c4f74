"""Synchronized BatchNorm in a single process against torch's BatchNorm; test_several_processes.py has several."""

import copy

import pytest
import torch
from torch import nn
from torch.func import jvp

from lib.ignoring.sync_batchnorm import SyncBatchNorm2d, convert_sync_batchnorm
from lib.utils.distributed import ALONE

CHANNELS = 3


def layers(momentum=0.1, **options):
    """The same layer by torch and synchronized, with neither fresh parameters nor fresh statistics."""
    torch.manual_seed(0)
    layer = nn.BatchNorm2d(CHANNELS, momentum=momentum, **options).double()
    nn.init.normal_(layer.weight, 1, 0.2)
    nn.init.normal_(layer.bias, 0, 0.2)
    if layer.track_running_stats:
        layer.running_mean.normal_()
        layer.running_var.uniform_(0.5, 2)
    return layer, SyncBatchNorm2d.from_layer(copy.deepcopy(layer), ALONE)


def values(seed=0, count=2):
    generator = torch.Generator().manual_seed(seed)
    return 0.5 + 2 * torch.randn(count, CHANNELS, 2, 3, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("momentum", [0.1, 0.3, None])
def test_outputs_and_running_statistics_over_three_passes(momentum):
    """12 values for each channel, so the variance of running statistics differs by 12 / 11 from the batch's."""
    plain, synchronized = layers(momentum)
    for seed in range(3):
        torch.testing.assert_close(synchronized(values(seed)), plain(values(seed)))
    torch.testing.assert_close(synchronized.state_dict(), plain.state_dict())
    plain.eval(), synchronized.eval()
    torch.testing.assert_close(synchronized(values(3)), plain(values(3)))


def test_gradients():
    gradients = []
    for layer in layers():
        x = values().requires_grad_()
        loss = (layer(x) * values(seed=1)).sum()
        gradients.append(torch.autograd.grad(loss, [x, layer.weight, layer.bias]))
    torch.testing.assert_close(gradients[1], gradients[0])


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_sums_give_the_jvp():
    """dy = gamma / sd * (dx - mean(dx) - n mean(n dx)) with the means that `sums` returns."""
    plain, synchronized = layers(track_running_stats=False)
    x, dx = values(), values(seed=1)
    _, expected = jvp(plain, (x,), (dx,))
    statistics = synchronized.normalized(x)
    products, total = (part.view(1, -1, 1, 1) for part in synchronized.sums(dx, x, statistics))
    mean, inverse_sd = (number.view(1, -1, 1, 1) for number in (statistics.mean, statistics.inverse_sd))
    n, gamma = (x - mean) * inverse_sd, synchronized.weight.view(1, -1, 1, 1)
    found = gamma * inverse_sd * (dx - (total + n * products) / statistics.count)
    torch.testing.assert_close(found, expected)


def test_half_precision_keeps_its_type_and_computes_in_that_of_the_weight():
    plain, synchronized = (layer.float() for layer in layers())
    x = values().to(torch.bfloat16)
    found = synchronized(x)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found, plain(x.float()).to(torch.bfloat16))
    torch.testing.assert_close(synchronized.running_mean, plain.running_mean)


def test_converts_every_batchnorm2d_and_keeps_its_state():
    model = nn.Sequential(
        nn.BatchNorm2d(2), nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3)), nn.BatchNorm1d(4)
    )
    model[1][1].eval()
    before, weight = copy.deepcopy(model.state_dict()), model[0].weight
    convert_sync_batchnorm(model, ALONE)
    assert [type(layer) for layer in (model[0], model[1][1], model[2])] == [SyncBatchNorm2d] * 2 + [
        nn.BatchNorm1d
    ]
    assert model[0].weight is weight and model[0].training and not model[1][1].training
    torch.testing.assert_close(model.state_dict(), before)
