"""Which models are trained when, and how fast: source and target together, or the source model first."""

from dataclasses import dataclass, replace

from easydict import EasyDict

from lib.ignoring.modes import Mode, SourceUse


@dataclass(frozen=True)
class Phase:
    """A part of the training, epochs ``begin`` to before ``end``, in which ``roles`` of models are trained.

    ``mode`` is that of its steps; ``lr`` is the learning rate at its start.
    """

    roles: tuple[str, ...]
    mode: Mode
    begin: int
    end: int
    lr: float

    @property
    def trains_target(self) -> bool:
        """The target model is trained; without, the source model alone is."""
        return "target" in self.roles

    @property
    def uses_target(self) -> bool:
        """The target's people are trained on: by the target model, or by a source model that has both in its loss."""
        return self.trains_target or self.mode.joint_loss is not SourceUse.NONE

    @property
    def uses_source(self) -> bool:
        return "source" in self.roles or self.mode.joint_loss is not SourceUse.NONE

    @property
    def ignores(self) -> bool:
        """Its steps weight source keypoints."""
        return self.mode.ignores

    def learning_rate(self, train: EasyDict, epoch: int) -> float:
        """LR times LR_FACTOR for every LR_STEP that has come since the phase began; of the epoch alone."""
        passed = sum(epoch - self.begin >= milestone for milestone in train.LR_STEP)
        return self.lr * train.LR_FACTOR**passed


def phases(config: EasyDict, mode: Mode) -> list[Phase]:
    """One phase, or two where a source model is trained first and the target model starts from it.

    Either phase has TRAIN.END_EPOCH epochs.
    """
    end, lr = config.TRAIN.END_EPOCH, config.TRAIN.LR
    if not trains_source_first(config, mode):
        roles = ("source", "target") if mode.has_source_model else ("target",)
        return [Phase(roles, mode, 0, end, lr)]
    if config.LBI.SOURCE_MODEL_ON == "both":  # the source, weighted or not, beside the target's people
        first = replace(mode, joint_loss=mode.anchor, anchor=SourceUse.NONE)
    else:
        first = replace(mode, joint_loss=SourceUse.NONE)
    return [
        Phase(("source",), first, 0, end, lr),
        Phase(("target",), replace(mode, anchor=SourceUse.FROZEN), end, 2 * end, lr * config.LBI.TARGET_LR),
    ]


def trains_source_first(config: EasyDict, mode: Mode) -> bool:
    return mode.has_source_model and config.LBI.SCHEDULE == "source_first"
