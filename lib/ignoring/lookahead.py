"""The step an optimiser would take, and its derivative by the gradient, without taking it."""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer

from lib.utils.profile import profiled


class LookAhead(NamedTuple):
    """parameters: w' = w - U(g).   derivative: D = dU/dg, elementwise. Both in optimiser order."""

    parameters: list[Tensor]
    derivative: list[Tensor]


@profiled("look-ahead")
@torch.no_grad()
def look_ahead(optimizer: Optimizer, gradients: list[Tensor]) -> LookAhead:
    """Where ``optimizer.step()`` would go from here with ``gradients``, and how that depends on them.

    Reads the optimiser's state (moments, step count, weight decay) and changes nothing.
    Knows torch's Adam, AdamW and SGD; ValueError for others and for amsgrad and maximize.
    """
    if not isinstance(optimizer, (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)):
        raise ValueError(f"no look-ahead for {type(optimizer).__name__}: expected Adam, AdamW or SGD")
    parameters, derivative, start = [], [], 0
    for group in optimizer.param_groups:
        # Older versions of torch tell AdamW's decay from Adam's by the class alone.
        group = {"decoupled_weight_decay": isinstance(optimizer, torch.optim.AdamW), **group}
        if group.get("amsgrad") or group.get("maximize"):
            raise ValueError("no look-ahead for amsgrad or maximize")
        count = len(group["params"])
        part = gradients[start : start + count]
        states = [optimizer.state.get(parameter, {}) for parameter in group["params"]]
        step = _sgd if isinstance(optimizer, torch.optim.SGD) else _adam
        moved, slope = step(group, [p.detach() for p in group["params"]], part, states)
        parameters += moved
        derivative += slope
        start += count
    return LookAhead(parameters, derivative)


def _adam(group: dict, weights: list[Tensor], gradients: list[Tensor], states: list[dict]):
    """Kingma & Ba (arXiv 1412.6980) with torch's place of eps.

    D = lr/c1 * ((1-b1) eps + [(1-b1) b2 v - (1-b2) b1 m g] / (r c2)) / (r + eps)^2, the bracket 0
    where r = 0: equal to dU/dg, but without its cancellation (3e-3 off in float32 at a fresh state).
    """
    lr, (b1, b2), eps, decay = float(group["lr"]), group["betas"], group["eps"], group["weight_decay"]
    step = 1 + (float(states[0]["step"]) if states[0] else 0)
    c1, c2 = 1 - b1**step, 1 - b2**step
    if states[0]:
        first = [state["exp_avg"] for state in states]
        second = [state["exp_avg_sq"] for state in states]
    else:
        first = second = [torch.zeros_like(g) for g in gradients]
    if decay and group["decoupled_weight_decay"]:
        weights = torch._foreach_mul(weights, 1 - lr * decay)
    elif decay:
        gradients = torch._foreach_add(gradients, weights, alpha=decay)

    new_second = torch._foreach_mul(second, b2)
    torch._foreach_addcmul_(new_second, gradients, gradients, 1 - b2)
    root = torch._foreach_div(new_second, c2)
    torch._foreach_sqrt_(root)

    slope = torch._foreach_mul(second, (1 - b1) * b2)
    torch._foreach_addcmul_(slope, first, gradients, -(1 - b2) * b1)
    torch._foreach_div_(slope, root)
    for s, r in zip(slope, root):
        s.masked_fill_(r == 0, 0)
    torch._foreach_div_(slope, c2)
    torch._foreach_add_(slope, (1 - b1) * eps)

    torch._foreach_add_(root, eps)
    for _ in range(2):
        torch._foreach_div_(slope, root)
    torch._foreach_mul_(slope, lr / c1)

    new_first = torch._foreach_mul(first, b1)
    torch._foreach_add_(new_first, gradients, alpha=1 - b1)
    return torch._foreach_addcdiv(weights, new_first, root, -lr / c1), slope


def _sgd(group: dict, weights: list[Tensor], gradients: list[Tensor], states: list[dict]):
    """SGD is affine in the gradient: D is lr times what of g reaches the step."""
    lr, momentum, decay = float(group["lr"]), group["momentum"], group["weight_decay"]
    if decay:
        gradients = torch._foreach_add(gradients, weights, alpha=decay)
    step, share = gradients, 1.0
    if momentum:
        if states[0].get("momentum_buffer") is not None:  # torch's first step takes g undamped
            share = 1 - group["dampening"]
            step = torch._foreach_mul([state["momentum_buffer"] for state in states], momentum)
            torch._foreach_add_(step, gradients, alpha=share)
        if group["nesterov"]:
            step, share = torch._foreach_add(gradients, step, alpha=momentum), 1 + momentum * share
    slope = [torch.full_like(weight, lr * share) for weight in weights]
    return torch._foreach_add(weights, step, alpha=-lr), slope


def norm(tensors: list[Tensor]) -> float:
    """Euclidean norm of a list of tensors, summed in double precision."""
    norms = torch.stack([n.double() for n in torch._foreach_norm(tensors)])
    return math.sqrt(float(norms.square().sum()))
