"""A model, the optimiser that trains it, and how it computes."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from lib.ignoring.forward_mode import JVPPass, jvp_pass
from lib.ignoring.lookahead import LookAhead, clipped, look_ahead
from lib.ignoring.sync_batchnorm import SyncBatchNorm2d
from lib.utils.distributed import ALONE, Group
from lib.utils.profile import profiled

# losses of one batch through a network: (its outputs) -> [N, J]
Losses = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Batch:
    """What the training step needs of a batch: network inputs and the losses of the outputs.

    ``counts``: where several processes share the batch, how many samples each holds, this one ``images``.
    """

    images: Tensor
    losses: Losses
    counts: tuple[int, ...] = field(default=(), kw_only=True)

    def part_of_mean(self, losses: Tensor) -> Tensor:
        """What ``losses`` [N, J] of this process's samples add to the mean over the whole batch."""
        return losses.sum() / self.elements(losses)

    def elements(self, losses: Tensor) -> int:
        """Of the whole batch's losses [N, J], given those of this process."""
        return (sum(self.counts) or len(losses)) * losses.shape[1]


@dataclass(frozen=True)
class TrainableModel:
    """A model and the optimiser that trains it (one group, the model's parameters in order).

    ``autocast``: the type of number that layers compute in where torch thinks it safe; losses and
    gradients of parameters stay in single precision.   ``compiled``: the model's forward pass, compiled.
    ``clip``: the longest gradient that a step takes, longer ones are shortened to it (0: any).
    ``group``: the processes that train it, each by the losses of its own samples.
    """

    model: nn.Module
    optimizer: Optimizer
    parameters: list[Tensor]
    autocast: torch.dtype | None = None
    compiled: Callable[[Tensor], Tensor] | None = None
    clip: float = 0.0
    group: Group = ALONE

    @cached_property
    def jvp_pass(self) -> JVPPass | None:
        """None for a network that lib.ignoring.forward_mode has no rules for."""
        return jvp_pass(self.model)

    @profiled("forward")
    def losses(self, batch: Batch) -> Tensor:
        if self.is_empty(batch):
            return self.empty_losses(batch)
        with self.precision(batch):
            outputs = (self.compiled or self.model)(batch.images)
        return batch.losses(self.to_float32(outputs))

    def is_empty(self, batch: Batch) -> bool:
        """This process has none of the samples, and no part in normalising the others'."""
        if len(batch.images):
            return False
        return not any(isinstance(module, SyncBatchNorm2d) for module in self.model.modules())

    @torch.no_grad()
    def empty_losses(self, batch: Batch) -> Tensor:
        """[0, J], of a process that holds none of the batch's samples.

        BatchNorm can't normalise by nobody, so the shape is found with two blank images.
        """
        with frozen_batchnorm(self.model):
            outputs = self.model(batch.images.new_zeros(2, *batch.images.shape[1:]))
        return batch.losses(outputs[:0])

    def precision(self, batch: Batch) -> AbstractContextManager:
        if self.autocast is None:
            return nullcontext()
        return torch.autocast(batch.images.device.type, self.autocast)

    def to_float32(self, outputs: Tensor) -> Tensor:
        """Outputs, or their tangent, as the losses want them."""
        return outputs if self.autocast is None else outputs.float()

    @profiled("backward")
    def gradient(self, loss: Tensor) -> list[Tensor]:
        """Of this process's part of the loss."""
        if not loss.requires_grad:  # of no samples
            return [torch.zeros_like(parameter) for parameter in self.parameters]
        return list(torch.autograd.grad(loss, self.parameters))

    def reduced_gradient(self, loss: Tensor) -> list[Tensor]:
        """Of the sum of all processes' parts of the loss."""
        return self.group.all_reduce_(self.gradient(loss))

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
    def swapped_parameters(self, values: list[Tensor]) -> Iterator[None]:
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
