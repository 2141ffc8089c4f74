"""look_ahead against the steps that torch's optimisers take, and its derivative against three oracles:
autograd of a differentiable step, a closed form, and difference quotients in 60-digit decimals."""

import copy
import math
from decimal import Decimal, localcontext

import pytest
import torch

from lib.ignoring.lookahead import look_ahead, norm
from tests.reference import unrolled

LR = 1e-2
OPTIMIZERS = {
    "adam": lambda p, wd: torch.optim.Adam(p, lr=LR, betas=(0.8, 0.95), weight_decay=wd),
    "adamw": lambda p, wd: torch.optim.AdamW(p, lr=LR, weight_decay=wd),
    "sgd": lambda p, wd: torch.optim.SGD(p, lr=LR, weight_decay=wd),
    "momentum": lambda p, wd: torch.optim.SGD(p, lr=LR, momentum=0.9, weight_decay=wd),
    "dampening": lambda p, wd: torch.optim.SGD(p, lr=LR, momentum=0.9, dampening=0.3, weight_decay=wd),
    "nesterov": lambda p, wd: torch.optim.SGD(p, lr=LR, momentum=0.9, nesterov=True, weight_decay=wd),
}
SHAPES = [(3, 4), (5,), ()]


def optimizer_parameters(optimizer):
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def noise(seed, shapes=SHAPES, dtype=torch.float64):
    """Values of every size from 1e-7 to 10, of both signs."""
    rng = torch.Generator().manual_seed(seed)
    return [
        torch.randn(s, generator=rng, dtype=dtype) * 10 ** (-7 * torch.rand(s, generator=rng, dtype=dtype))
        for s in shapes
    ]


def take(optimizer, gradients):
    """What torch does."""
    for parameter, gradient in zip(optimizer_parameters(optimizer), gradients):
        parameter.grad = gradient.clone()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def made(name, decay, warm, dtype=torch.float64):
    rng = torch.Generator().manual_seed(7)
    parameters = [torch.randn(s, generator=rng, dtype=dtype).requires_grad_() for s in SHAPES]
    optimizer = OPTIMIZERS[name](parameters, decay)
    for i in range(warm):
        take(optimizer, noise(50 + i, dtype=dtype))
    return optimizer


def truly_stepped(optimizer, gradients):
    other = copy.deepcopy(optimizer)
    take(other, gradients)
    return [p.detach() for p in optimizer_parameters(other)]


def over_the_grid(test):
    test = pytest.mark.parametrize("name", OPTIMIZERS)(test)
    test = pytest.mark.parametrize("decay", [0.0, 0.1], ids=["plain", "decay"])(test)
    return pytest.mark.parametrize("warm", [0, 1, 4])(test)


@over_the_grid
def test_goes_where_torch_goes(name, decay, warm):
    optimizer, gradients = made(name, decay, warm), noise(1)
    expected = truly_stepped(optimizer, gradients)
    torch.testing.assert_close(look_ahead(optimizer, gradients).parameters, expected, rtol=1e-12, atol=1e-12)


@over_the_grid
def test_goes_where_torch_goes_in_single_precision(name, decay, warm):
    optimizer, gradients = made(name, decay, warm, torch.float32), noise(1, dtype=torch.float32)
    expected = truly_stepped(optimizer, gradients)
    found = look_ahead(optimizer, gradients)
    torch.testing.assert_close(found.parameters, expected, rtol=3e-7, atol=1e-7)
    assert all(d.dtype == torch.float32 for d in found.derivative)


@over_the_grid
def test_derivative_equals_autograd(name, decay, warm):
    optimizer, gradients = made(name, decay, warm), noise(1)
    (group,) = optimizer.param_groups
    states = [optimizer.state[p] for p in group["params"]]
    weights = [p.detach() for p in group["params"]]
    leaves = [g.clone().requires_grad_() for g in gradients]
    if name == "adamw":  # its decay takes a share of the weight beside Adam's step
        weights, decay = [w * (1 - LR * decay) for w in weights], 0.0
    if name.startswith("adam"):
        moments = [(s["exp_avg"], s["exp_avg_sq"]) for s in states] if warm else None
        stepped = unrolled.adam(weights, leaves, moments, warm + 1, LR, group["betas"], group["eps"], decay)
    else:
        buffers = [s["momentum_buffer"] for s in states] if warm and group["momentum"] else None
        # A step without a buffer is taken undamped.
        dampening = group["dampening"] if buffers else 0.0
        buffers = buffers or [torch.zeros_like(w) for w in weights]
        stepped = unrolled.sgd(
            weights, leaves, buffers, LR, group["momentum"], dampening, group["nesterov"], decay
        )
    expected = [-d for d in torch.autograd.grad(sum(w.sum() for w in stepped), leaves)]
    found = look_ahead(optimizer, gradients)
    torch.testing.assert_close(found.parameters, [w.detach() for w in stepped], rtol=1e-12, atol=1e-12)
    # Autograd subtracts two nearly equal terms where |g| >> eps, and is itself off by about 1e-16 |g| / eps.
    torch.testing.assert_close(found.derivative, expected, rtol=1e-6, atol=0)


