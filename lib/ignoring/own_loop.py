"""The ignoring variables in a training loop of one's own: any model, any loss that is known for each keypoint."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lib.ignoring.hypergradient import normalized, through_optimizer
from lib.ignoring.lookahead import look_ahead
from lib.ignoring.trainable_model import frozen_batchnorm, swapped
from lib.ignoring.variables import IgnoringVariables, SourceSamples
from lib.utils.errors import NonFiniteError


class IgnoringWeights:
    """Gives the weights of a batch of doubtful labels, between the backward passes of a step.

        optimizer.zero_grad()
        trusted_loss.backward()
        weights = ignoring.learn(SourceSamples(index, flipped, labelled, losses), validation_loss)
        (weights * losses).mean().backward()
        optimizer.step()

    In one process, with gradients as they are (no GradScaler).

    Args:
        variables: on the model's device.
        model: its BatchNorm statistics do not follow the validation pass.
        optimizer: torch's Adam, AdamW or SGD, of the model's parameters.
        along: parameters along which hypergradients are taken, best those of the last layer; None: all.
        follows_optimizer: take the derivative of the optimizer's own step, as LBI.HYPERGRAD_THROUGH optimizer.
    """

    def __init__(
        self,
        variables: IgnoringVariables,
        model: nn.Module,
        optimizer: Optimizer,
        along: Iterable[Tensor] | None = None,
        follows_optimizer: bool = False,
    ):
        self.variables, self.model, self.optimizer = variables, model, optimizer
        self.follows_optimizer = follows_optimizer
        self._parameters = [p for group in optimizer.param_groups for p in group["params"]]
        wanted = {id(parameter) for parameter in (self._parameters if along is None else along)}
        if not wanted:
            raise ValueError(
                "along: has no parameters (a layer without any, or a generator that was used up)"
            )
        self._is_along = [id(parameter) in wanted for parameter in self._parameters]
        if sum(self._is_along) < len(wanted):
            raise ValueError("along: has parameters that the optimizer does not train")
        self._along = [p for p, inside in zip(self._parameters, self._is_along) if inside]

    def learn(self, samples: SourceSamples, validation_loss: Callable[[], Tensor]) -> Tensor:
        """Update the variables by the hypergradient of a batch; its weights [N, J], 0 without a label.

        Args:
            samples: with losses [N, J] that keep their graph. It is kept for the backward pass.
            validation_loss: computes the mean loss of trusted labels with the model as it is when called; best of
                others than those that the step is trained on, and without augmentation.

        Raises:
            ValueError: losses and labelled are not of one shape [N, J], or the losses have no graph.
            NonFiniteError: a loss or hypergradient of a label is not finite; nothing was learned.
        """
        labelled = _labelled(samples)
        hypergradient = torch.where(labelled, self.hypergradient(samples.losses, validation_loss), 0)
        samples = _without_graph(samples, labelled)
        if not (torch.isfinite(hypergradient) & torch.isfinite(samples.losses)).all():
            raise NonFiniteError("a hypergradient, or the loss of a doubtful label, is not finite")
        return torch.where(labelled, self.variables.update(hypergradient, samples), 0)

    def current(self, samples: SourceSamples) -> Tensor:
        """The weights [N, J] as they are, 0 without a label: for steps that learn none."""
        labelled = _labelled(samples)
        return torch.where(labelled, self.variables.current(_without_graph(samples, labelled)), 0)

    def hypergradient(self, losses: Tensor, validation_loss: Callable[[], Tensor]) -> Tensor:
        """How the validation loss after the optimizer's next step depends on each weight, [N, J].

        The step is that of the present ``.grad`` of the parameters, plus weights that are 0 times the ``losses``
        [N, J]: their sum, so a factor of the loss is left out. See `learn`.
        """
        ahead = look_ahead(self.optimizer, self._gradients(), self._wants_derivative())
        with frozen_batchnorm(self.model), swapped(self._parameters, ahead.parameters), torch.enable_grad():
            gradient = torch.autograd.grad(validation_loss(), self._along, allow_unused=True)
        direction = normalized(
            [torch.zeros_like(p) if g is None else g for p, g in zip(self._along, gradient)]
        )
        if self.follows_optimizer:
            direction = through_optimizer(direction, ahead.derivative)
        return directional_derivative(losses, self._along, direction.tensors) * -direction.norm

    def _gradients(self) -> list[Tensor]:
        """Of the step without doubtful labels, in optimizer order.

        Raises:
            ValueError: the optimizer has taken steps with some parameters of a group alone.
        """
        for group in self.optimizer.param_groups:
            if len({bool(self.optimizer.state.get(parameter)) for parameter in group["params"]}) > 1:
                raise ValueError(
                    "the optimizer has parameters without gradients; give it only those that are trained"
                )
        return [torch.zeros_like(p) if p.grad is None else p.grad for p in self._parameters]

    def _wants_derivative(self) -> list[bool]:
        return [self.follows_optimizer and inside for inside in self._is_along]


def directional_derivative(
    losses: Tensor, parameters: Sequence[Tensor], direction: Sequence[Tensor]
) -> Tensor:
    """< direction, grad l_ij > of every loss [N, J], from the graph of the losses, which is kept.

    The gradient of the losses is linear in the factors before them, and its derivative by these is wanted: two
    backward passes, and no second forward pass, which need not give the same losses (dropout, sampled boxes).

    Raises:
        ValueError: the losses do not depend on any of the parameters.
    """
    factors = torch.zeros_like(losses, requires_grad=True)
    if losses.requires_grad:
        gradient = torch.autograd.grad(losses, parameters, factors, create_graph=True, allow_unused=True)
        parts = [(g * d).sum() for g, d in zip(gradient, direction) if g is not None]
        if parts:
            return torch.autograd.grad(torch.stack(parts).sum(), factors)[0]
    raise ValueError("the losses have no graph to the parameters along which hypergradients are taken")


def _labelled(samples: SourceSamples) -> Tensor:
    """Which keypoints have a label, [N, J] bool; ValueError unless there is a loss for each (a mean would broadcast)."""
    shapes = [tuple(each.shape) for each in (samples.losses, samples.labelled)]
    if shapes[0] != shapes[1] or len(shapes[0]) != 2 or shapes[0][0] != len(samples.index):
        raise ValueError(
            f"losses have the shape {shapes[0]}, labelled {shapes[1]}, and index {len(samples.index)} samples; expected "
            "[N, J] for both: one loss for each keypoint, not their mean"
        )
    return samples.labelled > 0


def _without_graph(samples: SourceSamples, labelled: Tensor) -> SourceSamples:
    """The samples for the variables; losses without a label are 0."""
    return replace(samples, losses=torch.where(labelled, samples.losses.detach(), 0))
