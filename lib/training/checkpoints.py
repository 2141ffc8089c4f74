"""The checkpoints of a run: last.pth, the one before it (previous.pth), and best.pth."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from lib.config.loader import dump_config
from lib.dataset.coco_file import PERSON
from lib.dataset.layouts import layout_of
from lib.label_noise.source_record import check_source_of_checkpoint
from lib.models.category import Category
from lib.models.loss import OverPixels
from lib.training.changed_settings import check_changed_settings
from lib.training.run_spec import RunSpec
from lib.training.state import State
from lib.utils.checkpoint import load_newest, save_checkpoint
from lib.utils.errors import InputError, short_repr
from lib.utils.files import remove_temporary_files
from lib.utils.log import LOG

LAST, PREVIOUS, BEST, DAMAGED = "last.pth", "previous.pth", "best.pth", "damaged.pth"


class Checkpointer:
    """Writes the checkpoints of one run; each holds all of ``state``, the settings, the joints and their category.

    With several ranks, the main one writes.

    Args:
        metrics_bytes: returns the size of metrics.jsonl so far, which resuming truncates the file to.
    """

    def __init__(self, spec: RunSpec, state: State, metrics_bytes: Callable[[], int]):
        self.folder = spec.paths.output
        self.state = state
        self.metrics_bytes = metrics_bytes
        self.interval = 60 * spec.config.train.save_every_minutes
        self.saved_at = time.monotonic()
        self.settings = {
            "config": dump_config(spec.config),
            "joints": list(spec.data.joints),
            "category": _category(spec).entry(),
            "loss_over_pixels": spec.over_pixels.value,
        }
        self.source = {"source": asdict(spec.data.source_record)} if spec.data.source_record else {}

    def due(self) -> bool:
        """True if TRAIN.SAVE_EVERY_MINUTES have passed since the last checkpoint."""
        return 0 < self.interval <= time.monotonic() - self.saved_at

    def save_last(self) -> None:
        """Write last.pth; the one that was there becomes previous.pth."""
        if self.state.group.is_main:
            save_checkpoint(self.folder / LAST, self._contents(), self.folder / PREVIOUS)
        self.saved_at = time.monotonic()

    def save_best(self) -> None:
        """Write best.pth."""
        if self.state.group.is_main:
            save_checkpoint(self.folder / BEST, self._contents())

    def _contents(self) -> dict:
        return {
            **self.state.state_dict(),
            **self.settings,
            **self.source,
            "metrics_bytes": self.metrics_bytes(),
        }


def _category(spec: RunSpec) -> Category:
    """The target's category, or that of train.py's only data set."""
    config, data = spec.config, spec.data
    section = config.dataset if data.validation is data.test else config.dataset_target
    described = layout_of(section).category(section.train_set)
    if described is None:
        return Category((PERSON,), "person", data.skeleton)
    return Category(described.numbers, described.name, data.skeleton)


def has_checkpoint(folder: Path) -> bool:
    """True if a run can be resumed from ``folder``."""
    return (folder / LAST).exists() or (folder / PREVIOUS).exists()


def resume(spec: RunSpec, state: State) -> int:
    """Load the newest undamaged checkpoint of the run's folder into ``state``.

    Returns:
        The size in bytes of metrics.jsonl when the checkpoint was written.

    Raises:
        InputError: if no checkpoint can be used, or it is of another mode, data or settings than the run.
    """
    folder = spec.paths.output
    if state.group.is_main:  # the others come later, when it may be writing again
        remove_temporary_files(folder)
    last, previous = folder / LAST, folder / PREVIOUS
    checkpoint, path = load_newest(last, previous)
    if path == previous and last.exists():
        last.rename(folder / DAMAGED)  # otherwise the next checkpoint would move it over the good one
    if checkpoint.get("mode") == spec.mode.name:  # of another one, nothing fits
        check_changed_settings(spec, checkpoint, path)
        _check_loss_matches(checkpoint, spec, path)
        if spec.mode.ignores:
            check_source_of_checkpoint(checkpoint.get("source"), spec.data.source_record, path)
    state.load_state_dict(checkpoint, str(path))
    within = f" and {state.step_of_epoch} steps" if state.step_of_epoch else ""
    LOG.info(f"resumed from {path} (after {state.epoch} epochs{within})")
    if state.epoch >= spec.phases[-1].end:
        LOG.info("this run is finished: nothing is left to train (TRAIN.END_EPOCH); it is only tested again")
    metrics_bytes = checkpoint.get("metrics_bytes")
    if type(metrics_bytes) is not int or metrics_bytes < 0:
        raise InputError(f"{path}: metrics_bytes is {short_repr(metrics_bytes)}, expected a number of bytes")
    return metrics_bytes


def _check_loss_matches(checkpoint: dict, spec: RunSpec, path: Path) -> None:
    """Raise InputError if the optimizer's moments belong to a loss of another scale."""
    over = checkpoint.get("loss_over_pixels", OverPixels.SUM.value)  # earlier versions had no other
    if over != spec.over_pixels.value:
        raise InputError(
            f"{path}: cannot resume: trained on the loss's {short_repr(over)} over pixels, "
            f"expected the {spec.over_pixels.value}, as {spec.mode.name} trains on; start again with "
            "TRAIN.LOAD_CKPT, which takes the models alone"
        )
