"""LBI.SOURCE_CKPT: the source model of an earlier run, in place of the phase that trains one."""

from lib.config.loader import flat_config, settings_in, stored_settings
from lib.ignoring.modes import ANCHOR, JOINT, MODES, Mode, Place
from lib.label_noise.source_record import check_source_of_checkpoint
from lib.training.influence import COMPUTATION, SCORING, changes, unused_settings
from lib.training.phases import trains_source_first
from lib.training.run_spec import RunSpec
from lib.training.state import State
from lib.utils.checkpoint import load_checkpoint
from lib.utils.errors import InputError, short_repr
from lib.utils.log import LOG

# What acts on the target model alone, or says where the source model comes from.
BESIDE_SOURCE_MODEL = (
    "LBI.LAM", "LBI.TARGET_LR", "LBI.META_MODEL", "LBI.RETRAIN",
    "LBI.SCHEDULE", "LBI.SOURCE_MODEL_ON", "LBI.SOURCE_CKPT",
)  # fmt: skip


def joint_twin(mode: Mode) -> str:
    """The mode without a source model that trains its target model as ``mode`` trains its source model on both sets."""
    return next(
        twin.name for twin in MODES.values() if not twin.has_source_model and twin.joint_loss is mode.anchor
    )


def take_source_model(spec: RunSpec, state: State) -> None:
    """Load the source model and its ignoring weights from LBI.SOURCE_CKPT; the run goes on with the second phase.

    The checkpoint is one of a run that trained its source model first, or, with LBI.SOURCE_MODEL_ON both, of the
    mode that trains a target model in the same way (`joint_twin`): then the results are those of a run that
    trains its source model itself, to the last bit on one machine.

    Raises:
        InputError: the mode has no such phase, or the checkpoint does not fit or is not finished.
    """
    config, path = spec.config, spec.config.lbi.source_ckpt
    if not trains_source_first(config.lbi, spec.mode):
        raise InputError(
            f"LBI.SOURCE_CKPT is {path}, but --{spec.mode.name} with LBI.SCHEDULE {config.lbi.schedule} "
            "trains no source model first"
        )
    checkpoint = load_checkpoint(path)
    role, place = _where(checkpoint, spec, path)
    if ANCHOR in state.variables:
        check_source_of_checkpoint(checkpoint.get("source"), spec.data.source_record, path)
    state.load_source_model(checkpoint, path, role, place)
    # The position and the time as if this run had trained the source model: the order of the data follows.
    state.epoch = spec.phases[1].begin
    state.step = state.epoch * spec.steps_per_epoch
    state.seconds = _seconds_per_step(checkpoint, path) * state.step
    LOG.info(f"source model and ignoring weights from {path}")
    without = (*COMPUTATION, *SCORING, *BESIDE_SOURCE_MODEL, *unused_settings(spec.mode))
    stored = stored_settings(str(checkpoint.get("config", "")), path)
    if differing := changes(stored, flat_config(config), without):
        LOG.warning(f"LBI.SOURCE_CKPT: trained with other settings: {', '.join(map(str, differing))}")


def _where(checkpoint: dict, spec: RunSpec, path: str) -> tuple[str, Place]:
    """Which model of the checkpoint is the source model, and which of its weights are A."""
    config, mode = spec.config, MODES.get(str(checkpoint.get("mode")))
    accepted = [other.name for other in MODES.values() if other.anchor is spec.mode.anchor]
    twin = joint_twin(spec.mode) if config.lbi.source_model_on == "both" else None
    if mode is None or mode.name not in (*accepted, twin):
        raise InputError(
            f"{path}: a checkpoint of mode {short_repr(checkpoint.get('mode'))}, "
            f"expected {', '.join(filter(None, (twin, *accepted)))}"
        )
    epochs, wanted = checkpoint.get("epoch"), spec.phases[1].begin
    if type(epochs) is not int or epochs < wanted:
        raise InputError(
            f"{path}: after {short_repr(epochs)} epochs, expected {wanted} (TRAIN.END_EPOCH): not finished"
        )
    if mode.name == twin:
        return "target", JOINT
    stored = settings_in(str(checkpoint.get("config", "")), path)
    for key in ("LBI.SCHEDULE", "LBI.SOURCE_MODEL_ON"):
        if stored.get(key) != flat_config(config)[key]:
            raise InputError(
                f"{path}: has {key} {short_repr(stored.get(key))}, the configuration {flat_config(config)[key]}"
            )
    return "source", ANCHOR


def _seconds_per_step(checkpoint: dict, path: str) -> float:
    steps, seconds = checkpoint.get("step"), checkpoint.get("seconds")
    if type(steps) is not int or steps < 1 or type(seconds) is not float:
        raise InputError(
            f"{path}: {short_repr(steps)} steps in {short_repr(seconds)} seconds, expected numbers"
        )
    return seconds / steps
