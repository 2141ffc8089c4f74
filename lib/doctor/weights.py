"""Checks of what the ignoring weights are learned from."""

from lib.config.schema import Config
from lib.doctor.findings import Finding, ok, warning
from lib.doctor.sets import Sets
from lib.ignoring.modes import Mode
from lib.ignoring.weight_doubts import doubts_about_settings
from lib.training.batches import meta_dataset


def check_weight_learning(config: Config, mode: Mode, sets: Sets) -> list[Finding]:
    """Whether the weights can say something about the labels; nothing if the mode learns none.

    Doubts that only a finished run can raise are in its log, its results.json and its report.
    """
    if not mode.ignores or sets.data is None:
        return []
    trusted = meta_dataset(config.lbi, sets.data).annotations
    doubts = doubts_about_settings(config.lbi.variables, trusted)
    result = f"learned from {len(trusted):,} trusted instances, LBI.VARIABLES {config.lbi.variables}"
    advice = "the weights would say little about the labels"
    return [warning("ignoring weights", doubt, advice) for doubt in doubts] or [
        ok("ignoring weights", result)
    ]
