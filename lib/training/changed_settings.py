"""Whether a run may go on with other settings than its checkpoint's."""

import itertools
from pathlib import Path

from lib.config.loader import flat_config, stored_settings
from lib.config.schema import settings
from lib.training.influence import COMPUTATION, START, TEST_SET, Change, changes, names, unused_settings
from lib.training.phases import trains_source_first
from lib.training.run_spec import RunSpec
from lib.utils.errors import InputError, short_repr
from lib.utils.log import LOG

# Without them the state of the checkpoint means nothing, or has another form.
NEVER = (
    "LBI.SCHEDULE",
    "LBI.SOURCE_MODEL_ON",
    "LBI.RETRAIN",
    "LBI.VARIABLES",
    "LBI.VAL_IN_TRAIN",
    "TRAIN.OPTIMIZER",
    # The tensors of the network.
    "MODEL.NAME", "MODEL.EXTRA.NUM_LAYERS", "MODEL.EXTRA.WIDTH", "MODEL.EXTRA.NUM_DECONV_LAYERS",
    "MODEL.EXTRA.NUM_DECONV_FILTERS", "MODEL.EXTRA.NUM_DECONV_KERNELS", "MODEL.EXTRA.DECONV_WITH_BIAS",
    "MODEL.EXTRA.FINAL_CONV_KERNEL",
)  # fmt: skip
# ... with two phases: it would move the end of the first one.
NEVER_WITH_PHASES = ("TRAIN.END_EPOCH",)
# ... within an epoch: they decide which step of the epoch comes next.
NEVER_WITHIN_EPOCH = ("TRAIN.STEPS_PER_EPOCH", "TRAIN.BATCH_SIZE")

# They spoil nothing: how long is trained, how often and how fast is evaluated, what is tested at the end.
WELCOME = (
    "TRAIN.END_EPOCH", "TEST.EVAL_EPOCHS", "TEST.BATCH_SIZE", "TEST.MODEL_FILE", "TEST.PCKH_LEGACY_01",
    "DATASET.ON_BAD_IMAGE", *TEST_SET,
)  # fmt: skip


def check_changed_settings(spec: RunSpec, checkpoint: dict, path: Path) -> None:
    """Log which settings with influence differ from the checkpoint's, and refuse what would spoil the run.

    TRAIN.RESUME_CHANGED names those that may differ all the same.

    Raises:
        InputError: naming every setting that differs and may not.
    """
    stored = stored_settings(str(checkpoint.get("config", "")), str(path))
    without = (*COMPUTATION, *START, *unused_settings(spec.mode))
    changed = changes(stored, flat_config(spec.config), without)
    _refuse_other_joints(spec, checkpoint, path)
    _refuse(NEVER, changed, path)
    if trains_source_first(spec.config.lbi, spec.mode):
        _refuse(NEVER_WITH_PHASES, changed, path)
    if checkpoint.get("step_of_epoch"):
        _refuse(NEVER_WITHIN_EPOCH, changed, path)

    allowed = spec.config.train.resume_changed
    if unknown := [key for key in allowed if key not in settings()]:
        raise InputError(
            f"TRAIN.RESUME_CHANGED: {short_repr(unknown[0])} is no setting; expected their keys: '[KEY, KEY]'"
        )
    spoiling = [change for change in changed if not names((*WELCOME, *allowed), change.key)]
    if spoiling:
        keys = ", ".join(change.key for change in spoiling)
        raise InputError(
            f"{path}: cannot resume with other settings than the checkpoint's: {_listed(spoiling)}; expected the "
            f"checkpoint's, or TRAIN.RESUME_CHANGED '[{keys}]' to go on with those of now"
        )
    if changed:
        harmless = all(names(WELCOME, change.key) for change in changed)
        log = LOG.info if harmless else LOG.warning
        log(f"resuming with other settings than the checkpoint's: {_listed(changed)}")


def _refuse(keys: tuple[str, ...], changed: list[Change], path: Path) -> None:
    for change in changed:
        if change.key in keys:
            raise InputError(
                f"{path}: cannot resume: the checkpoint has {change.key} {short_repr(change.before)}, "
                f"the configuration {change.now}"
            )


def _refuse_other_joints(spec: RunSpec, checkpoint: dict, path: Path) -> None:
    before, now = checkpoint.get("joints"), list(spec.data.joints)
    if not isinstance(before, list) or before == now:  # early versions stored none
        return
    pairs = enumerate(itertools.zip_longest(before, now))
    number, (was, is_now) = next((n, pair) for n, pair in pairs if pair[0] != pair[1])
    raise InputError(
        f"{path}: cannot resume: joint {number} of the checkpoint's {len(before)} is {short_repr(was)}, "
        f"of the data's {len(now)} {short_repr(is_now)}"
    )


def _listed(changed: list[Change]) -> str:
    return ", ".join(map(str, changed))
