"""How much each source keypoint would help or hurt on the target's validation batch, exactly.

The ignoring variables eps enter the source gradient linearly and optimisers step elementwise, so
dL_V(w_t')/d eps_ij is one Jacobian-vector product of the [N, J] source losses (no second-order
graph):

    A, through the source model:    G_ij = -(2 lambda / M_s) < D_s * D_t * u, grad l_ij(w_s) >
    B, through the target's loss:   G_ij = -(gamma / M_t)    < D_t * u,       grad l_ij(w_t) >

with u = grad L_V(w_t') at the look-ahead and D the optimisers' derivatives (lookahead.py).
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.autograd.forward_ad as forward_ad
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from lib.ignoring.lookahead import LookAhead, norm
from lib.utils.profile import profiled

# torch's own forward mode calls the function that this warning is about.
warnings.filterwarnings("ignore", message="`torch.jit.script` is deprecated")

# losses of one batch through a network: (its outputs) -> [N, J]
Losses = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Batch:
    """What the hypergradient needs of a batch: network inputs and the losses of the outputs."""

    images: Tensor
    losses: Losses


@contextmanager
def frozen_batchnorm(model: nn.Module) -> Iterator[None]:
    """Normalise by the batch, as in training, but leave the running statistics alone."""
    layers = [
        m for m in model.modules() if isinstance(m, _BatchNorm) and m.training and m.track_running_stats
    ]
    kept = [(m.running_mean, m.running_var, m.num_batches_tracked) for m in layers]
    for layer in layers:
        layer.track_running_stats = False
        layer.running_mean = layer.running_var = layer.num_batches_tracked = None
    try:
        yield
    finally:
        for layer, buffers in zip(layers, kept):
            layer.track_running_stats = True
            layer.running_mean, layer.running_var, layer.num_batches_tracked = buffers


@profiled("validation")
def validation_gradient(model: nn.Module, parameters: list[Tensor], batch: Batch) -> list[Tensor]:
    """u = gradient of the mean loss on ``batch`` with ``parameters`` in place of the model's own."""
    moved = [parameter.detach().requires_grad_() for parameter in parameters]
    names = [name for name, _ in model.named_parameters()]
    with frozen_batchnorm(model):
        outputs = functional_call(model, dict(zip(names, moved)), (batch.images,))
    return list(torch.autograd.grad(batch.losses(outputs).mean(), moved))


@profiled("tangent")
def losses_and_tangent(model: nn.Module, batch: Batch, direction: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The losses l [N, J] and < direction, grad l_ij > [N, J]; no graph is kept, no statistics change.

    Forward-mode AD beside a forward pass: about the memory of two inferences.
    """
    with torch.no_grad(), frozen_batchnorm(model), forward_ad.dual_level():
        dual = {
            name: forward_ad.make_dual(parameter, tangent)
            for (name, parameter), tangent in zip(model.named_parameters(), direction)
        }
        outputs = functional_call(model, dual, (batch.images,))
        losses, tangent = forward_ad.unpack_dual(batch.losses(outputs))
    return losses, tangent


def hypergradient(
    model: nn.Module, batch: Batch, factor: float, gradient: list[Tensor], through: list[LookAhead]
) -> tuple[Tensor, Tensor]:
    """G [N, J] = -factor * < product of the D in ``through`` * gradient, grad l_ij(w) >.

    Returns (losses [N, J] of ``batch``, G). The direction is scaled to length one before the
    product, because in float32 products of D, u and gradients can leave the range.
    """
    direction, length = _unit(gradient)
    for step in through:
        direction, factor_of_step = _unit(torch._foreach_mul(direction, step.derivative))
        length *= factor_of_step
    losses, tangent = losses_and_tangent(model, batch, direction)
    return losses, tangent * (-factor * length)


def _unit(tensors: list[Tensor]) -> tuple[list[Tensor], float]:
    """``tensors`` scaled to length one together, and their length; zeros stay as they are."""
    length = norm(tensors)
    return (list(torch._foreach_div(tensors, length)) if length else tensors), length