def test_derivatives_of_sgd_by_hand():
    # (first step, later steps), over the learning rate
    shares = {"sgd": (1, 1), "momentum": (1, 1), "dampening": (1, 0.7), "nesterov": (1.9, 1.9)}
    for name, both in shares.items():
        for warm, share in zip((0, 2), both):
            for derivative in look_ahead(made(name, 0.1, warm), noise(1)).derivative:
                torch.testing.assert_close(derivative, torch.full_like(derivative, LR * share))


def decimal_derivative(g, m, v, step, lr, betas, eps):
    """dU/dg of Adam as a difference quotient in 60 digits."""
    with localcontext() as context:
        context.prec = 60
        g, m, v, lr, b1, b2, eps = (Decimal(float(x)) for x in (g, m, v, lr, *betas, eps))

        def move(g):
            m_hat = (b1 * m + (1 - b1) * g) / (1 - b1**step)
            v_hat = (b2 * v + (1 - b2) * g * g) / (1 - b2**step)
            return lr * m_hat / (v_hat.sqrt() + eps)

        h = Decimal("1e-24") * max(abs(g), Decimal("1e-8"))
        return float((move(g + h) - move(g - h)) / (2 * h))


def naive_adam_derivative(g, m, v, step, lr, betas, eps):
    """The quotient rule as it comes: lr * ((dm'/c1) / (r + eps) - (m'/c1) dr / (r + eps)^2)."""
    b1, b2 = betas
    c1, c2 = 1 - b1**step, 1 - b2**step
    new_m, new_v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
    r = (new_v / c2).sqrt()
    return lr * ((1 - b1) / c1 / (r + eps) - new_m / c1 * (1 - b2) * g / (c2 * r) / (r + eps) ** 2)


def adam_derivatives(dtype, warm):
    """(look_ahead's, the naive formula's, the 60-digit) dU/dg for 40 gradients between 1e-7 and 10."""
    parameter = torch.zeros(40, dtype=dtype, requires_grad=True)
    optimizer = torch.optim.Adam([parameter], lr=1e-3)
    for i in range(warm):
        take(optimizer, noise(20 + i, [(40,)], dtype))
    (gradient,) = noise(1, [(40,)], dtype)
    state = optimizer.state[parameter] if warm else {}
    m, v = (state.get(k, torch.zeros_like(gradient)) for k in ("exp_avg", "exp_avg_sq"))
    arguments = (warm + 1, 1e-3, (0.9, 0.999), 1e-8)
    exact = [decimal_derivative(*each, *arguments) for each in zip(gradient, m, v)]
    (found,) = look_ahead(optimizer, [gradient]).derivative
    naive = naive_adam_derivative(gradient, m, v, *arguments)
    return found.double(), naive.double(), torch.tensor(exact, dtype=torch.float64)


def worst(found, exact):
    return float(((found - exact) / exact).abs().max())


@pytest.mark.parametrize("warm", [0, 1, 5])
@pytest.mark.parametrize("dtype, error", [(torch.float32, 2e-6), (torch.float64, 1e-13)])
def test_adams_derivative_is_exact_to_the_last_digits(dtype, error, warm):
    found, _, exact = adam_derivatives(dtype, warm)
    assert worst(found, exact) < error


def test_the_obvious_formula_would_not_do_in_single_precision():
    found, naive, exact = adam_derivatives(torch.float32, warm=0)
    assert worst(naive, exact) > 1e-4
    assert worst(found, exact) < 1e-6
    # The naive formula is right, only inaccurate.
    _, naive, exact = adam_derivatives(torch.float64, warm=0)
    assert worst(naive, exact) < 1e-6


def test_fresh_adam_has_a_closed_form():
    gradients = noise(1)
    found = look_ahead(made("adam", 0.0, 0), gradients).derivative
    expected = [LR * 1e-8 / (g.abs() + 1e-8) ** 2 for g in gradients]
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_zero_gradient_on_fresh_adam(name, dtype):
    optimizer = made(name, 0.0, 0, dtype)
    found = look_ahead(optimizer, [torch.zeros(s, dtype=dtype) for s in SHAPES])
    for moved, parameter in zip(found.parameters, optimizer_parameters(optimizer)):
        assert torch.equal(moved, parameter)
    for derivative in found.derivative:
        torch.testing.assert_close(derivative, torch.full_like(derivative, LR / 1e-8), rtol=1e-6, atol=0)


