"""How much each source keypoint would help or hurt on the target's validation batch, exactly.

The ignoring variables eps enter the source gradient linearly and optimisers step elementwise, so
dL_V(w_t')/d eps_ij is one Jacobian-vector product of the [N, J] source losses (no second-order
graph):

    A, through the source model:    G_ij = -(2 lambda / M_s) < D_s * D_t * u, grad l_ij(w_s) >
    B, through the target's loss:   G_ij = -(gamma / M_t)    < D_t * u,       grad l_ij(w_t) >

with u = grad L_V(w_t') at the look-ahead and D the optimisers' derivatives (lookahead.py).
"""

import warnings
from typing import NamedTuple

import torch
import torch.autograd.forward_ad as forward_ad
from torch import Tensor
from torch.func import functional_call

from lib.ignoring.learner import Batch, TrainableModel, frozen_batchnorm
from lib.ignoring.lookahead import norm
from lib.utils.profile import profiled

# torch's own forward mode calls the function that this warning is about.
warnings.filterwarnings("ignore", message="`torch.jit.script` is deprecated")


@profiled("validation")
def validation_gradient(learner: TrainableModel, values: list[Tensor], batch: Batch) -> list[Tensor]:
    """u = gradient of the mean loss on ``batch`` with ``values`` in place of the model's parameters."""
    with frozen_batchnorm(learner.model), learner.swapped_parameters(values):
        return learner.reduced_gradient(batch.part_of_mean(learner.losses(batch)))


@profiled("tangent")
def losses_and_jvp(learner: TrainableModel, batch: Batch, direction: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The losses l [N, J], with their graph, and < direction, grad l_ij > [N, J] without one, of own samples.

    BatchNorm's running statistics follow the batch as in any forward pass. A network that
    lib.ignoring.forward_mode does not know costs another forward pass, beside torch's own forward mode.
    """
    if learner.is_empty(batch):
        losses = learner.losses(batch)
        return losses, torch.zeros_like(losses)
    if learner.jvp_pass is None:
        return learner.losses(batch), tangent_by_torch(learner, batch, direction)
    with learner.precision(batch):
        outputs, tangent, _ = learner.jvp_pass(batch.images, direction)
    outputs, tangent = learner.to_float32(outputs), learner.to_float32(tangent)
    losses = batch.losses(outputs)
    with torch.no_grad(), forward_ad.dual_level():
        dual = batch.losses(forward_ad.make_dual(outputs.detach(), tangent))
        return losses, forward_ad.unpack_dual(dual).tangent


def tangent_by_torch(learner: TrainableModel, batch: Batch, direction: list[Tensor]) -> Tensor:
    """< direction, grad l_ij > [N, J] by torch's forward mode, for any network; always in full precision.

    No statistics change.
    """
    model = learner.model
    with torch.no_grad(), frozen_batchnorm(model), forward_ad.dual_level():
        dual = {
            name: forward_ad.make_dual(parameter, tangent)
            for (name, parameter), tangent in zip(model.named_parameters(), direction)
        }
        losses = batch.losses(functional_call(model, dual, (batch.images,)))
        return forward_ad.unpack_dual(losses).tangent


class Direction(NamedTuple):
    """Tensors of length one together, and the length that they had."""

    tensors: list[Tensor]
    length: float


def unit(tensors: list[Tensor], length: float = 1.0) -> Direction:
    """``tensors``, divided by ``length`` before, scaled in place; zeros stay as they are.

    In float32, products of D, u and gradients can leave the range.
    """
    own = norm(tensors)
    if own:
        torch._foreach_div_(tensors, own)
    return Direction(tensors, own * length)


def through(gradient: Direction, derivative: list[Tensor]) -> Direction:
    """``gradient`` times the optimisers' D, elementwise; takes the memory of ``derivative``."""
    torch._foreach_mul_(derivative, gradient.tensors)
    return unit(derivative, gradient.length)
