"""What the shape of instances says about their labels, without a picture; see `PoseModel`."""

from dataclasses import dataclass, replace

import numpy as np

from lib.dataset.annotations import PADDING
from lib.wrong_labels.pose_model import PoseModel
from lib.wrong_labels.readings import GRID, Readings
from lib.wrong_labels.renamings import Renamings

FEWEST = 20  # trusted instances from which shapes are learned
MOST_ODDS = 12.0  # log odds, at most


@dataclass(frozen=True)
class Shapes:
    """The shapes of trusted instances.

    model: None if there are too few of them.
    renamings: of the skeleton.
    """

    model: PoseModel | None
    renamings: Renamings

    @classmethod
    def of(cls, trusted: Readings, renamings: Renamings) -> "Shapes":
        """Learn from the instances with at least two labels."""
        usable = trusted.of(np.flatnonzero(trusted.labelled.sum(axis=1) > 1))
        if len(usable) < FEWEST or trusted.labelled.shape[1] < 2:
            return cls(None, renamings)
        model = PoseModel.fit(usable.labels, usable.labelled, _boxes(usable), renamings.flip)
        return cls(model, renamings)

    def seen_in(self, readings: Readings) -> Readings:
        """The readings with `Readings.shape_odds` and `Readings.shape_names`."""
        if self.model is None or not len(readings):
            return readings
        found = self.model.explain(
            readings.labels, readings.labelled, _boxes(readings), self.renamings.permutations
        )
        odds = np.clip(found.log_odds, -MOST_ODDS, MOST_ODDS)
        return replace(
            readings, shape_odds=odds.astype(np.float32), shape_names=found.posterior.astype(np.float32)
        )


def _boxes(readings: Readings) -> np.ndarray:
    """[N, 3] middle and longer side of the boxes in units of GRID: crops are boxes with padding."""
    height, width = readings.maps.shape[-2:]  # also of no maps
    middle = GRID / 2 * np.array([width, height]) / max(width, height)
    return np.tile([*middle, GRID / PADDING], (len(readings), 1))
