"""A model together with the optimizer that trains it."""

import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from lib.ignoring.batch import Batch
from lib.ignoring.forward_mode import JVPPass, jvp_pass
from lib.ignoring.lookahead import LookAhead, clipped, look_ahead
from lib.ignoring.sync_batchnorm import SyncBatchNorm2d
from lib.utils.distributed import ALONE, Group
from lib.utils.profile import profiled


@dataclass(frozen=True)
class TrainableModel:
    """A model, its optimizer, and how a training step computes with them.

    parameters: the model's parameters in order, all in the optimizer's one parameter group.
    autocast: dtype of mixed precision, None for float32; losses and parameter gradients are float32 always.
    compiled: the compiled forward pass, None for eager.
    hypergradient_layers: modules, by name, along whose parameters hypergradients are taken; empty: the whole model.
    clip: maximum gradient norm of a step (0: no clipping).
    group: the ranks that train the model together, each on its own samples.
    """

    model: nn.Module
    optimizer: Optimizer
    parameters: list[Tensor]
    autocast: torch.dtype | None = None
    compiled: Callable[[Tensor], Tensor] | None = None
    clip: float = 0.0
    group: Group = ALONE
    hypergradient_layers: tuple[str, ...] = ()

    @cached_property
    def in_direction(self) -> tuple[bool, ...]:
        """For each parameter, whether it belongs to ``hypergradient_layers``.

        Raises:
            ValueError: for a layer that the model lacks or that has no parameters.
        """
        names = [name for name, _ in self.model.named_parameters()]
        for layer in self.hypergradient_layers:
            if not any(name.startswith(f"{layer}.") for name in names):
                raise ValueError(f"hypergradient_layers: the model has no parameters in {layer!r}")
        prefixes = tuple(f"{layer}." for layer in self.hypergradient_layers) or ("",)
        return tuple(name.startswith(prefixes) for name in names)

    def select_direction(self, tensors: list[Tensor]) -> list[Tensor]:
        """Of one tensor per parameter, those of `in_direction`, in their order."""
        return list(itertools.compress(tensors, self.in_direction))

    @cached_property
    def jvp_pass(self) -> JVPPass | None:
        """The forward pass with tangents, None for a network that forward_mode.py has no rules for."""
        return jvp_pass(self.model)

    @profiled("forward")
    def predict(self, batch: Batch) -> Tensor:
        """Predicted heatmaps [N, J, h, w] in float32 (or wider), with their graph.

        In training mode BatchNorm normalizes by the batch and its running statistics move.
        """
        if self.is_empty(batch):
            return self._empty_heatmaps(batch)
        with self.autocast_context(batch):
            outputs = (self.compiled or self.model)(batch.images)
        return self.to_float32(outputs)

    def losses(self, batch: Batch) -> Tensor:
        """Keypoint losses [N, J] of this rank's samples, with their graph; see `predict`."""
        return batch.losses(self.predict(batch))

    def is_empty(self, batch: Batch) -> bool:
        """True if this rank has none of the samples and no synchronized BatchNorm needs its forward pass."""
        if len(batch.images):
            return False
        return not any(isinstance(module, SyncBatchNorm2d) for module in self.model.modules())

    @torch.no_grad()
    def _empty_heatmaps(self, batch: Batch) -> Tensor:
        """[0, J, h, w]. BatchNorm fails on an empty batch; two zero images give the output shape."""
        with frozen_batchnorm(self.model):
            outputs = self.model(batch.images.new_zeros(2, *batch.images.shape[1:]))
        return outputs[:0]

    def autocast_context(self, batch: Batch) -> AbstractContextManager:
        """A context of mixed precision on the batch's device; without ``autocast``, one that does nothing."""
        if self.autocast is None:
            return nullcontext()
        return torch.autocast(batch.images.device.type, self.autocast)

    def to_float32(self, outputs: Tensor) -> Tensor:
        """Cast the outputs of mixed precision, or their tangent, to float32; leave others as they are."""
        return outputs if self.autocast is None else outputs.float()

    @profiled("backward")
    def local_gradient(self, loss: Tensor) -> list[Tensor]:
        """Gradient of this rank's part of the loss, one tensor per parameter, in their order."""
        return _gradient(loss, self.parameters)

    def gradient(self, loss: Tensor) -> list[Tensor]:
        """Gradient of the loss summed over ranks, given this rank's part of it."""
        return self.group.all_reduce_(self.local_gradient(loss))

    def direction_gradient(self, loss: Tensor) -> list[Tensor]:
        """As `gradient`, but for the parameters of `in_direction` only."""
        return self.group.all_reduce_(self._local_direction_gradient(loss))

    @profiled("backward")
    def _local_direction_gradient(self, loss: Tensor) -> list[Tensor]:
        return _gradient(loss, self.select_direction(self.parameters))

    def look_ahead(self, gradient: list[Tensor], derivative: bool = True) -> LookAhead:
        """Where `step` would go with ``gradient``; if wanted, with the derivative for `in_direction`.

        The clipping factor counts as a constant in the derivative.
        """
        gradient, factor = clipped(gradient, self.clip)
        wanted = self.in_direction if derivative else (False,) * len(self.parameters)
        ahead = look_ahead(self.optimizer, gradient, wanted)
        if factor == 1 or not ahead.derivative:
            return ahead
        return ahead._replace(derivative=torch._foreach_mul(ahead.derivative, factor))

    @profiled("optimizer")
    def step(self, gradient: list[Tensor]) -> None:
        """One optimizer step with ``gradient``, clipped."""
        gradient, _ = clipped(gradient, self.clip)
        for parameter, parameter_gradient in zip(self.parameters, gradient):
            parameter.grad = _in_layout_of(parameter, parameter_gradient)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def swapped_parameters(self, values: list[Tensor]) -> AbstractContextManager:
        """Compute with ``values`` in place of the parameters inside a ``with`` block."""
        return swapped(self.parameters, values)

    @contextmanager
    def direction_graph_only(self) -> Iterator[None]:
        """Inside a ``with`` block, forward passes keep a graph for the parameters of `in_direction` only."""
        others = [
            p for p, inside in zip(self.parameters, self.in_direction) if not inside and p.requires_grad
        ]
        try:
            for parameter in others:
                parameter.requires_grad_(False)
            yield
        finally:
            for parameter in others:
                parameter.requires_grad_(True)


