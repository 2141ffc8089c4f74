"""The checkpoints of a run: last.pth, the one before it, and best.pth."""

import time
from collections.abc import Callable
from pathlib import Path

from lib.config.loader import dump_config, flat_config, settings_in
from lib.config.schema import Config
from lib.ignoring.modes import Mode
from lib.training.phases import trains_source_first
from lib.training.state import State
from lib.utils.checkpoint import load_newest, save_checkpoint
from lib.utils.errors import InputError, shown
from lib.utils.files import remove_temporary_files

LAST, PREVIOUS, BEST, DAMAGED = "last.pth", "previous.pth", "best.pth", "damaged.pth"

# Settings that say what is trained when: a run can't go on with others than it began with.
MUST_MATCH_ON_RESUME = (
    "LBI.SCHEDULE",
    "LBI.SOURCE_MODEL_ON",
    "LBI.RETRAIN",
    "LBI.VARIABLES",
    "LBI.VAL_IN_TRAIN",
)
MUST_MATCH_WITH_PHASES = (
    "TRAIN.END_EPOCH",
)  # would move the end of the source model's phase; otherwise more are welcome
MUST_MATCH_WITHIN_EPOCH = ("TRAIN.STEPS_PER_EPOCH", "TRAIN.BATCH_SIZE")  # say where in its epoch a step is


class Checkpointer:
    """Writes the checkpoints of one run into ``folder``; each has all of ``state`` and the settings.

    Of several processes the first one writes.

    ``joints``: the network's. ``written()``: bytes of metrics.jsonl so far, so that going on from here
    repeats none of it.
    """

    def __init__(
        self,
        folder: Path,
        config: Config,
        state: State,
        joints: tuple[str, ...],
        written: Callable[[], int],
    ):
        self.folder = folder
        self.state = state
        self.written = written
        self.minutes = config.train.save_every_minutes
        self.saved = time.monotonic()
        self.settings = {"config": dump_config(config), "joints": list(joints)}

    def due(self) -> bool:
        """TRAIN.SAVE_EVERY_MINUTES have gone by since the last checkpoint."""
        return 0 < self.minutes * 60 <= time.monotonic() - self.saved

    def save_last(self) -> None:
        if self.state.group.is_main:
            save_checkpoint(self.folder / LAST, self._contents(), self.folder / PREVIOUS)
        self.saved = time.monotonic()

    def save_best(self) -> None:
        if self.state.group.is_main:
            save_checkpoint(self.folder / BEST, self._contents())

    def _contents(self) -> dict:
        return {**self.state.state_dict(), **self.settings, "metrics_bytes": self.written()}


def has_checkpoint(folder: Path) -> bool:
    return (folder / LAST).exists() or (folder / PREVIOUS).exists()


def go_on(folder: Path, config: Config, mode: Mode, state: State, report: Callable[[str], None]) -> int:
    """Set ``state`` to the newest good checkpoint of ``folder``; the bytes of metrics.jsonl that belong to it.

    Raises InputError where none can be used, or where it is of another course of training.
    """
    remove_temporary_files(folder)
    last, previous = folder / LAST, folder / PREVIOUS
    checkpoint, path = load_newest(last, previous, lambda line: report(f"warning: {line}"))
    if path == previous and last.exists():
        last.rename(folder / DAMAGED)  # or the next checkpoint would put it in the good one's place
    _expect_same(MUST_MATCH_ON_RESUME, checkpoint, config, path)
    state.load_state_dict(checkpoint, str(path))
    if trains_source_first(config, mode):
        _expect_same(MUST_MATCH_WITH_PHASES, checkpoint, config, path)
    if state.step_of_epoch:
        _expect_same(MUST_MATCH_WITHIN_EPOCH, checkpoint, config, path)
    within = f" and {state.step_of_epoch} steps of the next" if state.step_of_epoch else ""
    report(f"going on from {path}, after {state.epoch} epochs{within}")
    written = checkpoint.get("metrics_bytes")
    if type(written) is not int or written < 0:
        raise InputError(f"{path}: metrics_bytes is {shown(written)}, expected a number of bytes")
    return written


def _expect_same(keys: tuple[str, ...], checkpoint: dict, config: Config, path: Path) -> None:
    """Raise InputError where the run of ``checkpoint`` began with other values of ``keys``."""
    began, values = settings_in(str(checkpoint.get("config", "")), str(path)), flat_config(config)
    for key in keys:
        expected = values[key]
        found = began.get(key, expected)
        if found != expected:
            raise InputError(
                f"{path}: the run began with {key} {shown(found)}, it can't go on with {expected}"
            )
