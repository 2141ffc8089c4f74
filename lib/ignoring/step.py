"""One training step of any of the nine modes."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lib.ignoring.hypergradient import Batch, frozen_batchnorm, hypergradient, validation_gradient
from lib.ignoring.lookahead import look_ahead, norm
from lib.ignoring.modes import Mode, Source
from lib.ignoring.weights import IgnoringVariables, Visit


@dataclass(frozen=True)
class Options:
    """lam, gamma: lambda and gamma.   meta_loop: look-aheads for one batch's weights.
    through_optimizer: the hypergradient's direction is the validation gradient times the
    optimisers' derivatives; without, the validation gradient as it is."""

    lam: float
    gamma: float
    meta_loop: int = 1
    through_optimizer: bool = True


@dataclass(frozen=True)
class Learner:
    """A model and the optimiser that trains it (one group, the model's parameters in order)."""

    model: nn.Module
    optimizer: Optimizer
    parameters: list[Tensor]

    def losses(self, batch: Batch) -> Tensor:
        return batch.losses(self.model(batch.images))

    def gradient(self, loss: Tensor) -> list[Tensor]:
        return list(torch.autograd.grad(loss, self.parameters))

    def step(self, gradient: list[Tensor]) -> None:
        for parameter, part in zip(self.parameters, gradient):
            parameter.grad = part
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


@dataclass(frozen=True)
class SourceBatch(Batch):
    """A source batch, and which annotated keypoints it holds."""

    index: Tensor
    flipped: Tensor
    labelled: Tensor

    def visit(self, losses: Tensor) -> Visit:
        return Visit(self.index, self.flipped, self.labelled, losses.detach())


@dataclass
class Record:
    """What a step saw: mean losses and proximity, and for each learned set of weights (A, B)
    the hypergradient and the weights [N, J], in the batch's joint order."""

    losses: dict[str, Tensor] = field(default_factory=dict)
    gradients: dict[str, Tensor] = field(default_factory=dict)
    weights: dict[str, Tensor] = field(default_factory=dict)


def training_step(
    mode: Mode,
    options: Options,
    target: Learner,
    source: Learner | None,
    variables: dict[str, IgnoringVariables],
    target_batch: Batch,
    source_batch: SourceBatch | None,
    validation_batch: Batch | None,
    warm_up: bool = False,
) -> Record:
    """Update the source model, then the target model, as ``mode`` says.

    ``variables`` holds the ignoring variables of A (the source model's loss) and of B (the source
    in the target's loss) where the mode learns them. In ``warm_up`` all weights are one.

    Running statistics of BatchNorm follow the real target batch in the target model and the real
    source batch in the source model; every other pass leaves them alone.
    """
    record = Record()
    target_losses = target.losses(target_batch)
    record.losses["target"] = target_losses.detach().mean()
    elements = target_losses.numel()
    if mode.in_loss is not Source.NO:
        elements += source_batch.labelled.numel()
    gradient = target.gradient(target_losses.sum() / elements)
    del target_losses

    def source_step(weights: Tensor | float) -> None:
        losses = weights * source.losses(source_batch)
        record.losses["source_model"] = losses.detach().mean()
        source.step(source.gradient(losses.mean()))

    def add_source(weights: Tensor | float) -> None:
        losses, added = _source_gradient(target, source_batch, options.gamma / elements, weights)
        record.losses["source"] = losses.mean()
        torch._foreach_add_(gradient, added)

    # What has no weights to be found comes first: the look-ahead starts from there.
    if mode.in_loss is Source.PLAIN:
        add_source(1.0)
    if mode.near is Source.PLAIN:
        source_step(1.0)
    if mode.ignores and not warm_up:
        find_weights(
            mode,
            options,
            target,
            source,
            variables,
            gradient,
            elements,
            source_batch,
            validation_batch,
            record,
        )
    elif mode.ignores:
        record.weights = {place: torch.ones_like(source_batch.labelled) for place in variables}
    if mode.near is Source.WEIGHTED:
        source_step(record.weights["A"])
    if mode.in_loss is Source.WEIGHTED:
        add_source(record.weights["B"])

    if mode.has_source_model:
        distance = _difference(target.parameters, source.parameters)
        proximity = options.lam * norm(distance) ** 2
        record.losses["proximity"] = record.losses["target"].new_tensor(proximity)
        torch._foreach_add_(gradient, distance, alpha=2 * options.lam)
    target.step(gradient)
    return record


def find_weights(
    mode: Mode,
    options: Options,
    target: Learner,
    source: Learner | None,
    variables: dict[str, IgnoringVariables],
    gradient: list[Tensor],
    elements: int,
    source_batch: SourceBatch,
    validation_batch: Batch,
    record: Record,
) -> None:
    """Put the hypergradients and the weights A and B that ``mode`` learns into ``record``.

    ``gradient`` is that of the target's loss without the weighted source and the proximity, and
    ``elements`` the number of keypoints in that loss's mean. Nothing but ``variables`` changes.
    """
    learns_a, learns_b = mode.near is Source.WEIGHTED, mode.in_loss is Source.WEIGHTED
    for loop in range(options.meta_loop):
        # The look-ahead of both models, with the weights of the loop before (at first: none).
        pull, anchor, source_ahead = gradient, None, None
        if learns_a:
            if loop == 0:
                inner = [torch.zeros_like(parameter) for parameter in source.parameters]
            else:
                scale = 1 / source_batch.labelled.numel()
                _, inner = _source_gradient(source, source_batch, scale, record.weights["A"])
            source_ahead = look_ahead(source.optimizer, inner)
            anchor = source_ahead.parameters
        elif mode.has_source_model:
            anchor = source.parameters
        if learns_b and loop > 0:
            _, inner = _source_gradient(target, source_batch, options.gamma / elements, record.weights["B"])
            pull = torch._foreach_add(pull, inner)
        if anchor is not None:
            pull = torch._foreach_add(pull, _difference(target.parameters, anchor), alpha=2 * options.lam)
        target_ahead = look_ahead(target.optimizer, pull)

        # What the validation batch says about every source keypoint from there.
        steepest = validation_gradient(target.model, target_ahead.parameters, validation_batch)
        places = {}
        if learns_b:
            places["B"] = (target.model, options.gamma / elements, [target_ahead])
        if learns_a:
            factor = 2 * options.lam / source_batch.labelled.numel()
            places["A"] = (source.model, factor, [target_ahead, source_ahead])
        last = loop == options.meta_loop - 1
        for place, (model, factor, through) in places.items():
            through = through if options.through_optimizer else []
            losses, found = hypergradient(model, source_batch, factor, steepest, through)
            ask = variables[place].commit if last else variables[place].propose
            record.gradients[place] = found
            record.weights[place] = ask(found, source_batch.visit(losses))


def _source_gradient(
    learner: Learner, batch: SourceBatch, scale: float, weights: Tensor | float
) -> tuple[Tensor, list[Tensor]]:
    """Weighted losses [N, J] of ``batch`` and the gradient of ``scale`` times their sum.

    BatchNorm's running statistics stay as they are.
    """
    with frozen_batchnorm(learner.model):
        losses = weights * learner.losses(batch)
    return losses.detach(), learner.gradient(scale * losses.sum())


def _difference(a: list[Tensor], b: list[Tensor]) -> list[Tensor]:
    return torch._foreach_sub([x.detach() for x in a], [x.detach() for x in b])
