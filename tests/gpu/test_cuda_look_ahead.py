"""The look-ahead on CUDA against the steps that torch's fused Adam takes there, and its derivative."""

import copy

import pytest
import torch

from lib.ignoring.lookahead import look_ahead
from tests.gpu.on_device import DEVICE, NEEDS_DEVICE, on_cpu, on_device, relative_error
from tests.reference import unrolled

pytestmark = NEEDS_DEVICE

LR, SHAPES = 1e-2, [(3, 4), (5,), (70, 41)]
KINDS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def noise(seed, dtype=torch.float64):
    """Values of every size from 1e-7 to 10, of both signs, on the device."""
    rng = torch.Generator().manual_seed(seed)
    drawn = (
        torch.randn(s, generator=rng).double() * 10 ** (-7 * torch.rand(s, generator=rng)) for s in SHAPES
    )
    return [values.to(DEVICE, dtype) for values in drawn]


def step(optimizer, gradients):
    """What torch does."""
    (group,) = optimizer.param_groups
    for parameter, gradient in zip(group["params"], gradients):
        parameter.grad = gradient.clone()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def fused(name, decay, warm, dtype=torch.float64):
    """A fused optimiser after ``warm`` steps on noise."""
    parameters = [values.requires_grad_() for values in noise(7, dtype)]
    optimizer = KINDS[name](parameters, lr=LR, weight_decay=decay, fused=True)
    for i in range(warm):
        step(optimizer, noise(50 + i, dtype))
    return optimizer


def parameters_of(optimizer):
    return optimizer.param_groups[0]["params"]


def stepped(optimizer, gradients):
    """The parameters after torch's own step, taken by a copy."""
    other = copy.deepcopy(optimizer)
    step(other, gradients)
    return [p.detach() for p in parameters_of(other)]


over_the_grid = [
    pytest.mark.parametrize("name", KINDS),
    pytest.mark.parametrize("decay", [0.0, 0.1], ids=["plain", "decay"]),
    pytest.mark.parametrize("warm", [0, 1, 4]),
]


def on_the_grid(test):
    for mark in over_the_grid:
        test = mark(test)
    return test


@on_the_grid
# Parameters up to 3: in float32 they are rounded to 2.4e-7.
@pytest.mark.parametrize(
    "dtype, error, rounding", [(torch.float64, 1e-12, 1e-14), (torch.float32, 1e-6, 2.4e-7)]
)
def test_goes_where_fused_adam_goes(dtype, error, rounding, name, decay, warm):
    optimizer, gradients = fused(name, decay, warm, dtype), noise(1, dtype)
    before = copy.deepcopy((parameters_of(optimizer), optimizer.state_dict()))
    found = look_ahead(optimizer, gradients).parameters
    torch.testing.assert_close((parameters_of(optimizer), optimizer.state_dict()), before, rtol=0, atol=0)
    for moved, expected, start in zip(found, stepped(optimizer, gradients), parameters_of(optimizer)):
        torch.testing.assert_close(moved, expected, rtol=error, atol=rounding)
        # The step itself, too, which is far smaller than the parameters.
        assert relative_error(moved - start, expected - start) < 1e4 * error


@on_the_grid
def test_derivative_equals_autograd_on_the_cpu(name, decay, warm):
    optimizer, gradients = fused(name, decay, warm), noise(1)
    found = look_ahead(optimizer, gradients).derivative
    (group,) = optimizer.param_groups
    states = [optimizer.state[p] for p in group["params"]]
    moments = [(on_cpu(s["exp_avg"]), on_cpu(s["exp_avg_sq"])) for s in states] if warm else None
    weights = on_cpu(list(group["params"]))
    if name == "adamw":  # its decay takes a share of the weight beside Adam's step
        weights, decay = [w * (1 - LR * decay) for w in weights], 0.0
    leaves = [g.requires_grad_() for g in on_cpu(gradients)]
    moved = unrolled.adam(weights, leaves, moments, warm + 1, LR, group["betas"], group["eps"], decay)
    expected = [-d for d in torch.autograd.grad(sum(w.sum() for w in moved), leaves)]
    # Autograd subtracts nearly equal terms where |g| >> eps, and is itself off by about 1e-16 |g| / eps.
    torch.testing.assert_close(on_cpu(found), expected, rtol=1e-6, atol=0)


def test_derivative_equals_finite_differences_of_fused_adam():
    optimizer, gradients = fused("adam", 0.0, 4), noise(1)
    with torch.no_grad():
        for parameter in parameters_of(optimizer):
            parameter.zero_()  # so that differences of parameters are differences of steps, digit for digit
    widths = [1e-5 * gradient.abs() for gradient in gradients]
    above, below = (stepped(optimizer, [g + sign * h for g, h in zip(gradients, widths)]) for sign in (1, -1))
    quotients = [(b - a) / (2 * h) for a, b, h in zip(above, below, widths)]
    assert relative_error(look_ahead(optimizer, gradients).derivative, quotients) < 1e-6


def test_single_precision_keeps_the_derivatives_digits():
    optimizer, gradients = fused("adam", 0.0, 4), noise(1)
    expected = look_ahead(optimizer, gradients).derivative
    single = fused("adam", 0.0, 0, torch.float32)
    single.load_state_dict(optimizer.state_dict())
    with torch.no_grad():
        for mine, other in zip(parameters_of(single), parameters_of(optimizer)):
            mine.copy_(other)
    found = look_ahead(single, [g.float() for g in gradients]).derivative
    assert all(d.dtype == torch.float32 and d.device == on_device(d).device for d in found)
    assert relative_error(found, expected) < 1e-5