def test_gradient_too_small_to_square_keeps_the_derivative_finite():
    optimizer = made("adam", 0.0, 0, torch.float32)
    found = look_ahead(optimizer, [torch.full(s, 1e-25) for s in SHAPES])
    for derivative in found.derivative:
        torch.testing.assert_close(derivative, torch.full_like(derivative, LR / 1e-8), rtol=1e-6, atol=0)


GROUPS = {
    "adam": (torch.optim.Adam, dict(lr=1e-3), dict(lr=0.1, betas=(0.5, 0.7), eps=1e-3, weight_decay=0.1)),
    "adamw": (torch.optim.AdamW, dict(lr=1e-3), dict(lr=0.1, betas=(0.5, 0.7), weight_decay=0.3)),
    "sgd": (torch.optim.SGD, dict(lr=1e-3), dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1)),
}


@pytest.mark.parametrize("warm", [0, 3])
@pytest.mark.parametrize("kind, first, second", GROUPS.values(), ids=GROUPS)
def test_every_group_by_its_own_settings(kind, first, second, warm):
    parameters = [p.requires_grad_() for p in noise(2)]
    together = kind([dict(params=parameters[:2], **first), dict(params=parameters[2:], **second)], lr=1.0)
    copies = copy.deepcopy(parameters)
    apart = [kind(copies[:2], **first), kind(copies[2:], **second)]
    for i in range(warm):
        gradients = noise(30 + i)
        take(together, gradients)
        take(apart[0], gradients[:2])
        take(apart[1], gradients[2:])
    gradients = noise(1)
    found = look_ahead(together, gradients)
    expected = truly_stepped(together, gradients)
    torch.testing.assert_close(found.parameters, expected, rtol=1e-12, atol=1e-12)
    alone = look_ahead(apart[0], gradients[:2]).derivative + look_ahead(apart[1], gradients[2:]).derivative
    torch.testing.assert_close(found.derivative, alone, rtol=1e-12, atol=0)
    assert [id(p) for p in optimizer_parameters(together)] == [id(p) for p in parameters]


def test_follows_a_changed_learning_rate():
    optimizer, gradients = made("adam", 0.0, 3), noise(1)
    (slope, *_) = look_ahead(optimizer, gradients).derivative
    optimizer.param_groups[0]["lr"] /= 10
    found = look_ahead(optimizer, gradients)
    torch.testing.assert_close(found.parameters, truly_stepped(optimizer, gradients), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found.derivative[0], slope / 10)


@over_the_grid
def test_leaves_no_trace(name, decay, warm):
    optimizer, gradients = made(name, decay, warm), noise(1)
    parameters = optimizer_parameters(optimizer)
    kept, entries = copy.deepcopy((parameters, gradients, optimizer.state_dict())), len(optimizer.state)
    found = look_ahead(optimizer, gradients)
    for tensor in found.parameters + found.derivative:
        assert not tensor.requires_grad
        tensor.fill_(math.nan)  # nor may the answers share memory with anything
    torch.testing.assert_close((parameters, gradients, optimizer.state_dict()), kept, rtol=0, atol=0)
    assert all(p.grad is None for p in parameters)
    assert len(optimizer.state) == entries


@pytest.mark.parametrize(
    "kind, options",
    [
        (torch.optim.Adam, dict(amsgrad=True)),
        (torch.optim.AdamW, dict(amsgrad=True)),
        (torch.optim.Adam, dict(maximize=True)),
        (torch.optim.SGD, dict(maximize=True)),
        (torch.optim.RMSprop, {}),
        (torch.optim.Adagrad, {}),
        (torch.optim.Adamax, {}),
        (torch.optim.NAdam, {}),
        (torch.optim.RAdam, {}),
    ],
)  # fmt: skip
def test_refuses_what_it_does_not_know(kind, options):
    parameter = torch.zeros(2, requires_grad=True)
    with pytest.raises(ValueError, match="no look-ahead for"):
        look_ahead(kind([parameter], lr=0.1, **options), [torch.ones(2)])


def test_older_adamw_is_known_by_its_class():
    """In older versions of torch no key of the group tells AdamW's decay from Adam's."""
    optimizer, gradients = made("adamw", 0.1, 2), noise(1)
    expected = truly_stepped(optimizer, gradients)
    optimizer.param_groups[0].pop("decoupled_weight_decay", None)
    torch.testing.assert_close(look_ahead(optimizer, gradients).parameters, expected, rtol=1e-12, atol=1e-12)


def test_norm_of_a_list():
    assert norm([torch.tensor([3.0, 0.0]), torch.tensor([[4.0]]), torch.tensor(12.0)]) == 13.0
    # 1 + 1e-10 is 1 in single precision
    assert float(norm([torch.tensor([1.0]), torch.tensor([1e-5])])) == pytest.approx(
        math.sqrt(1 + 1e-10), rel=1e-13
    )
