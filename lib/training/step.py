"""One training step of a phase: which models it trains, and where its weights come from."""

from dataclasses import replace

import torch

from lib.config.schema import IgnoringConfig
from lib.ignoring.batch import StepBatches
from lib.ignoring.bilevel_step import Options, StepModels, StepOutput, TrainingStep, Weighting
from lib.ignoring.modes import ANCHOR, JOINT, Place
from lib.training.phases import Phase
from lib.training.state import State
from lib.utils.errors import NonFiniteError


def step_options(lbi: IgnoringConfig) -> Options:
    """The numbers and choices of a step, from section LBI."""
    return Options(
        lbi.lam, lbi.gamma, lbi.meta_loop, lbi.hypergrad_through == "optimizer", lbi.meta_model == "source"
    )


def run_phase_step(
    lbi: IgnoringConfig, phase: Phase, state: State, batches: StepBatches, weighting: Weighting
) -> StepOutput:
    """Take one step of the models that ``phase`` trains; ``state.step`` is not counted on."""
    options = step_options(lbi)
    if phase.trains_target:
        models = StepModels(state.target, state.source, state.variables)
        return TrainingStep(phase.mode, options, models, batches, weighting).run()
    if not phase.uses_target:
        models = StepModels(None, state.source, state.variables)
        return TrainingStep(phase.mode, options, models, batches, weighting).run_source_first()
    # The source model is trained on source and target alike, so its weights A act in a joint loss.
    variables = {JOINT: state.variables[ANCHOR]} if ANCHOR in state.variables else {}
    models = StepModels(state.source, None, variables)
    output = TrainingStep(phase.mode, options, models, batches, weighting).run()
    return replace(
        output,
        weights=_as_anchor(output.weights),
        hypergradients=_as_anchor(output.hypergradients),
    )


def _as_anchor(by_place: dict[Place, torch.Tensor]) -> dict[Place, torch.Tensor]:
    """What a joint loss computed with the weights A, under A."""
    return {ANCHOR: by_place[JOINT]} if JOINT in by_place else {}


def weighting_of_step(lbi: IgnoringConfig, state: State, epoch: int, step: int) -> Weighting:
    """Decide how a step gets its ignoring weights; ``epoch`` and ``step`` count from the start of the phase."""
    if not state.learns:
        return Weighting.CURRENT
    if step < lbi.warmup:
        return Weighting.UNIFORM
    frozen = lbi.freeze_weights_epoch and epoch >= lbi.freeze_weights_epoch
    return Weighting.CURRENT if frozen or state.step % lbi.hypergrad_interval else Weighting.UPDATE


def raise_if_nonfinite_loss(output: StepOutput, step: int) -> None:
    """Raise NonFiniteError that names the first loss or hypergradient of ``output`` that is not finite."""
    # Hypergradients first: weights made from a bad one spoil the loss that they weight.
    named = [(f"hypergradient {place!r}", value) for place, value in output.hypergradients.items()]
    named += [(f"loss {name!r}", value) for name, value in output.losses.items()]
    # One wait for the device, for all values: the only one of a step.
    if not named or torch.stack([torch.isfinite(value).all() for _, value in named]).all():
        return
    first = next(name for name, value in named if not torch.isfinite(value).all())
    raise NonFiniteError(f"the {first} is not finite at step {step}")
