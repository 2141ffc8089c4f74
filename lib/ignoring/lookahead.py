"""The step an optimiser would take, and its derivative by the gradient, without taking it."""

import math
from collections.abc import Iterator
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
        moved = [parameter.detach().clone() for parameter in group["params"]]
        slope = [torch.empty_like(parameter) for parameter in moved]
        step(group, moved, slope, part, states)
        parameters += moved
        derivative += slope
        start += count
    return LookAhead(parameters, derivative)


def _adam(
    group: dict, weights: list[Tensor], slopes: list[Tensor], gradients: list[Tensor], states: list[dict]
) -> None:
    """Kingma & Ba (arXiv 1412.6980) with torch's place of eps; moves ``weights`` and fills ``slopes`` with D.

    D = lr/c1 * ((1-b1) eps + [(1-b1) b2 v - (1-b2) b1 m g] / (r c2)) / (r + eps)^2, the bracket 0
    where r = 0: equal to dU/dg, but without its cancellation (3e-3 off in float32 at a fresh state).
    """
    lr, (b1, b2), eps, decay = float(group["lr"]), group["betas"], group["eps"], group["weight_decay"]
    step = 1 + (float(states[0]["step"]) if states[0] else 0)
    c1, c2 = 1 - b1**step, 1 - b2**step
    if states[0]:
        firsts = [state["exp_avg"] for state in states]
        seconds = [state["exp_avg_sq"] for state in states]
    else:
        firsts = seconds = zeros_like(weights)
    for weight, slope, gradient, first, second in pieces(weights, slopes, gradients, firsts, seconds):
        if decay and group["decoupled_weight_decay"]:
            torch._foreach_mul_(weight, 1 - lr * decay)
        elif decay:
            gradient = torch._foreach_add(gradient, weight, alpha=decay)

        root = torch._foreach_mul(second, b2 / c2)
        torch._foreach_addcmul_(root, gradient, gradient, (1 - b2) / c2)
        torch._foreach_sqrt_(root)

        torch._foreach_copy_(slope, second)
        torch._foreach_mul_(slope, (1 - b1) * b2 / c2 * lr / c1)
        torch._foreach_addcmul_(slope, first, gradient, -(1 - b2) * b1 / c2 * lr / c1)
        torch._foreach_div_(slope, root)
        for s in slope:
            s.nan_to_num_(0.0, 0.0, 0.0)  # of a division by 0
        torch._foreach_add_(slope, (1 - b1) * eps * lr / c1)

        torch._foreach_add_(root, eps)
        for _ in range(2):
            torch._foreach_div_(slope, root)

        torch._foreach_addcdiv_(weight, first, root, -lr * b1 / c1)
        torch._foreach_addcdiv_(weight, gradient, root, -lr * (1 - b1) / c1)


def _sgd(
    group: dict, weights: list[Tensor], slopes: list[Tensor], gradients: list[Tensor], states: list[dict]
) -> None:
    """SGD is affine in the gradient: D is lr times what of g reaches the step."""
    lr, momentum, decay = float(group["lr"]), group["momentum"], group["weight_decay"]
    begun = bool(momentum) and states[0].get("momentum_buffer") is not None
    share = 1 - group["dampening"] if begun else 1.0  # torch's first step takes g undamped
    buffers = [state["momentum_buffer"] for state in states] if begun else gradients
    for weight, gradient, buffer in pieces(weights, gradients, buffers):
        if decay:
            gradient = torch._foreach_add(gradient, weight, alpha=decay)
        step = gradient
        if begun:
            step = torch._foreach_mul(buffer, momentum)
            torch._foreach_add_(step, gradient, alpha=share)
        if momentum and group["nesterov"]:
            step = torch._foreach_add(gradient, step, alpha=momentum)
        torch._foreach_add_(weight, step, alpha=-lr)
    reaches = 1 + momentum * share if momentum and group["nesterov"] else share
    for slope in slopes:
        slope.fill_(lr * reaches)


PIECE = 1 << 18  # numbers of each tensor; a handful of such parts stays in a processor's cache


def pieces(*lists: list[Tensor]) -> Iterator[tuple[list[Tensor], ...]]:
    """The same part of every list, as views, one cache-sized part after another.

    Many elementwise operations in a row are then not held up by memory on a CPU. Other devices,
    for which starting many small operations is what takes long, get everything at once.
    """
    if lists[0] and lists[0][0].device.type != "cpu":
        yield lists
        return
    for tensors in zip(*lists):
        numbers = tensors[0].numel()
        if numbers <= PIECE:
            yield tuple([tensor] for tensor in tensors)
            continue
        # Rows are one run of memory in every memory format.
        rows = max(1, PIECE * len(tensors[0]) // numbers)
        for part in zip(*(tensor.split(rows) for tensor in tensors)):
            yield tuple([tensor] for tensor in part)


def zeros_like(tensors: list[Tensor]) -> list[Tensor]:
    """Zeros to read, which take no memory."""
    return [tensor.new_zeros(()).expand_as(tensor) for tensor in tensors]


def norm(tensors: list[Tensor]) -> float:
    """Euclidean norm of a list of tensors, summed in double precision."""
    norms = torch.stack([n.double() for n in torch._foreach_norm(tensors)])
    return math.sqrt(float(norms.square().sum()))


def clipped(gradient: list[Tensor], limit: float) -> tuple[list[Tensor], float]:
    """``gradient``, shortened to the Euclidean norm ``limit`` where it is longer (0: never), and the factor."""
    length = norm(gradient) if limit else 0.0
    if not length > limit:
        return gradient, 1.0
    return list(torch._foreach_mul(gradient, limit / length)), limit / length
