"""Checks of how the ignoring weights are learned: whether they will say anything about the labels."""

from lib.config.schema import Config
from lib.doctor.findings import Finding, ok, warning
from lib.ignoring.modes import Mode


def check_method(config: Config, mode: Mode) -> list[Finding]:
    """Whether the weights of the run rank labels; no finding for a mode without weights."""
    if not mode.ignores:
        return []
    subject, variables = "ignoring weights", config.lbi.variables
    if variables == "online":
        result = (
            "LBI.VARIABLES online: weights of single batches, as in the original; their table ranks no labels"
        )
        return [warning(subject, result, "LBI.VARIABLES loss_aware finds wrong labels (docs/modes.md)")]
    return [ok(subject, f"one for every label (LBI.VARIABLES {variables})")]
