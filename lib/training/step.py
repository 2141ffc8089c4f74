"""One training step of a phase: of which models, with which batches, and where its weights come from."""

import torch

from lib.config.schema import Config, IgnoringConfig
from lib.dataset.keypoint_dataset import Sample
from lib.ignoring.bilevel_step import Options, Record, Weighting, source_first_step, training_step
from lib.training.batches import as_batch, as_source_batch, watched
from lib.training.phases import Phase
from lib.training.state import State
from lib.utils.errors import NonFiniteError


def take_step(
    config: Config,
    phase: Phase,
    weighting: Weighting,
    state: State,
    target: Sample | None,
    source: Sample | None,
    validation: Sample | None,
    outputs: list[torch.Tensor],
    passes: dict[str, list[torch.Tensor]],
    counts: list[tuple[int, ...]],
) -> Record:
    """One step of the models that ``phase`` trains; the heatmaps of the target's people go into ``outputs``,
    and the losses [N, J] of every pass of a batch into ``passes``. ``counts``: see TrainingBatches."""
    lbi, by_weight = config.lbi, config.loss.use_target_weight
    options = Options(
        lbi.lam, lbi.gamma, lbi.meta_loop, lbi.hypergrad_through == "optimizer", lbi.meta_model == "source"
    )
    of_target, of_source, of_validation = counts
    source_batch = validation_batch = None
    if source:
        source_batch = watched(as_source_batch(source, by_weight, of_source), passes["source"])
    if validation:
        validation_batch = watched(as_batch(validation, by_weight, None, of_validation), passes["validation"])
    if not phase.uses_target:
        return source_first_step(
            phase.mode, options, state.source, state.variables, source_batch, validation_batch, weighting
        )
    target_batch = watched(as_batch(target, by_weight, outputs, of_target), passes["target"])
    if phase.trains_target:
        learner, near, variables = state.target, state.source, state.variables
    else:  # a source model with the target's people in its loss; the weights of its source are still A
        learner, near, variables = state.source, None, _renamed(state.variables, "A", "B")
    record = training_step(
        phase.mode, options, learner, near, variables, target_batch, source_batch, validation_batch, weighting
    )
    if not phase.trains_target:
        record.weights = _renamed(record.weights, "B", "A")
        record.gradients = _renamed(record.gradients, "B", "A")
    return record


def _renamed(places: dict, old: str, new: str) -> dict:
    """Of ``places``, that one alone, by its new name."""
    return {new: places[old]} if old in places else {}


def weighting_of(lbi: IgnoringConfig, state: State, epoch: int, step: int) -> Weighting:
    """Where the weights come from in a step of an epoch, both counted from the phase's beginning."""
    if not state.learns:
        return Weighting.CURRENT
    if step < lbi.warmup:
        return Weighting.UNIFORM
    rests = lbi.freeze_weights_epoch and epoch >= lbi.freeze_weights_epoch
    return Weighting.CURRENT if rests or state.step % lbi.hypergrad_interval else Weighting.UPDATE


def raise_if_nonfinite_loss(record: Record, step: int) -> None:
    """Raise NonFiniteError naming the first loss or hypergradient of ``record`` that is not finite."""
    # Hypergradients first: weights made from a bad one spoil the loss that they weight.
    for kind, values in (("hypergradient", record.gradients), ("loss", record.losses)):
        for name, value in values.items():
            if not torch.isfinite(value).all():
                raise NonFiniteError(f"the {kind} {name!r} is not finite at step {step}")
