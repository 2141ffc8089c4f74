"""The nine modes as a grid of two independent choices."""

from dataclasses import dataclass
from enum import Enum


class SourceUse(Enum):
    """How the source takes part in one place of the training."""

    NONE = "no"
    UNIFORM = "plain"
    WEIGHTED = "weighted"
    FROZEN = "fixed"  # near a source model that was trained before and rests now


@dataclass(frozen=True)
class Mode:
    """joint_loss: the source in the target model's own loss (weights B).
    anchor: the target model held near a source model (trained with weights A)."""

    name: str
    meaning: str
    joint_loss: SourceUse
    anchor: SourceUse

    @property
    def uses_source(self) -> bool:
        return self.joint_loss is not SourceUse.NONE or self.has_source_model

    @property
    def has_source_model(self) -> bool:
        return self.anchor is not SourceUse.NONE

    @property
    def ignores(self) -> bool:
        """Some weights are learned."""
        return SourceUse.WEIGHTED in (self.joint_loss, self.anchor)


MODES = {
    mode.name: mode
    for mode in (
        Mode("baseline1", "target alone", SourceUse.NONE, SourceUse.NONE),
        Mode("baseline2", "source in the target's loss", SourceUse.UNIFORM, SourceUse.NONE),
        Mode("baseline3", "held near a source model", SourceUse.NONE, SourceUse.UNIFORM),
        Mode(
            "baseline4",
            "source in the loss, and held near a source model",
            SourceUse.UNIFORM,
            SourceUse.UNIFORM,
        ),
        Mode("ours1", "weighted source in the target's loss", SourceUse.WEIGHTED, SourceUse.NONE),
        Mode("ours2", "held near a source model trained with weights", SourceUse.NONE, SourceUse.WEIGHTED),
        Mode(
            "ours3",
            "weighted source in the loss, held near a plain source model",
            SourceUse.WEIGHTED,
            SourceUse.UNIFORM,
        ),
        Mode(
            "ours4",
            "source in the loss, held near a weighted source model",
            SourceUse.UNIFORM,
            SourceUse.WEIGHTED,
        ),
        Mode("ours5", "weighted in both places", SourceUse.WEIGHTED, SourceUse.WEIGHTED),
    )
}
