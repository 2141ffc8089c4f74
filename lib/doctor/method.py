"""Checks of how the ignoring weights are learned: whether they will say anything about the labels."""

from lib.config.schema import Config
from lib.doctor.findings import Finding, ok, warning
from lib.ignoring.modes import Mode
from lib.ignoring.weight_doubts import doubts_about_trusted, doubts_about_variables
from lib.training.batches import meta_dataset
from lib.training.data import Data


def check_method(config: Config, mode: Mode) -> list[Finding]:
    """Whether the weights of the run rank labels; no finding for a mode without weights."""
    if not mode.ignores:
        return []
    subject, variables = "ignoring weights", config.lbi.variables
    doubts = doubts_about_variables(variables)
    advice = "LBI.VARIABLES loss_aware finds wrong labels (docs/modes.md)"
    return [warning(subject, doubt, advice) for doubt in doubts] or [
        ok(subject, f"one for every label (LBI.VARIABLES {variables})")
    ]


def check_trusted(config: Config, mode: Mode, data: Data) -> list[Finding]:
    """Whether there are enough trusted labels to learn weights from; no finding for a mode without weights."""
    if not mode.ignores:
        return []
    subject, trusted = "trusted labels", meta_dataset(config.lbi, data).annotations
    doubts = doubts_about_trusted(trusted)
    advice = "the weights would say little"
    return [warning(subject, doubt, advice) for doubt in doubts] or [
        ok(subject, f"weights are learned from {len(trusted):,} instances of the target")
    ]
