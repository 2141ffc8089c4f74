"""One training step of any of the nine modes, and of a source model that is trained before the target model."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from enum import Enum

import torch
from torch import Tensor

from lib.ignoring.hypergradient import Direction, losses_and_jvp, through, unit, validation_gradient
from lib.ignoring.learner import Batch, TrainableModel, frozen_batchnorm
from lib.ignoring.lookahead import LookAhead, norm, zeros_like
from lib.ignoring.modes import Mode, SourceUse
from lib.ignoring.variables import IgnoringVariables, SourceSamples
from lib.utils.distributed import Group
from lib.utils.profile import profiled


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

    UNIFORM = "all are one"
    CURRENT = "as the ignoring variables have them"
    UPDATE = "the ignoring variables learn from a hypergradient first"


@dataclass(frozen=True)
class SourceBatch(Batch):
    """A source batch, and which annotated keypoints it holds."""

    index: Tensor
    flipped: Tensor
    labelled: Tensor

    def visit(self, group: Group, losses: Tensor, *others: Tensor) -> tuple:
        """The visit of the whole batch, and its ``others`` [N, J], given those of this process's samples."""
        mine = (self.index, self.flipped, self.labelled, losses.detach(), *others)
        index, flipped, labelled, losses, *others = group.all_gather(self.counts, *mine)
        return SourceSamples(index, flipped, labelled, losses), *others


@dataclass
class Record:
    """What a step saw: mean losses and proximity, and for each learned set of weights (A, B)
    the hypergradient and the weights [N, J], in the batch's joint order.

    All of whole batches; ``own``: the rows of this process's samples of the source."""

    losses: dict[str, Tensor] = field(default_factory=dict)
    gradients: dict[str, Tensor] = field(default_factory=dict)
    weights: dict[str, Tensor] = field(default_factory=dict)
    own: slice = field(default_factory=lambda: slice(None))


# What the weights [N, J] are, given the losses [N, J] that they multiply, of this process's samples.
Weigh = Callable[[Tensor], Tensor]


def all_one(losses: Tensor) -> Tensor:
    return torch.ones_like(losses)


@profiled("step")
def training_step(
    mode: Mode,
    options: Options,
    target: TrainableModel,
    source: TrainableModel | None,
    variables: dict[str, IgnoringVariables],
    target_batch: Batch,
    source_batch: SourceBatch | None,
    validation_batch: Batch | None,
    weighting: Weighting = Weighting.UPDATE,
) -> Record:
    """Update the source model, unless it is fixed, then the target model, as ``mode`` says.

    ``variables`` holds the ignoring variables of A (the source model's loss) and of B (the source
    in the target's loss) where the mode learns them.

    Running statistics of BatchNorm follow the real target batch in the target model and the real
    source batch in the source model; every other pass leaves them alone.

    Where the learners belong to several processes, each process gives its own samples of the batches:
    gradients are summed, and the weights are found by everybody alike, from the whole source batch.
    """
    record, group = _record_of(target.group, source_batch), target.group
    target_losses = target.losses(target_batch)
    record.losses["target"] = target_batch.part_of_mean(target_losses.detach())
    elements = target_batch.elements(target_losses)
    if mode.joint_loss is not SourceUse.NONE:
        elements += source_batch.elements(source_batch.labelled)
    gradient = target.gradient(target_losses.sum() / elements)
    del target_losses

    def add_source(weigh: Weigh) -> None:
        losses, added = _source_gradient(target, source_batch, options.gamma / elements, weigh)
        record.losses["source"] = source_batch.part_of_mean(losses)
        torch._foreach_add_(gradient, added)

    # What has no weights to be found comes first: the look-ahead starts from there.
    if mode.joint_loss is SourceUse.UNIFORM:
        add_source(all_one)
    if mode.anchor is SourceUse.UNIFORM:
        _step_source_model(source, source_batch, all_one, record)
    found, learns = {}, mode.ignores and weighting is Weighting.UPDATE
    if learns:
        group.all_reduce_(gradient)
        found = find_weights(
            mode, options, target, source, variables, gradient, elements, source_batch, validation_batch, record
        )  # fmt: skip
    if "A" in found:
        source.step(found.pop("A"))
    elif mode.anchor is SourceUse.WEIGHTED:
        weigh = _weigh("A", weighting, variables, source_batch, group, record)
        _step_source_model(source, source_batch, weigh, record)
    if "B" in found:
        torch._foreach_add_(gradient, found.pop("B"))
    elif mode.joint_loss is SourceUse.WEIGHTED:
        add_source(_weigh("B", weighting, variables, source_batch, group, record))
    if not learns:
        group.all_reduce_(gradient)
    _sum_losses(group, record)

    if mode.has_source_model:
        distance = _difference(target.parameters, source.parameters)
        proximity = options.lam * norm(distance) ** 2
        record.losses["proximity"] = record.losses["target"].new_tensor(proximity)
        torch._foreach_add_(gradient, distance, alpha=2 * options.lam)
    target.step(gradient)
    return record


