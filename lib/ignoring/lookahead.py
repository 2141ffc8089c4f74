"""The step an optimizer would take, and its derivative with respect to the gradient, without taking it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer

from lib.utils.profile import profiled


class LookAhead(NamedTuple):
    """The outcome of a step that was not taken, both in optimizer order.

    parameters: w' = w - U(g).
    derivative: D = dU/dg, the diagonal of the update's Jacobian (optimizers step elementwise), of those
        parameters for which it was wanted.
    """

    parameters: list[Tensor]
    derivative: list[Tensor]


@profiled("look-ahead")
@torch.no_grad()
def look_ahead(
    optimizer: Optimizer, gradients: list[Tensor], with_derivative: Sequence[bool] | None = None
) -> LookAhead:
    """Compute where ``optimizer.step()`` would go with ``gradients``, and how that depends on them.

    Reads the optimizer's state (moments, step count, weight decay) and changes nothing.

    Args:
        optimizer: torch's Adam, AdamW or SGD.
        gradients: one tensor per parameter, in optimizer order.
        with_derivative: for each parameter, whether to compute D; None: for all.

    Raises:
        ValueError: for another optimizer, amsgrad or maximize.
    """
    if not isinstance(optimizer, (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)):
        raise ValueError(f"no look-ahead for {type(optimizer).__name__}: expected Adam, AdamW or SGD")
    parameters, derivative, start = [], [], 0
    wanted = with_derivative or (True,) * len(gradients)
    for group in optimizer.param_groups:
        # Older versions of torch tell AdamW's decay from Adam's by the class alone.
        group = {"decoupled_weight_decay": isinstance(optimizer, torch.optim.AdamW), **group}
        if group.get("amsgrad") or group.get("maximize"):
            raise ValueError("no look-ahead for amsgrad or maximize")
        update = _sgd_update if isinstance(optimizer, torch.optim.SGD) else _adam_update
        part = slice(start, start + len(group["params"]))
        weights: dict[int, Tensor] = {}
        for has_derivative in (True, False):
            chosen = [i for i, w in enumerate(wanted[part]) if w == has_derivative]
            if chosen:
                tensors = _GroupTensors.allocate(group, optimizer, gradients[part], chosen, has_derivative)
                update(group, tensors)
                weights |= zip(chosen, tensors.weights)
                derivative += tensors.derivative or []
        parameters += [weights[i] for i in range(len(weights))]
        start = part.stop
    return LookAhead(parameters, derivative)


class _GroupTensors(NamedTuple):
    """Tensors of some parameters of a group: gradients and optimizer state to read, the results to write.

    derivative: None if D is not wanted.
    """

    gradients: list[Tensor]
    states: list[dict]
    weights: list[Tensor]
    derivative: list[Tensor] | None

    @classmethod
    def allocate(
        cls, group: dict, optimizer: Optimizer, gradients: list[Tensor], chosen: list[int], derivative: bool
    ) -> "_GroupTensors":
        parameters = [group["params"][i] for i in chosen]
        weights = [parameter.detach().clone() for parameter in parameters]
        states = [optimizer.state.get(parameter, {}) for parameter in parameters]
        empty = [torch.empty_like(weight) for weight in weights] if derivative else None
        return cls([gradients[i] for i in chosen], states, weights, empty)


def _adam_update(group: dict, tensors: _GroupTensors) -> None:
    """Move the weights by Adam's step (Kingma & Ba, arXiv 1412.6980; eps where torch has it), and write D.

    U = k m' / (r + e), with m' = b1 m + (1-b1) g, r = sqrt(b2 v + (1-b2) g^2), and the bias corrections c1 and
    c2 in k = lr sqrt(c2) / c1 and e = eps sqrt(c2). Hence
    D = k ((1-b1) e + [(1-b1) b2 v - (1-b2) b1 m g] / r) / (r + e)^2, the fraction 0 if r = 0:
    dU/dg without its cancellation, which in float32 is wrong by 3e-3 for a fresh state.
    """
    lr, (b1, b2), decay = float(group["lr"]), group["betas"], group["weight_decay"]
    states = tensors.states
    # k and e are tensors: a fused optimizer on CUDA keeps its step count there, and reading it would wait. Others keep
    # it on the host, and so does this, before the first step; foreach functions want all of their tensors in one place.
    step = 1 + torch.as_tensor(states[0]["step"] if states[0] else 0).double()
    c1, root_c2 = 1 - b1**step, (1 - b2**step).sqrt()
    k, e = ((x * root_c2).to(tensors.weights[0], non_blocking=True) for x in (lr / c1, group["eps"]))
    if states[0]:
        firsts = [state["exp_avg"] for state in states]
        seconds = [state["exp_avg_sq"] for state in states]
    else:  # before the first step
        firsts = seconds = zeros_like(tensors.weights)
    lists = [tensors.weights, tensors.gradients, firsts, seconds]
    if tensors.derivative is not None:
        lists.append(tensors.derivative)
    for weight, gradient, first, second, *derivative in chunks(*lists):
        # Weight decay: decoupled (AdamW) shrinks the weight, L2 (Adam) adds to the gradient.
        if decay and group["decoupled_weight_decay"]:
            torch._foreach_mul_(weight, 1 - lr * decay)
        elif decay:
            gradient = torch._foreach_add(gradient, weight, alpha=decay)

        # r
        root = torch._foreach_mul(second, b2)
        torch._foreach_addcmul_(root, gradient, gradient, 1 - b2)
        torch._foreach_sqrt_(root)

        # [(1-b1) b2 v - (1-b2) b1 m g] / r, 0 / 0 = 0
        for d in derivative:
            torch._foreach_copy_(d, second)
            torch._foreach_mul_(d, (1 - b1) * b2)
            torch._foreach_addcmul_(d, first, gradient, -(1 - b2) * b1)
            torch._foreach_div_(d, root)
            for tensor in d:
                tensor.nan_to_num_(0.0, 0.0, 0.0)

        # + (1-b1) e, and all of it / (r + e), then / ((r + e) / k). Without alpha, torch would read e's value.
        torch._foreach_add_(root, e, alpha=1)
        for d in derivative:
            torch._foreach_add_(d, e, alpha=1 - b1)
            torch._foreach_div_(d, root)
        torch._foreach_div_(root, k)
        for d in derivative:
            torch._foreach_div_(d, root)

        # w' = w - (b1 m + (1-b1) g) / ((r + e) / k)
        torch._foreach_addcdiv_(weight, first, root, -b1)
        torch._foreach_addcdiv_(weight, gradient, root, -(1 - b1))


def _sgd_update(group: dict, tensors: _GroupTensors) -> None:
    """Move the weights by SGD's step, and write D: lr times the share of g that reaches the step."""
    lr, momentum, decay = float(group["lr"]), group["momentum"], group["weight_decay"]
    # torch keeps a momentum buffer from the first step on, which takes the gradient undamped.
    has_buffer = bool(momentum) and tensors.states[0].get("momentum_buffer") is not None
    undamped = 1 - group["dampening"] if has_buffer else 1.0
    buffers = [state["momentum_buffer"] for state in tensors.states] if has_buffer else tensors.gradients
    for weight, gradient, buffer in chunks(tensors.weights, tensors.gradients, buffers):
        if decay:
            gradient = torch._foreach_add(gradient, weight, alpha=decay)
        step = gradient
        if has_buffer:
            step = torch._foreach_mul(buffer, momentum)
            torch._foreach_add_(step, gradient, alpha=undamped)
        if momentum and group["nesterov"]:
            step = torch._foreach_add(gradient, step, alpha=momentum)
        torch._foreach_add_(weight, step, alpha=-lr)
    # torch refuses Nesterov's momentum together with dampening.
    share = 1 + momentum if momentum and group["nesterov"] else undamped
    for d in tensors.derivative or ():
        d.fill_(lr * share)


