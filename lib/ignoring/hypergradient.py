"""The hypergradient: how much each source keypoint would help or hurt on the target's validation batch.

The ignoring variables eps enter the source gradient linearly, and optimizers step elementwise in the
gradient. So dL_V(w_t') / d eps_ij is one Jacobian-vector product (JVP) of the [N, J] source losses,
without any second-order graph (derivation: docs/method.md):

    A, through the source model:    G_ij = -(2 lambda / M_s) < D_s * D_t * u, grad l_ij(w_s) >
    B, through the target's loss:   G_ij = -(gamma / M_t)    < D_t * u,       grad l_ij(w_t) >

with u = grad L_V(w_t') at the look-ahead, D the derivatives of the optimizer steps (lookahead.py), and
M the number of keypoints in the mean. With LBI.HYPERGRAD_LAYERS the inner product is taken over some layers
only; what it leaves out costs neither a tangent nor a backward pass.
"""

import itertools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.autograd.forward_ad as forward_ad
from torch import Tensor
from torch.func import functional_call

from lib.ignoring.batch import Batch
from lib.ignoring.lookahead import norm
from lib.ignoring.trainable_model import TrainableModel, frozen_batchnorm
from lib.utils.profile import profiled


@profiled("validation")
def validation_gradient(
    model: TrainableModel, parameters: list[Tensor], batch: Batch
) -> tuple[list[Tensor], Tensor]:
    """u: the gradient of the validation loss at other parameters than the model's own.

    Args:
        parameters: where to evaluate, in the order of ``model.parameters``.
        batch: this rank's part of the validation batch.

    Returns:
        The gradient of the mean loss over all ranks, for the parameters of ``model.in_direction``, and this
        rank's keypoint losses [N, J]. Below the first of those layers there is no backward pass.
    """
    with frozen_batchnorm(model.model), model.swapped_parameters(parameters), model.direction_graph_only():
        losses = model.losses(batch)
        return model.direction_gradient(batch.share_of_mean(losses)), losses.detach()


@profiled("jvp")
def losses_and_jvp(model: TrainableModel, batch: Batch, direction: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Keypoint losses l and their JVP < direction, grad l_ij >, both [N, J], for this rank's samples.

    ``direction`` has a tensor for each parameter of ``model.in_direction``; it is zero along the others.
    The losses keep their graph, the JVP has none. BatchNorm's running statistics move as in any forward
    pass. A network without rules in forward_mode.py costs a second forward pass, in torch's forward mode.
    """
    if model.is_empty(batch):
        losses = model.losses(batch)
        return losses, torch.zeros_like(losses)
    if model.jvp_pass is None:
        return model.losses(batch), jvp_by_torch(model, batch, direction)
    with model.autocast_context(batch):
        tangents = {id(p): t for p, t in zip(model.select_direction(model.parameters), direction)}
        outputs, tangent, _ = model.jvp_pass(batch.images, tangents)
    outputs, tangent = model.to_float32(outputs), model.to_float32(tangent)
    losses = batch.losses(outputs)
    # From the heatmaps to the losses, torch's forward mode does the rest.
    with _torch_forward_mode():
        dual = batch.losses(forward_ad.make_dual(outputs.detach(), tangent))
        return losses, forward_ad.unpack_dual(dual).tangent


def jvp_by_torch(model: TrainableModel, batch: Batch, direction: list[Tensor]) -> Tensor:
    """< direction, grad l_ij > [N, J] by torch's forward mode, for any network, in full precision.

    ``direction`` as in `losses_and_jvp`. Running statistics do not move.
    """
    module = model.model
    with frozen_batchnorm(module), _torch_forward_mode():
        named = itertools.compress(module.named_parameters(), model.in_direction)
        dual = {
            name: forward_ad.make_dual(parameter, tangent)
            for (name, parameter), tangent in zip(named, direction)
        }
        losses = batch.losses(functional_call(module, dual, (batch.images,)))
        return forward_ad.unpack_dual(losses).tangent


@contextmanager
def _torch_forward_mode() -> Iterator[None]:
    with warnings.catch_warnings(), torch.no_grad(), forward_ad.dual_level():
        # Inside torch, forward mode calls a function that is deprecated.
        warnings.filterwarnings("ignore", message="`torch.jit.script` is deprecated")
        yield


class Direction(NamedTuple):
    """A direction in parameter space: unit ``tensors`` (or zeros), and the ``norm`` that they had."""

    tensors: list[Tensor]
    norm: float


def normalized(tensors: list[Tensor], factor: float = 1.0) -> Direction:
    """Scale ``tensors`` in place to unit norm; zeros stay zeros. The norm is returned times ``factor``.

    In float32, products of D, u and gradients can leave the range of the type.
    """
    length = norm(tensors)
    if length:
        torch._foreach_div_(tensors, length)
    return Direction(tensors, length * factor)


def through_optimizer(gradient: Direction, derivative: list[Tensor]) -> Direction:
    """D * u: ``gradient`` times the derivative of the optimizer step, elementwise; overwrites ``derivative``."""
    torch._foreach_mul_(derivative, gradient.tensors)
    return normalized(derivative, gradient.norm)
