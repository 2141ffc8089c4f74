"""Warns in the log, and for results.json, when the ignoring weights of a run say nothing."""

from lib.ignoring.weight_doubts import (
    Agreement,
    doubts_about_direction,
    doubts_about_trusted,
    doubts_about_variables,
    doubts_about_weights,
)
from lib.training.batches import meta_dataset
from lib.training.run_spec import RunSpec
from lib.training.state import State
from lib.utils.log import LOG


def warn_before_training(spec: RunSpec, state: State) -> None:
    """Log the doubts that are known before the first step."""
    for doubt in _about_settings(spec, state):
        LOG.warning(f"ignoring weights: {doubt}")


def warn_after_training(spec: RunSpec, state: State) -> list[str]:
    """Log all doubts about the weights that the run learned, and return them, each with the weights' place."""
    warnings = [f"ignoring weights: {doubt}" for doubt in _about_settings(spec, state)]
    for place, variables in sorted(state.variables.items(), reverse=True):
        if not variables.learned:
            continue
        labelled = spec.data.source.annotations.visible > 0
        doubts = doubts_about_direction(Agreement(*variables.agreement.tolist()), int(labelled.sum()))
        doubts += doubts_about_weights(variables.all_weights().cpu().numpy()[labelled])
        warnings += [f"weights {place}: {doubt}" for doubt in doubts]
    for warning in warnings:
        LOG.warning(warning)
    return warnings


def _about_settings(spec: RunSpec, state: State) -> list[str]:
    if not state.learns:
        return []
    lbi = spec.config.lbi
    trusted = meta_dataset(lbi, spec.data).annotations
    return doubts_about_variables(lbi.variables) + doubts_about_trusted(trusted)