CHUNK = 1 << 18  # elements; a handful of tensors of this size stays in a processor's cache


def chunks(*lists: list[Tensor]) -> Iterator[tuple[list[Tensor], ...]]:
    """Yield the same chunk of every list of tensors, as views, one cache-sized chunk after another.

    On a CPU, a row of elementwise operations then runs in cache instead of waiting for memory. Other
    devices get everything at once: there, launching many small operations is what takes long.
    """
    if lists[0] and lists[0][0].device.type != "cpu":
        yield lists
        return
    for tensors in zip(*lists):
        count = tensors[0].numel()
        if count <= CHUNK:
            yield tuple([tensor] for tensor in tensors)
            continue
        # A row is contiguous in every memory format.
        rows = max(1, CHUNK * len(tensors[0]) // count)
        for part in zip(*(tensor.split(rows) for tensor in tensors)):
            yield tuple([tensor] for tensor in part)


def zeros_like(tensors: list[Tensor]) -> list[Tensor]:
    """Read-only zeros that take no memory."""
    return [tensor.new_zeros(()).expand_as(tensor) for tensor in tensors]


def norm(tensors: list[Tensor]) -> Tensor:
    """Euclidean norm of a list of tensors as one vector, summed in float64: a scalar where the tensors are."""
    return torch.stack(torch._foreach_norm(tensors)).double().square().sum().sqrt()


def clipped(gradient: list[Tensor], max_norm: float) -> tuple[list[Tensor], float]:
    """The gradient scaled down to the Euclidean norm ``max_norm`` if it exceeds it (0: never), and the factor."""
    length = float(norm(gradient)) if max_norm else 0.0
    if not length > max_norm:
        return gradient, 1.0
    return list(torch._foreach_mul(gradient, max_norm / length)), max_norm / length
