"""The phases of training: source and target model together, or the source model first; learning-rate schedule."""

from dataclasses import dataclass, replace

from lib.config.schema import IgnoringConfig, TrainConfig
from lib.ignoring.modes import Mode, SourceUse
from lib.utils.errors import InputError


@dataclass(frozen=True)
class Phase:
    """Epochs ``begin`` to ``end`` (exclusive), in which the same models are trained in the same way.

    roles: the models that are trained, "source", "target" or both.
    mode: of the phase's steps.
    lr: initial learning rate.
    """

    roles: tuple[str, ...]
    mode: Mode
    begin: int
    end: int
    lr: float

    @property
    def trains_target(self) -> bool:
        """True if the target model is trained; otherwise only the source model is."""
        return "target" in self.roles

    @property
    def uses_target(self) -> bool:
        """True if target batches are trained on: by the target model, or by a source model trained on both sets."""
        return self.trains_target or self.mode.joint_loss is not SourceUse.NONE

    @property
    def uses_source(self) -> bool:
        """True if source batches are trained on, by either model."""
        return "source" in self.roles or self.mode.joint_loss is not SourceUse.NONE

    @property
    def ignores(self) -> bool:
        """True if its steps weight source keypoints."""
        return self.mode.ignores

    def learning_rate(self, train: TrainConfig, epoch: int) -> float:
        """The learning rate of ``epoch``: LR times LR_FACTOR for every LR_STEP passed since the phase began."""
        passed = sum(epoch - self.begin >= milestone for milestone in train.lr_step)
        return self.lr * train.lr_factor**passed


def phases(train: TrainConfig, lbi: IgnoringConfig, mode: Mode) -> list[Phase]:
    """The phases of a run: one, or with LBI.SCHEDULE source_first two of TRAIN.END_EPOCH epochs each.

    In the first of two, the source model is trained; the target model starts from it in the second, whose
    epochs count on from the first's.
    """
    end, lr = train.end_epoch, train.lr
    if not trains_source_first(lbi, mode):
        roles = ("source", "target") if mode.has_source_model else ("target",)
        return [Phase(roles, mode, 0, end, lr)]
    if lbi.source_model_on == "both":  # the source, weighted or not, beside target batches
        first = replace(mode, joint_loss=mode.anchor, anchor=SourceUse.NONE)
    else:
        first = replace(mode, joint_loss=SourceUse.NONE)
    return [
        Phase(("source",), first, 0, end, lr),
        Phase(("target",), replace(mode, anchor=SourceUse.FROZEN), end, 2 * end, lr * lbi.target_lr),
    ]


def check_epochs(train: TrainConfig, of_run: list[Phase]) -> None:
    """Raise InputError if a run of these phases that begins anew has no epoch to train.

    With TRAIN.LOAD_CKPT it may have none: the models of the checkpoint are tested.
    """
    if train.begin_epoch >= of_run[-1].end and not train.load_ckpt:
        raise InputError(
            f"nothing to train: TRAIN.BEGIN_EPOCH is {train.begin_epoch}, TRAIN.END_EPOCH {train.end_epoch}; "
            "expected an end after the beginning"
        )


def trains_source_first(lbi: IgnoringConfig, mode: Mode) -> bool:
    """True if the run has two phases; a mode without a source model never has."""
    return mode.has_source_model and lbi.schedule == "source_first"