@profiled("step")
def source_first_step(
    mode: Mode,
    options: Options,
    source: TrainableModel,
    variables: dict[str, IgnoringVariables],
    source_batch: SourceBatch,
    validation_batch: Batch | None,
    weighting: Weighting = Weighting.UPDATE,
) -> Record:
    """Update the source model alone; its weights A, where ``mode`` has them, serve its own validation loss."""
    record, group = _record_of(source.group, source_batch), source.group
    if mode.anchor is not SourceUse.WEIGHTED:
        _step_source_model(source, source_batch, all_one, record)
    elif weighting is not Weighting.UPDATE:
        weigh = _weigh("A", weighting, variables, source_batch, group, record)
        _step_source_model(source, source_batch, weigh, record)
    else:
        weighted, scale = None, 1 / source_batch.elements(source_batch.labelled)
        for loop in range(options.meta_loop):
            ahead = source.look_ahead(weighted or zeros_like(source.parameters))
            directions = {"A": _at_source(options, source, ahead, validation_batch)}
            last = loop == options.meta_loop - 1
            del ahead, weighted
            weighted = _weighted_gradient(
                "A", last, source, source_batch, scale, directions, variables, record
            )
        source.step(weighted)
    _sum_losses(group, record)
    return record


def find_weights(
    mode: Mode,
    options: Options,
    target: TrainableModel,
    source: TrainableModel | None,
    variables: dict[str, IgnoringVariables],
    gradient: list[Tensor],
    elements: int,
    source_batch: SourceBatch,
    validation_batch: Batch,
    record: Record,
) -> dict[str, list[Tensor]]:
    """Put the hypergradients and the weights A and B that ``mode`` learns into ``record``.

    ``gradient`` is that of the target's loss without the weighted source and the proximity, and
    ``elements`` the number of keypoints in that loss's mean, both of all processes. Returns the
    gradients of the weighted source losses, of A for the source model, of B for the target model.
    Nothing changes but ``variables`` and the source model's running statistics, which follow the
    batch that A weights.
    """
    scales = {"A": 1 / source_batch.elements(source_batch.labelled), "B": options.gamma / elements}
    weighted: dict[str, list[Tensor]] = {}
    for loop in range(options.meta_loop):
        directions = _directions(mode, options, target, source, gradient, weighted, validation_batch)
        last = loop == options.meta_loop - 1
        for place in list(directions):
            weighted[place] = _weighted_gradient(
                place, last, source if place == "A" else target, source_batch, scales[place],
                directions, variables, record,
            )  # fmt: skip
    return weighted


def _directions(
    mode: Mode,
    options: Options,
    target: TrainableModel,
    source: TrainableModel | None,
    gradient: list[Tensor],
    weighted: dict[str, list[Tensor]],
    validation_batch: Batch,
) -> dict[str, Direction]:
    """Where the source's losses in the places A and B push what the validation batch asks of the next step.

    ``weighted``: gradients of the source losses with the weights of the loop before, at first none.
    """
    found, slopes = {}, {}
    pull, anchor = gradient, source.parameters if mode.has_source_model else None
    if mode.anchor is SourceUse.WEIGHTED:
        ahead = source.look_ahead(weighted.pop("A", None) or zeros_like(source.parameters))
        if options.validate_at_source:
            found["A"] = _at_source(options, source, ahead, validation_batch)
        else:
            slopes["A"] = ahead.derivative
        anchor = ahead.parameters
        del ahead
    learns_b = mode.joint_loss is SourceUse.WEIGHTED
    if not learns_b and not slopes:
        return found

    if learns_b and "B" in weighted:
        pull = torch._foreach_add(pull, weighted.pop("B"))
    if anchor is not None:
        distance = _difference(target.parameters, anchor)
        pull = torch._foreach_add(pull, distance, alpha=2 * options.lam)
        del distance, anchor
    moved, slope = target.look_ahead(pull)
    del pull
    if slopes:
        torch._foreach_mul_(slopes["A"], slope)
    if learns_b:
        slopes["B"] = slope
    del slope
    if not options.through_optimizer:
        slopes = dict.fromkeys(slopes)
    steepest = unit(validation_gradient(target, moved, validation_batch))
    for place in list(slopes):
        slope = slopes.pop(place)
        found[place] = through(steepest, slope) if slope else steepest
    if "A" in found and not options.validate_at_source:
        found["A"] = found["A"]._replace(length=2 * options.lam * found["A"].length)
    return found


