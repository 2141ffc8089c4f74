"""One bilevel training step of any of the nine modes. docs/method.md has the method; `TrainingStep.run` follows it."""

from contextlib import nullcontext
from dataclasses import dataclass, field
from enum import Enum

import torch
from torch import Tensor

from lib.ignoring.batch import StepBatches
from lib.ignoring.hypergradient import (
    Direction,
    losses_and_jvp,
    normalized,
    through_optimizer,
    validation_gradient,
)
from lib.ignoring.lookahead import LookAhead, norm, zeros_like
from lib.ignoring.modes import ANCHOR, JOINT, Mode, Place, SourceUse
from lib.ignoring.trainable_model import TrainableModel, frozen_batchnorm
from lib.ignoring.variables import IgnoringVariables
from lib.utils.profile import profiled


@dataclass(frozen=True)
class Options:
    """The numbers and choices of a step.

    lam, gamma: lambda and gamma of docs/method.md.
    meta_loop: look-aheads per batch.
    through_optimizer: multiply the validation gradient by the derivatives of the optimizer steps; if
        false, the hypergradient follows the validation gradient itself.
    validate_at_source: the weights A minimize the source model's validation loss, not the target model's.
    """

    lam: float
    gamma: float
    meta_loop: int = 1
    through_optimizer: bool = True
    validate_at_source: bool = False


class Weighting(Enum):
    """Where the weights of a step come from."""

    UNIFORM = "all are one"
    CURRENT = "the ignoring variables, as they are"
    UPDATE = "the ignoring variables, after learning from a hypergradient"


@dataclass(frozen=True)
class StepModels:
    """What a step trains: the models (None if the mode has none), and the ignoring variables by place."""

    target: TrainableModel | None
    source: TrainableModel | None
    variables: dict[Place, IgnoringVariables]


@dataclass
class StepOutput:
    """What a step computed. M samples are the whole source batch, N this rank's part of a batch.

    losses: mean losses over the whole batch, scalars: target, source, source_model, proximity.
    hypergradients, weights: [M, J] for each place that learns, in sample order.
    own: the rows of this rank's samples among the M.
    target_heatmaps: [N, J, h, w] predicted for the target batch.
    keypoint_losses: {target, source, validation: [N, J] of every pass of that batch through a model}.
    """

    losses: dict[str, Tensor] = field(default_factory=dict)
    hypergradients: dict[Place, Tensor] = field(default_factory=dict)
    weights: dict[Place, Tensor] = field(default_factory=dict)
    own: slice = field(default_factory=lambda: slice(None))
    target_heatmaps: Tensor | None = None
    keypoint_losses: dict[str, list[Tensor]] = field(
        default_factory=lambda: {"target": [], "source": [], "validation": []}
    )


