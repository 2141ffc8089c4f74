"""One training step of any of the nine modes."""

from contextlib import nullcontext
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

    def gradient(self, loss: Tensor, keep: bool = False) -> list[Tensor]:
        return list(torch.autograd.grad(loss, self.parameters, retain_graph=keep))

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

    if mode.in_loss is Source.PLAIN:
        with frozen_batchnorm(target.model):
            losses = target.losses(source_batch)
        record.losses["source"] = losses.detach().mean()
        torch._foreach_add_(gradient, target.gradient(options.gamma * losses.sum() / elements))
    if mode.near is Source.PLAIN:
        losses = source.losses(source_batch)
        record.losses["source_model"] = losses.detach().mean()
        source.step(source.gradient(losses.mean()))

    if mode.ignores:
        weighted = _weighted_losses(
            mode, options, target, source, variables, gradient, elements,
            source_batch, validation_batch, warm_up, record,
        )  # fmt: skip
        if "A" in weighted:
            record.losses["source_model"] = weighted["A"].detach().mean()
            source.step(source.gradient(weighted.pop("A").mean()))
        if "B" in weighted:
            record.losses["source"] = weighted["B"].detach().mean()
            torch._foreach_add_(gradient, target.gradient(options.gamma * weighted.pop("B").sum() / elements))

    if mode.has_source_model:
        distance = _difference(target.parameters, source.parameters)
        record.losses["proximity"] = target_losses.new_tensor(options.lam * norm(distance) ** 2)
        torch._foreach_add_(gradient, distance, alpha=2 * options.lam)
    target.step(gradient)
    return record


def _weighted_losses(
    mode: Mode,
    options: Options,
    target: Learner,
    source: Learner | None,
    variables: dict[str, IgnoringVariables],
    gradient: list[Tensor],
    elements: int,
    source_batch: SourceBatch,
    validation_batch: Batch | None,
    warm_up: bool,
    record: Record,
) -> dict[str, Tensor]:
    """Find the weights A and B that the mode learns; the weighted losses [N, J], with their graphs.

    ``gradient`` is that of the target's loss without the weighted source and the proximity, and
    ``elements`` the number of keypoints in that loss's mean. Nothing but the variables, and the
    source model's BatchNorm statistics, changes.
    """
    learns_a, learns_b = mode.near is Source.WEIGHTED, mode.in_loss is Source.WEIGHTED
    if warm_up:
        weighted = {}
        if learns_a:
            weighted["A"] = source.losses(source_batch)
        if learns_b:
            with frozen_batchnorm(target.model):
                weighted["B"] = target.losses(source_batch)
        record.weights = {place: torch.ones_like(losses) for place, losses in weighted.items()}
        return weighted

    losses: dict[str, Tensor] = {}
    for loop in range(options.meta_loop):
        # The look-ahead of both models, with the weights of the loop before (at first: none).
        pull, source_ahead = gradient, None
        if learns_a:
            if loop == 0:
                source_gradient = [torch.zeros_like(p) for p in source.parameters]
            else:
                source_gradient = source.gradient((record.weights["A"] * losses["A"]).mean(), keep=True)
            source_ahead = look_ahead(source.optimizer, source_gradient)
        if learns_b and loop > 0:
            inner = options.gamma * (record.weights["B"] * losses["B"]).sum() / elements
            pull = torch._foreach_add(pull, target.gradient(inner, keep=True))
        if mode.has_source_model:
            anchor = source_ahead.parameters if learns_a else source.parameters
            pull = torch._foreach_add(pull, _difference(target.parameters, anchor), alpha=2 * options.lam)
        target_ahead = look_ahead(target.optimizer, pull)

        # What the validation batch says about every source keypoint from there.
        steepest = validation_gradient(target.model, target_ahead.parameters, validation_batch)
        if learns_b:
            through = [target_ahead] if options.through_optimizer else []
            with frozen_batchnorm(target.model):
                losses["B"], record.gradients["B"] = hypergradient(
                    target.model, source_batch, options.gamma / elements, steepest, through
                )
        if learns_a:
            through = [target_ahead, source_ahead] if options.through_optimizer else []
            factor = 2 * options.lam / source_batch.labelled.numel()
            with frozen_batchnorm(source.model) if loop else nullcontext():
                losses["A"], record.gradients["A"] = hypergradient(
                    source.model, source_batch, factor, steepest, through
                )
        last = loop == options.meta_loop - 1
        for place in losses:
            ask = variables[place].commit if last else variables[place].propose
            record.weights[place] = ask(record.gradients[place], source_batch.visit(losses[place]))
    return {place: record.weights[place] * losses[place] for place in losses}


def _difference(a: list[Tensor], b: list[Tensor]) -> list[Tensor]:
    return torch._foreach_sub([x.detach() for x in a], [x.detach() for x in b])
