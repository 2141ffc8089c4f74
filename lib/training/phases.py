"""Which models are trained when, and how fast: source and target together, or the source model first."""

from dataclasses import dataclass, replace

from lib.config.schema import Config, TrainConfig
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

    def learning_rate(self, train: TrainConfig, epoch: int) -> float:
        """LR times LR_FACTOR for every LR_STEP that has come since the phase began; of the epoch alone."""
        passed = sum(epoch - self.begin >= milestone for milestone in train.lr_step)
        return self.lr * train.lr_factor**passed


def phases(config: Config, mode: Mode) -> list[Phase]:
    """One phase, or two where a source model is trained first and the target model starts from it.

    Either phase has TRAIN.END_EPOCH epochs.
    """
    end, lr = config.train.end_epoch, config.train.lr
    if not trains_source_first(config, mode):
        roles = ("source", "target") if mode.has_source_model else ("target",)
        return [Phase(roles, mode, 0, end, lr)]
    if config.lbi.source_model_on == "both":  # the source, weighted or not, beside the target's people
        first = replace(mode, joint_loss=mode.anchor, anchor=SourceUse.NONE)
    else:
        first = replace(mode, joint_loss=SourceUse.NONE)
    return [
        Phase(("source",), first, 0, end, lr),
        Phase(("target",), replace(mode, anchor=SourceUse.FROZEN), end, 2 * end, lr * config.lbi.target_lr),
    ]


def trains_source_first(config: Config, mode: Mode) -> bool:
    return mode.has_source_model and config.lbi.schedule == "source_first"