@dataclass
class TrainingStep:
    """One training step. Create one per step and call `run`, or `run_source_first` for the source model alone.

    BatchNorm's running statistics follow the target batch in the target model and the source batch in the
    source model; every other pass leaves them unchanged. With several ranks, each has its part of the
    batches: gradients are summed, and every rank computes the same weights from the whole source batch.
    """

    mode: Mode
    options: Options
    models: StepModels
    batches: StepBatches
    weighting: Weighting = Weighting.UPDATE
    output: StepOutput = field(default_factory=StepOutput)

    def __post_init__(self):
        self.target, self.source = self.models.target, self.models.source
        self.group = (self.target or self.source).group
        if self.batches.source:
            self.output.own = self.group.own_rows(self.batches.source.counts)

    @profiled("step")
    def run(self) -> StepOutput:
        """Update the source model, unless it is frozen, then the target model."""
        # Gradient of the target batch in the target model. `scale` is the factor of a source keypoint beside it.
        gradient, scale = self._target_gradient()

        # Source losses with uniform weights come first: the look-ahead starts from their gradient.
        if self.mode.joint_loss is SourceUse.UNIFORM:
            torch._foreach_add_(gradient, self._source_gradient(None, scale))
        if self.mode.anchor is SourceUse.UNIFORM:
            self._step_source_model(None)

        # Learn the weights from the hypergradients; this gives the gradients of the weighted losses, too.
        learns = self.mode.ignores and self.weighting is Weighting.UPDATE
        source_gradients: dict[Place, list[Tensor]] = {}
        if learns:
            self.group.all_reduce_(gradient)
            source_gradients = self.find_weights(gradient, scale)

        # Update the source model, and add the weighted source to the target model's gradient.
        if self.mode.anchor is SourceUse.WEIGHTED:
            if learns:
                self.source.step(source_gradients.pop(ANCHOR))
            else:
                self._step_source_model(ANCHOR)
        if self.mode.joint_loss is SourceUse.WEIGHTED:
            weighted = source_gradients.pop(JOINT) if learns else self._source_gradient(JOINT, scale)
            torch._foreach_add_(gradient, weighted)
        if not learns:
            self.group.all_reduce_(gradient)
        self._reduce_losses()

        # Hold the target model near the source model, and update it.
        if self.mode.has_source_model:
            self._add_proximity_gradient_(gradient)
        self.target.step(gradient)
        return self.output

    @profiled("step")
    def run_source_first(self) -> StepOutput:
        """Update the source model alone; its weights A, if any, minimize its own validation loss."""
        if self.mode.anchor is not SourceUse.WEIGHTED:
            self._step_source_model(None)
        elif self.weighting is not Weighting.UPDATE:
            self._step_source_model(ANCHOR)
        else:
            gradient = None
            for last in self._meta_loops():
                ahead = self.source.look_ahead(
                    gradient or zeros_like(self.source.parameters), self.options.through_optimizer
                )
                direction = self._direction_at_source(ahead)
                del ahead, gradient  # before the next pass allocates
                gradient = self._weighted_gradient(ANCHOR, direction, self._mean_scale(), last)
            self.source.step(gradient)
        self._reduce_losses()
        return self.output

    def find_weights(self, gradient: list[Tensor], scale: float) -> dict[Place, list[Tensor]]:
        """Learn the weights A and B; nothing else changes but the source model's running statistics.

        Args:
            gradient: of the target model's loss without the weighted source and the proximity term, summed
                over ranks.
            scale: factor of a source keypoint's loss in the target model's loss.

        Returns:
            The gradients, summed over ranks, of the source losses with the new weights: of A in the source
            model, of B in the target model.
        """
        weighted: dict[Place, list[Tensor]] = {}
        for last in self._meta_loops():
            directions = self._directions(gradient, weighted)
            for place in list(directions):
                place_scale = self._mean_scale() if place == ANCHOR else scale
                weighted[place] = self._weighted_gradient(place, directions.pop(place), place_scale, last)
        return weighted

    def _meta_loops(self) -> list[bool]:
        """For each look-ahead of the step, whether it is the last."""
        return [False] * (self.options.meta_loop - 1) + [True]

    def _mean_scale(self) -> float:
        """1 / M_s: factor of a source keypoint's loss in the source model's mean loss."""
        return 1 / self.batches.source.element_count

    def _target_gradient(self) -> tuple[list[Tensor], float]:
        """This rank's part of the target batch's gradient, and gamma / M_t."""
        batch = self.batches.target
        heatmaps = self.target.predict(batch)
        losses = batch.losses(heatmaps)
        self.output.target_heatmaps = heatmaps.detach()
        self.output.keypoint_losses["target"].append(losses.detach())
        self.output.losses["target"] = batch.share_of_mean(losses.detach())
        elements = batch.element_count
        if self.mode.joint_loss is not SourceUse.NONE:
            elements += self.batches.source.element_count
        return self.target.local_gradient(losses.sum() / elements), self.options.gamma / elements

    def _directions(
        self, gradient: list[Tensor], weighted: dict[Place, list[Tensor]]
    ) -> dict[Place, Direction]:
        """The parameter directions v for which the hypergradient is -scale * < v, grad l_ij >.

        Args:
            gradient: see `find_weights`.
            weighted: gradients of the source losses with the weights of the previous loop, none at first;
                they are removed, to free their memory.
        """
        directions, derivatives, through = {}, {}, self.options.through_optimizer
        anchor = self.source.parameters if self.mode.has_source_model else None

        # A: one look-ahead step of the source model. Its derivative is D_s.
        if self.mode.anchor is SourceUse.WEIGHTED:
            ahead = self.source.look_ahead(
                weighted.pop(ANCHOR, None) or zeros_like(self.source.parameters), through
            )
            if self.options.validate_at_source:
                directions[ANCHOR] = self._direction_at_source(ahead)
            else:
                derivatives[ANCHOR] = ahead.derivative
            anchor = ahead.parameters
            del ahead
        learns_joint = self.mode.joint_loss is SourceUse.WEIGHTED
        if not learns_joint and not derivatives:
            return directions

        # One look-ahead step of the target model, from the gradient it would see. Its derivative is D_t.
        if learns_joint and JOINT in weighted:
            gradient = list(torch._foreach_add(gradient, weighted.pop(JOINT)))
        if anchor is not None:
            distance = _difference(self.target.parameters, anchor)
            gradient = list(torch._foreach_add(gradient, distance, alpha=2 * self.options.lam))
            del distance, anchor
        moved, derivative = self.target.look_ahead(gradient, through)
        del gradient

        # D_s * D_t for A, D_t for B; empty if the direction is the validation gradient itself.
        if derivatives and through:
            torch._foreach_mul_(derivatives[ANCHOR], derivative)
        if learns_joint:
            derivatives[JOINT] = derivative
        del derivative

        # u, the validation gradient there, and the directions D * u. A acts through 2 lambda (w_t - w_s).
        u = self._unit_validation_gradient(self.target, moved)
        for place in list(derivatives):
            derivative = derivatives.pop(place)
            directions[place] = through_optimizer(u, derivative) if derivative else u
        if ANCHOR in directions and not self.options.validate_at_source:
            direction = directions[ANCHOR]
            directions[ANCHOR] = direction._replace(norm=2 * self.options.lam * direction.norm)
        return directions

    def _direction_at_source(self, ahead: LookAhead) -> Direction:
        """The direction for the source model's own validation loss after its next step: D_s * u, or u."""
        u = self._unit_validation_gradient(self.source, ahead.parameters)
        return through_optimizer(u, ahead.derivative) if self.options.through_optimizer else u

    def _unit_validation_gradient(self, model: TrainableModel, parameters: list[Tensor]) -> Direction:
        gradient, losses = validation_gradient(model, parameters, self.batches.validation)
        self.output.keypoint_losses["validation"].append(losses)
        return normalized(gradient)

    @profiled("source")
    def _weighted_gradient(
        self, place: Place, direction: Direction, scale: float, last: bool
    ) -> list[Tensor]:
        """Gradient, summed over ranks, of ``scale`` times the source losses, weighted by their hypergradient.

        One forward pass computes the losses and the hypergradient. Only the last loop updates the ignoring
        variables and, for A, the source model's running statistics.
        """
        model, batch = self.source if place == ANCHOR else self.target, self.batches.source
        with nullcontext() if place == ANCHOR and last else frozen_batchnorm(model.model):
            losses, jvp = losses_and_jvp(model, batch, direction.tensors)
        self.output.keypoint_losses["source"].append(losses.detach())

        # The hypergradient of the whole batch, and the weights it leads to, on every rank.
        samples, hypergradient = batch.gather(self.group, losses, jvp * (-scale * direction.norm))
        del direction, jvp
        variables = self.models.variables[place]
        weights = (variables.update if last else variables.preview)(hypergradient, samples)
        self.output.hypergradients[place], self.output.weights[place] = hypergradient, weights

        # The backward pass of the same losses, weighted.
        losses = weights[self.output.own] * losses
        name = "source_model" if place == ANCHOR else "source"
        self.output.losses[name] = batch.share_of_mean(losses.detach())
        return model.gradient(scale * losses.sum())

    def _current_weights(self, place: Place | None, losses: Tensor) -> Tensor:
        """Weights [N, J] of this rank's samples without a hypergradient; ones if ``place`` is None."""
        if place is None:
            return torch.ones_like(losses)
        samples, *_ = self.batches.source.gather(self.group, losses)
        if self.weighting is Weighting.UNIFORM:
            weights = torch.ones_like(samples.losses)
        else:
            weights = self.models.variables[place].current(samples)
        self.output.weights[place] = weights
        return weights[self.output.own]

    @profiled("source")
    def _step_source_model(self, place: Place | None) -> None:
        """Update the source model on the source batch, with the present weights or, for None, uniformly."""
        losses = self.source.losses(self.batches.source)
        self.output.keypoint_losses["source"].append(losses.detach())
        loss = self.batches.source.share_of_mean(self._current_weights(place, losses.detach()) * losses)
        self.output.losses["source_model"] = loss.detach()
        self.source.step(self.source.gradient(loss))

    @profiled("source")
    def _source_gradient(self, place: Place | None, scale: float) -> list[Tensor]:
        """This rank's part of the gradient, in the target model, of ``scale`` times the weighted source losses."""
        with frozen_batchnorm(self.target.model):
            losses = self.target.losses(self.batches.source)
        self.output.keypoint_losses["source"].append(losses.detach())
        losses = self._current_weights(place, losses.detach()) * losses
        self.output.losses["source"] = self.batches.source.share_of_mean(losses.detach())
        return self.target.local_gradient(scale * losses.sum())

    def _add_proximity_gradient_(self, gradient: list[Tensor]) -> None:
        """Add the gradient of lambda ||w_t - w_s||^2 in the target model, in place."""
        distance = _difference(self.target.parameters, self.source.parameters)
        loss = self.options.lam * norm(distance) ** 2
        self.output.losses["proximity"] = self.output.losses["target"].new_tensor(loss)
        torch._foreach_add_(gradient, distance, alpha=2 * self.options.lam)

    def _reduce_losses(self) -> None:
        """Sum every rank's parts of the mean losses, in one message."""
        self.group.all_reduce_(list(self.output.losses.values()))


def _difference(a: list[Tensor], b: list[Tensor]) -> list[Tensor]:
    return list(torch._foreach_sub([x.detach() for x in a], [x.detach() for x in b]))
