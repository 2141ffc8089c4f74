"""Replacements for the direction of the hypergradient along the final layer, for benchmarks/directions.py.

Each of them takes the place of one method of the training step; the product has none of them as a setting.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

import torch
from torch import Tensor
from torch.func import functional_call

from lib.ignoring.batch import Batch
from lib.ignoring.bilevel_step import TrainingStep
from lib.ignoring.hypergradient import Direction, normalized
from lib.ignoring.lookahead import LookAhead
from lib.ignoring.trainable_model import TrainableModel, frozen_batchnorm
from lib.training import step as training_step


class Source(ABC):
    """Where the direction u along the final layer comes from, instead of the product's own way; one for each run."""

    looks_ahead = True

    def observe(self, model: TrainableModel, gradient: list[Tensor]) -> None:  # noqa: B027  # most need not see it
        """See the training gradient of a target batch, which has a tensor for each parameter."""

    @abstractmethod
    def gradient(self, model: TrainableModel, parameters: list[Tensor], batch: Batch) -> list[Tensor]:
        """u, as `validation_gradient` returns it; may be kept.

        Args:
            parameters: of the whole model, at the look-ahead.
            batch: the validation batch.
        """


@dataclass
class KeptFeatures(Source):
    """The final layer's own gradient at the look-ahead; its inputs are new in every ``every``-th hypergradient only."""

    every: int = 1
    count: int = 0
    images: Tensor | None = None
    features: Tensor | None = None

    def gradient(self, model: TrainableModel, parameters: list[Tensor], batch: Batch) -> list[Tensor]:
        """See `Source.gradient`. Raises ValueError for another validation batch than that of the kept inputs."""
        if self.count % self.every == 0:
            self.images, self.features = batch.images, final_input(model, parameters, batch)
        elif batch.images is not self.images:
            raise ValueError("the validation batch has changed: LBI.VAL_BATCH_SIZE must take all of it")
        self.count += 1
        return final_gradient(model, parameters, self.features, batch)


@dataclass
class KeptDirection(Source):
    """The whole direction is kept for ``every`` hypergradients."""

    every: int = 1
    count: int = 0
    kept: list[Tensor] = field(default_factory=list)

    def gradient(self, model: TrainableModel, parameters: list[Tensor], batch: Batch) -> list[Tensor]:
        """See `Source.gradient`."""
        if self.count % self.every == 0:
            self.kept = KeptFeatures().gradient(model, parameters, batch)
        self.count += 1
        return self.kept


class Present(KeptFeatures):
    """The validation gradient at the present parameters; no look-ahead is computed."""

    looks_ahead = False


@dataclass
class RunningMean(Source):
    """The running mean of the target batches' training gradients; no validation pass."""

    decay: float = 0.9
    mean: list[Tensor] = field(default_factory=list)
    looks_ahead = False

    def observe(self, model: TrainableModel, gradient: list[Tensor]) -> None:
        """Take a gradient into the mean."""
        new = model.select_direction(gradient)
        if self.mean:
            new = [mean.lerp(value, 1 - self.decay) for mean, value in zip(self.mean, new)]
        self.mean = new

    def gradient(self, model: TrainableModel, parameters: list[Tensor], batch: Batch) -> list[Tensor]:
        """See `Source.gradient`."""
        return self.mean


@torch.no_grad()
def final_input(model: TrainableModel, parameters: list[Tensor], batch: Batch) -> Tensor:
    """The input of the final layer for a batch, [N, C, h, w], with other ``parameters`` than the model's own."""
    found = []
    hook = model.model.final_layer.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0]))
    try:
        with frozen_batchnorm(model.model), model.swapped_parameters(parameters):
            model.predict(batch)
    finally:
        hook.remove()
    return found[0]


def final_gradient(
    model: TrainableModel, parameters: list[Tensor], features: Tensor, batch: Batch
) -> list[Tensor]:
    """The gradient of the batch's mean loss in the final layer's parameters, given the layer's input."""
    layer = model.model.final_layer
    own = [value.detach().requires_grad_() for value in model.select_direction(parameters)]
    names = [name for name, _ in layer.named_parameters()]
    heatmaps = functional_call(layer, dict(zip(names, own)), (features,))
    return list(torch.autograd.grad(batch.share_of_mean(batch.losses(heatmaps)), own))


def step_with(source: Source) -> type[TrainingStep]:
    """A training step that takes the direction of its hypergradient from ``source``."""

    class Step(TrainingStep):
        def _target_gradient(self) -> tuple[list[Tensor], float]:
            gradient, scale = super()._target_gradient()
            source.observe(self.target, gradient)
            return gradient, scale

        def _unit_validation_gradient(self, model: TrainableModel, parameters: list[Tensor]) -> Direction:
            gradient = source.gradient(model, parameters, self.batches.validation)
            return normalized([value.clone() for value in gradient])

    return Step


@contextmanager
def direction_of(source: Source | None) -> Iterator[None]:
    """Inside a ``with`` block, training steps take the direction from ``source``; None: from the product."""
    with ExitStack() as stack:
        if source is not None:
            stack.enter_context(patch.object(training_step, "TrainingStep", step_with(source)))
            if not source.looks_ahead:
                stack.enter_context(patch.object(TrainableModel, "look_ahead", stay))
        yield


def stay(model: TrainableModel, gradient: list[Tensor], derivative: bool = True) -> LookAhead:
    """Stands for `TrainableModel.look_ahead`: the present parameters."""
    return LookAhead([parameter.detach() for parameter in model.parameters], [])
