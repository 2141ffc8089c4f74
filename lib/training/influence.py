"""What a setting has influence on: what is trained, how it is scored, or neither. Unnamed here, it is the training."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from lib.config.schema import settings
from lib.ignoring.modes import MODES, Mode
from lib.utils.errors import short_repr

# Entries are keys, or sections with a dot at their end.

# Where and how a run computes and writes: the numbers are the same, up to rounding.
COMPUTATION = (
    "CUDNN.", "DEBUG.", "DEVICE", "GPUS", "WORKERS", "THREADS", "PRINT_FREQ", "OUTPUT_DIR", "LOG_DIR", "WANDB",
    "DATASET.CACHE", "DATASET.PACK", "DATASET.ANNOTATION_CACHE",
    "TRAIN.RESUME", "TRAIN.RESUME_CHANGED", "TRAIN.SAVE_EVERY_MINUTES", "TRAIN.COMPILE", "TRAIN.CHANNELS_LAST",
)  # fmt: skip
# What main.py never trains or chooses an epoch on.
TEST_SET = ("DATASET_TARGET.TEST_SET", "DATASET_TARGET.SIGMAS")
# How a trained model is scored.
SCORING = ("TEST.", *TEST_SET)
# What a run reads once, before its first step.
START = ("TRAIN.LOAD_CKPT", "TRAIN.BEGIN_EPOCH", "LBI.SOURCE_CKPT", "MODEL.PRETRAINED", "MODEL.INIT_WEIGHTS")

_OF_WEIGHTS = (
    "META_LOOP", "VARIABLES", "LR", "HYPERGRAD_INTERVAL", "FREEZE_WEIGHTS_EPOCH", "META_MODEL", "META_DATA", "RETRAIN",
    "HYPERGRAD_THROUGH", "HYPERGRAD_LAYERS", "WARMUP", "VAL_BATCH_SIZE",
)  # fmt: skip
_OF_SOURCE_MODEL = ("LAM", "SCHEDULE", "SOURCE_MODEL_ON", "SOURCE_CKPT", "TARGET_LR", "META_MODEL")


class Change(NamedTuple):
    """A setting that differs: the earlier value and the present one."""

    key: str
    before: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.key} {short_repr(self.before)} (here {short_repr(self.now)})"


def names(entries: Collection[str], key: str) -> bool:
    """Whether ``key``, or a section that it is in, is among ``entries``."""
    return key in entries or any(entry.endswith(".") and key.startswith(entry) for entry in entries)


def changes(before: Mapping[str, Any], now: Mapping[str, Any], without: Collection[str] = ()) -> list[Change]:
    """The settings that differ, except those that ``without`` names; a key that only one has is left out."""
    return [
        Change(key, value, now[key])
        for key, value in before.items()
        if key in now and value != now[key] and not names(without, key)
    ]


def unused_settings(mode: Mode) -> tuple[str, ...]:
    """The settings that a run of ``mode`` does not read, or that change nothing in it."""
    if mode.name not in MODES:  # train.py
        return ("DATASET_SRC.", "DATASET_TARGET.", "LBI.", "TRAIN.SRC_BATCH_SIZE")
    keys = settings()
    # What DATASET has and DATASET_TARGET has not is about the images of any data set.
    of_target = (key.removeprefix("DATASET_TARGET.") for key in keys if key.startswith("DATASET_TARGET."))
    unused = {f"DATASET.{name}" for name in of_target}
    if not mode.uses_source:
        unused |= {"DATASET_SRC.", "TRAIN.SRC_BATCH_SIZE"}
        unused |= {key for key in keys if key.startswith("LBI.") and key != "LBI.VAL_IN_TRAIN"}
    if not mode.ignores:
        unused |= {f"LBI.{name}" for name in _OF_WEIGHTS}
    if not mode.has_source_model:
        unused |= {f"LBI.{name}" for name in _OF_SOURCE_MODEL}
    return tuple(sorted(unused))