def _at_source(
    options: Options, source: TrainableModel, ahead: LookAhead, validation_batch: Batch
) -> Direction:
    """The direction of the source model's own validation loss after its next step."""
    steepest = unit(validation_gradient(source, ahead.parameters, validation_batch))
    return through(steepest, ahead.derivative) if options.through_optimizer else steepest


@profiled("source")
def _weighted_gradient(
    place: str,
    last: bool,
    learner: TrainableModel,
    batch: SourceBatch,
    scale: float,
    directions: dict[str, Direction],
    variables: dict[str, IgnoringVariables],
    record: Record,
) -> list[Tensor]:
    """The gradient of ``scale`` times the sum of the source losses of a place, as its hypergradient weights them.

    One forward pass of ``batch`` serves both. The variables remember the last loop's hypergradient
    alone; that pass is the one that the source model's running statistics follow.
    """
    group = learner.group
    with nullcontext() if place == "A" and last else frozen_batchnorm(learner.model):
        direction = directions.pop(place)
        losses, tangent = losses_and_jvp(learner, batch, direction.tensors)
    visit, record.gradients[place] = batch.visit(group, losses, tangent * (-scale * direction.length))
    del direction, tangent
    ask = variables[place].update if last else variables[place].preview
    record.weights[place] = ask(record.gradients[place], visit)
    losses = record.weights[place][record.own] * losses
    record.losses["source_model" if place == "A" else "source"] = batch.part_of_mean(losses.detach())
    return learner.reduced_gradient(scale * losses.sum())


def _weigh(
    place: str,
    weighting: Weighting,
    variables: dict[str, IgnoringVariables],
    batch: SourceBatch,
    group: Group,
    record: Record,
) -> Weigh:
    """The weights of a place in a step without a hypergradient, put into ``record``."""

    def weigh(losses: Tensor) -> Tensor:
        visit, whole = batch.visit(group, losses)[0], record.weights
        one = weighting is Weighting.UNIFORM
        whole[place] = all_one(visit.losses) if one else variables[place].current(visit)
        return whole[place][record.own]

    return weigh


@profiled("source")
def _step_source_model(source: TrainableModel, batch: SourceBatch, weigh: Weigh, record: Record) -> None:
    losses = source.losses(batch)
    losses = batch.part_of_mean(weigh(losses.detach()) * losses)
    record.losses["source_model"] = losses.detach()
    source.step(source.reduced_gradient(losses))


@profiled("source")
def _source_gradient(
    learner: TrainableModel, batch: SourceBatch, scale: float, weigh: Weigh
) -> tuple[Tensor, list[Tensor]]:
    """Weighted losses [N, J] of this process's samples and the gradient of ``scale`` times their sum.

    BatchNorm's running statistics stay as they are.
    """
    with frozen_batchnorm(learner.model):
        losses = learner.losses(batch)
    losses = weigh(losses.detach()) * losses
    return losses.detach(), learner.gradient(scale * losses.sum())


def _record_of(group: Group, source_batch: SourceBatch | None) -> Record:
    return Record(own=group.own(source_batch.counts)) if source_batch else Record()


def _sum_losses(group: Group, record: Record) -> None:
    """Every process's parts of the mean losses, in one message."""
    group.all_reduce_(list(record.losses.values()))


def _difference(a: list[Tensor], b: list[Tensor]) -> list[Tensor]:
    return torch._foreach_sub([x.detach() for x in a], [x.detach() for x in b])
