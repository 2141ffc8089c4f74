"""The nine training modes: a grid of two independent choices."""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

# Where the source enters a step, named after the weights A and B of docs/method.md:
# in the loss of the source model that the target model is held near, and in the target model's own loss.
Place = Literal["A", "B"]
ANCHOR: Place = "A"
JOINT: Place = "B"


class SourceUse(Enum):
    """How the source is used in one place of the training."""

    NONE = "no"
    UNIFORM = "plain"
    WEIGHTED = "weighted"
    FROZEN = "fixed"  # anchor only: a source model that was trained in an earlier phase


@dataclass(frozen=True)
class Mode:
    """One of the nine modes.

    joint_loss: how the source counts in the target model's own loss (weights B).
    anchor: how the source model is trained that the target model is held near (weights A).
    """

    name: str
    meaning: str
    joint_loss: SourceUse
    anchor: SourceUse

    @property
    def uses_source(self) -> bool:
        """True if the source is trained on, by either model."""
        return self.joint_loss is not SourceUse.NONE or self.has_source_model

    @property
    def has_source_model(self) -> bool:
        """True if there is a source model that the target model is held near."""
        return self.anchor is not SourceUse.NONE

    @property
    def ignores(self) -> bool:
        """True if some ignoring weights are learned."""
        return bool(self.weighted_places)

    @property
    def weighted_places(self) -> tuple[Place, ...]:
        """The places whose source loss has ignoring weights."""
        uses = ((ANCHOR, self.anchor), (JOINT, self.joint_loss))
        return tuple(place for place, use in uses if use is SourceUse.WEIGHTED)


_NONE, _UNIFORM, _WEIGHTED = SourceUse.NONE, SourceUse.UNIFORM, SourceUse.WEIGHTED

MODES = {
    mode.name: mode
    for mode in (
        Mode("baseline1", "target alone", _NONE, _NONE),
        Mode("baseline2", "source in the target's loss", _UNIFORM, _NONE),
        Mode("baseline3", "held near a source model", _NONE, _UNIFORM),
        Mode("baseline4", "source in the loss, and held near a source model", _UNIFORM, _UNIFORM),
        Mode("ours1", "weighted source in the target's loss", _WEIGHTED, _NONE),
        Mode("ours2", "held near a source model trained with weights", _NONE, _WEIGHTED),
        Mode("ours3", "weighted source in the loss, held near a plain source model", _WEIGHTED, _UNIFORM),
        Mode("ours4", "source in the loss, held near a weighted source model", _UNIFORM, _WEIGHTED),
        Mode("ours5", "weighted in both places", _WEIGHTED, _WEIGHTED),
    )
}
