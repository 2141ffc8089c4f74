"""The nine modes as a grid of two independent choices."""

from dataclasses import dataclass
from enum import Enum


class Source(Enum):
    """How the source takes part in one place of the training."""

    NO = "no"
    PLAIN = "plain"
    WEIGHTED = "weighted"
    FIXED = "fixed"  # near a source model that was trained before and rests now


@dataclass(frozen=True)
class Mode:
    """in_loss: the source in the target model's own loss (weights B).
    near: the target model held near a source model (trained with weights A)."""

    name: str
    meaning: str
    in_loss: Source
    near: Source

    @property
    def uses_source(self) -> bool:
        return self.in_loss is not Source.NO or self.has_source_model

    @property
    def has_source_model(self) -> bool:
        return self.near is not Source.NO

    @property
    def ignores(self) -> bool:
        """Some weights are learned."""
        return Source.WEIGHTED in (self.in_loss, self.near)


MODES = {
    mode.name: mode
    for mode in (
        Mode("baseline1", "target alone", Source.NO, Source.NO),
        Mode("baseline2", "source in the target's loss", Source.PLAIN, Source.NO),
        Mode("baseline3", "held near a source model", Source.NO, Source.PLAIN),
        Mode("baseline4", "source in the loss, and held near a source model", Source.PLAIN, Source.PLAIN),
        Mode("ours1", "weighted source in the target's loss", Source.WEIGHTED, Source.NO),
        Mode("ours2", "held near a source model trained with weights", Source.NO, Source.WEIGHTED),
        Mode(
            "ours3",
            "weighted source in the loss, held near a plain source model",
            Source.WEIGHTED,
            Source.PLAIN,
        ),
        Mode("ours4", "source in the loss, held near a weighted source model", Source.PLAIN, Source.WEIGHTED),
        Mode("ours5", "weighted in both places", Source.WEIGHTED, Source.WEIGHTED),
    )
}