def _gradient(loss: Tensor, parameters: list[Tensor]) -> list[Tensor]:
    if not loss.requires_grad:  # an empty batch
        return [torch.zeros_like(parameter) for parameter in parameters]
    return list(torch.autograd.grad(loss, parameters))


def _in_layout_of(parameter: Tensor, gradient: Tensor) -> Tensor:
    """The gradient in the memory format of its parameter.

    torch.autograd.grad gives either. Of other strides, fused Adam is refused on CUDA and wrong on a CPU, where it takes
    elements as they lie in memory.
    """
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)


class Compiled:
    """The model's forward pass compiled with torch.compile; falls back to eager with a warning."""

    def __init__(self, model: nn.Module):
        self.model = model
        self.forward = torch.compile(model)

    def __call__(self, images: Tensor) -> Tensor:
        if self.forward is not self.model:
            try:
                return self.forward(images)
            # Compilers fail in many ways. An error of the model itself comes again from the eager pass below.
            except Exception as error:
                reason = " ".join(str(error).split())[:200]
                warnings.warn(f"TRAIN.COMPILE is left out, torch.compile failed: {reason}", stacklevel=2)
                self.forward = self.model
        return self.model(images)


@contextmanager
def swapped(parameters: Sequence[Tensor], values: Sequence[Tensor]) -> Iterator[None]:
    """Compute with ``values`` in place of the ``parameters`` of a model inside a ``with`` block."""
    own = [parameter.data for parameter in parameters]
    try:
        for parameter, value in zip(parameters, values):
            parameter.data = value
        yield
    finally:
        for parameter, value in zip(parameters, own):
            parameter.data = value


@contextmanager
def frozen_batchnorm(model: nn.Module) -> Iterator[None]:
    """Normalize by the batch, as in training, without updating the running statistics."""
    layers = [
        m for m in model.modules() if isinstance(m, _BatchNorm) and m.training and m.track_running_stats
    ]
    buffers = [(m.running_mean, m.running_var, m.num_batches_tracked) for m in layers]
    for layer in layers:
        layer.track_running_stats = False
        layer.running_mean = layer.running_var = layer.num_batches_tracked = None
    try:
        yield
    finally:
        for layer, statistics in zip(layers, buffers):
            layer.track_running_stats = True
            layer.running_mean, layer.running_var, layer.num_batches_tracked = statistics
