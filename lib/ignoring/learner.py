"""A model, the optimiser that trains it, and how it computes."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from lib.ignoring.clipping import clipped
from lib.ignoring.lookahead import LookAhead, look_ahead
from lib.ignoring.tangent import TangentPass, tangent_pass
from lib.utils.profile import profiled

# losses of one batch through a network: (its outputs) -> [N, J]
Losses = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Batch:
    """What the training step needs of a batch: network inputs and the losses of the outputs."""

    images: Tensor
    losses: Losses


@dataclass(frozen=True)
class Learner:
    """A model and the optimiser that trains it (one group, the model's parameters in order).

    ``autocast``: the type of number that layers compute in where torch thinks it safe; losses and
    gradients of parameters stay in single precision.   ``compiled``: the model's forward pass, compiled.
    ``clip``: the longest gradient that a step takes, longer ones are shortened to it (0: any).
    """

    model: nn.Module
    optimizer: Optimizer
    parameters: list[Tensor]
    autocast: torch.dtype | None = None
    compiled: Callable[[Tensor], Tensor] | None = None
    clip: float = 0.0

    @cached_property
    def tangent_pass(self) -> TangentPass | None:
        """None for a network that lib.ignoring.tangent has no rules for."""
        return tangent_pass(self.model)

    @profiled("forward")
    def losses(self, batch: Batch) -> Tensor:
        with self.precision(batch):
            outputs = (self.compiled or self.model)(batch.images)
        return batch.losses(self.in_full(outputs))

    def precision(self, batch: Batch) -> AbstractContextManager:
        if self.autocast is None:
            return nullcontext()
        return torch.autocast(batch.images.device.type, self.autocast)

    def in_full(self, outputs: Tensor) -> Tensor:
        """Outputs, or their tangent, as the losses want them."""
        return outputs if self.autocast is None else outputs.float()

    @profiled("backward")
    def gradient(self, loss: Tensor) -> list[Tensor]:
        return list(torch.autograd.grad(loss, self.parameters))

    def look_ahead(self, gradient: list[Tensor]) -> LookAhead:
        """Where ``step`` would go. The derivative takes the factor that shortens ``gradient`` as constant."""
        gradient, factor = clipped(gradient, self.clip)
        ahead = look_ahead(self.optimizer, gradient)
        if factor == 1:
            return ahead
        return ahead._replace(derivative=torch._foreach_mul(ahead.derivative, factor))

    @profiled("optimiser")
    def step(self, gradient: list[Tensor]) -> None:
        gradient, _ = clipped(gradient, self.clip)
        for parameter, part in zip(self.parameters, gradient):
            parameter.grad = part
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    @contextmanager
    def moved_to(self, values: list[Tensor]) -> Iterator[None]:
        """With ``values`` in place of the model's parameters."""
        kept = [parameter.data for parameter in self.parameters]
        try:
            for parameter, value in zip(self.parameters, values):
                parameter.data = value
            yield
        finally:
            for parameter, value in zip(self.parameters, kept):
                parameter.data = value


class Compiled:
    """``model``'s forward pass as torch.compile makes it; where that fails, with a warning, as it is."""

    def __init__(self, model: nn.Module):
        self.model = model
        self.forward = torch.compile(model)

    def __call__(self, images: Tensor) -> Tensor:
        if self.forward is not self.model:
            try:
                return self.forward(images)
            # Compilers fail in many ways; what is wrong with the model or the images, the model says itself.
            except Exception as error:
                reason = " ".join(str(error).split())[:200]
                warnings.warn(f"TRAIN.COMPILE is left out, torch.compile failed: {reason}", stacklevel=2)
                self.forward = self.model
        return self.model(images)


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
