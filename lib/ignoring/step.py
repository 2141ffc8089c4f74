"""One training step of any of the nine modes, and of a source model that is trained before the target model."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lib.ignoring.clipping import clipped
from lib.ignoring.hypergradient import Batch, frozen_batchnorm, hypergradient, validation_gradient
from lib.ignoring.lookahead import LookAhead, look_ahead, norm
from lib.ignoring.modes import Mode, Source
from lib.ignoring.weights import IgnoringVariables, Visit


@dataclass(frozen=True)
class Options:
    """lam, gamma: lambda and gamma.   meta_loop: look-aheads for one batch's weights.
    through_optimizer: the hypergradient's direction is the validation gradient times the
    optimisers' derivatives; without, the validation gradient as it is.
    validate_at_source: the weights A serve the source model's own validation loss, not the target model's."""

    lam: float
    gamma: float
    meta_loop: int = 1
    through_optimizer: bool = True
    validate_at_source: bool = False


class Weighting(Enum):
    """Where the weights of a step come from."""

    ONE = "all are one"
    KEPT = "as the ignoring variables have them"
    LEARNED = "the ignoring variables learn from a hypergradient first"


@dataclass(frozen=True)
class Learner:
    """A model and the optimiser that trains it (one group, the model's parameters in order).

    clip: the longest gradient that a step takes, longer ones are shortened to it (0: any)."""

    model: nn.Module
    optimizer: Optimizer
    parameters: list[Tensor]
    clip: float = 0.0

    def losses(self, batch: Batch) -> Tensor:
        return batch.losses(self.model(batch.images))

    def gradient(self, loss: Tensor) -> list[Tensor]:
        return list(torch.autograd.grad(loss, self.parameters))

    def look_ahead(self, gradient: list[Tensor]) -> LookAhead:
        """Where ``step`` would go. The derivative takes the factor that shortens ``gradient`` as constant."""
        gradient, factor = clipped(gradient, self.clip)
        ahead = look_ahead(self.optimizer, gradient)
        return (
            ahead if factor == 1 else ahead._replace(derivative=torch._foreach_mul(ahead.derivative, factor))
        )

    def step(self, gradient: list[Tensor]) -> None:
        gradient, _ = clipped(gradient, self.clip)
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


# What the weights [N, J] are, given the losses [N, J] that they multiply.
Weigh = Callable[[Tensor], Tensor]


def all_one(losses: Tensor) -> Tensor:
    return torch.ones_like(losses)


def training_step(
    mode: Mode,
    options: Options,
    target: Learner,
    source: Learner | None,
    variables: dict[str, IgnoringVariables],
    target_batch: Batch,
    source_batch: SourceBatch | None,
    validation_batch: Batch | None,
    weighting: Weighting = Weighting.LEARNED,
) -> Record:
    """Update the source model, unless it is fixed, then the target model, as ``mode`` says.

    ``variables`` holds the ignoring variables of A (the source model's loss) and of B (the source
    in the target's loss) where the mode learns them.

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

    def add_source(weigh: Weigh) -> None:
        losses, added = _source_gradient(target, source_batch, options.gamma / elements, weigh)
        record.losses["source"] = losses.mean()
        torch._foreach_add_(gradient, added)

    # What has no weights to be found comes first: the look-ahead starts from there.
    if mode.in_loss is Source.PLAIN:
        add_source(all_one)
    if mode.near is Source.PLAIN:
        _step_source_model(source, source_batch, all_one, record)
    if mode.ignores and weighting is Weighting.LEARNED:
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
    if mode.near is Source.WEIGHTED:
        _step_source_model(
            source, source_batch, _weigh("A", weighting, variables, source_batch, record), record
        )
    if mode.in_loss is Source.WEIGHTED:
        add_source(_weigh("B", weighting, variables, source_batch, record))

    if mode.has_source_model:
        distance = _difference(target.parameters, source.parameters)
        proximity = options.lam * norm(distance) ** 2
        record.losses["proximity"] = record.losses["target"].new_tensor(proximity)
        torch._foreach_add_(gradient, distance, alpha=2 * options.lam)
    target.step(gradient)
    return record


def source_first_step(
    mode: Mode,
    options: Options,
    source: Learner,
    variables: dict[str, IgnoringVariables],
    source_batch: SourceBatch,
    validation_batch: Batch | None,
    weighting: Weighting = Weighting.LEARNED,
) -> Record:
    """Update the source model alone; its weights A, where ``mode`` has them, serve its own validation loss."""
    record = Record()
    weigh = all_one
    if mode.near is Source.WEIGHTED:
        if weighting is Weighting.LEARNED:
            for loop in range(options.meta_loop):
                last = loop == options.meta_loop - 1
                ahead = _source_ahead(source, source_batch, record, loop)
                found = _at_source(options, source, ahead, source_batch, validation_batch)
                _ask("A", last, found, variables, source_batch, record)
        weigh = _weigh("A", weighting, variables, source_batch, record)
    _step_source_model(source, source_batch, weigh, record)
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
            source_ahead = _source_ahead(source, source_batch, record, loop)
            anchor = source_ahead.parameters
        elif mode.has_source_model:
            anchor = source.parameters
        if learns_b and loop > 0:
            weigh = _known(record.weights["B"])
            _, inner = _source_gradient(target, source_batch, options.gamma / elements, weigh)
            pull = torch._foreach_add(pull, inner)
        if anchor is not None:
            pull = torch._foreach_add(pull, _difference(target.parameters, anchor), alpha=2 * options.lam)

        # What the validation batch says about every source keypoint from there.
        found = {}
        if learns_b or not options.validate_at_source:
            ahead = target.look_ahead(pull)
            steepest = validation_gradient(target.model, ahead.parameters, validation_batch)
        if learns_b:
            through, factor = [ahead], options.gamma / elements
            found["B"] = _through(options, target, source_batch, factor, steepest, through)
        if learns_a and options.validate_at_source:
            found["A"] = _at_source(options, source, source_ahead, source_batch, validation_batch)
        elif learns_a:
            through, factor = [ahead, source_ahead], 2 * options.lam / source_batch.labelled.numel()
            found["A"] = _through(options, source, source_batch, factor, steepest, through)
        for place, told in found.items():
            _ask(place, loop == options.meta_loop - 1, told, variables, source_batch, record)


def _known(weights: Tensor) -> Weigh:
    return lambda losses: weights


def _weigh(
    place: str,
    weighting: Weighting,
    variables: dict[str, IgnoringVariables],
    batch: SourceBatch,
    record: Record,
) -> Weigh:
    """The weights of a place, put into ``record`` where they are not there yet."""

    def weigh(losses: Tensor) -> Tensor:
        if weighting is Weighting.ONE:
            record.weights[place] = all_one(losses)
        elif weighting is Weighting.KEPT:
            record.weights[place] = variables[place].recall(batch.visit(losses))
        return record.weights[place]

    return weigh


def _ask(
    place: str,
    last: bool,
    told: tuple[Tensor, Tensor],
    variables: dict[str, IgnoringVariables],
    batch: SourceBatch,
    record: Record,
) -> None:
    """Let the variables turn (losses, hypergradient) into weights; only the last loop's are remembered."""
    losses, record.gradients[place] = told
    ask = variables[place].commit if last else variables[place].propose
    record.weights[place] = ask(record.gradients[place], batch.visit(losses))


def _step_source_model(source: Learner, batch: SourceBatch, weigh: Weigh, record: Record) -> None:
    losses = source.losses(batch)
    losses = weigh(losses.detach()) * losses
    record.losses["source_model"] = losses.detach().mean()
    source.step(source.gradient(losses.mean()))


def _source_ahead(source: Learner, batch: SourceBatch, record: Record, loop: int) -> LookAhead:
    """The source model's next step with the weights A of the loop before, at first none."""
    if loop == 0:
        inner = [torch.zeros_like(parameter) for parameter in source.parameters]
    else:
        _, inner = _source_gradient(source, batch, 1 / batch.labelled.numel(), _known(record.weights["A"]))
    return source.look_ahead(inner)


def _at_source(
    options: Options, source: Learner, ahead: LookAhead, batch: SourceBatch, validation_batch: Batch
) -> tuple[Tensor, Tensor]:
    """Losses and hypergradient [N, J] of the source model's own validation loss after its next step."""
    steepest = validation_gradient(source.model, ahead.parameters, validation_batch)
    return _through(options, source, batch, 1 / batch.labelled.numel(), steepest, [ahead])


def _through(
    options: Options,
    learner: Learner,
    batch: SourceBatch,
    factor: float,
    steepest: list[Tensor],
    through: list[LookAhead],
) -> tuple[Tensor, Tensor]:
    return hypergradient(learner.model, batch, factor, steepest, through if options.through_optimizer else [])


def _source_gradient(
    learner: Learner, batch: SourceBatch, scale: float, weigh: Weigh
) -> tuple[Tensor, list[Tensor]]:
    """Weighted losses [N, J] of ``batch`` and the gradient of ``scale`` times their sum.

    BatchNorm's running statistics stay as they are.
    """
    with frozen_batchnorm(learner.model):
        losses = learner.losses(batch)
    losses = weigh(losses.detach()) * losses
    return losses.detach(), learner.gradient(scale * losses.sum())


def _difference(a: list[Tensor], b: list[Tensor]) -> list[Tensor]:
    return torch._foreach_sub([x.detach() for x in a], [x.detach() for x in b])
