"""The statistics of a label that tell right from wrong, for the regression in `judge`."""

from dataclasses import dataclass

import numpy as np

from lib.wrong_labels.label_model import Explanation, LabelModel
from lib.wrong_labels.readings import Readings
from lib.wrong_labels.renamings import Kind

LIMIT = 4.0  # of standardized features
OF_OTHERS = ("loss", "distance", "match", "height", "right", "renamed", "moved")


def log_odds(probability: np.ndarray, smallest: float = 1e-5) -> np.ndarray:
    """log(p / (1 - p)), within +-log(1 / smallest)."""
    return np.log((probability + smallest) / (1 - probability + smallest))


@dataclass(frozen=True)
class Features:
    """How features are standardized: {name: (mean [J], standard deviation [J])} over the labels of each joint."""

    scales: dict[str, tuple[np.ndarray, np.ndarray]]

    @classmethod
    def of(cls, statistics: dict[str, np.ndarray], labelled: np.ndarray) -> "Features":
        """The scales of the ``statistics`` [N, J] of `statistics`."""
        count = np.maximum(labelled.sum(axis=0), 1)
        scales = {}
        for name, values in statistics.items():
            mean = np.where(labelled, values, 0).sum(axis=0) / count
            variance = np.where(labelled, (values - mean) ** 2, 0).sum(axis=0) / count
            scales[name] = mean, np.sqrt(variance) + 1e-6
        return cls(scales)

    def matrix(self, statistics: dict[str, np.ndarray], labelled: np.ndarray) -> np.ndarray:
        """Features float32 [N, J, F]: standardized statistics, some also as the mean over the instance's other
        labels, and which joint it is."""
        columns = []
        others = np.maximum(labelled.sum(axis=1, keepdims=True) - labelled, 1)
        for name, values in statistics.items():
            mean, deviation = self.scales[name]
            own = np.clip((values - mean) / deviation, -LIMIT, LIMIT) * labelled
            columns.append(own)
            if name in OF_OTHERS:
                columns.append((own.sum(axis=1, keepdims=True) - own) / others)
        joint = np.broadcast_to(np.eye(labelled.shape[1]), (len(labelled), *[labelled.shape[1]] * 2))
        return np.concatenate([np.stack(columns, axis=-1), joint], axis=-1).astype(np.float32)


def statistics(readings: Readings, model: LabelModel, found: Explanation) -> dict[str, np.ndarray]:
    """The statistics [N, J] of every label, by name.

    Args:
        readings: of the network.
        model, found: the label model, and what it says about these labels.
    """
    joints = np.arange(readings.labels.shape[1])
    own = readings.match[:, joints, joints]
    distance = readings.distance
    beside, away = readings.match.copy(), distance.copy()
    beside[:, joints, joints], away[:, joints, joints] = -9, 99
    loss = np.maximum(readings.energy + 1 - 2 * own, 0)  # of the keypoint, relative to an empty heatmap's
    renamed = found.kinds[..., Kind.EXCHANGED : Kind.MOVED].sum(axis=-1)
    result = {
        "loss": np.log(loss + 0.03),
        "distance": np.log(distance[:, joints, joints] + 0.3),
        "match": own,
        "height": readings.height,
        "energy": readings.energy,
        "mirrored match": readings.match[:, joints, model.renamings.flip],
        "right": log_odds(found.kinds[..., Kind.RIGHT]),
        "renamed": log_odds(renamed),
        "moved": log_odds(found.kinds[..., Kind.MOVED]),
        "names": np.repeat(np.log(found.posterior[:, :1] + 1e-5), len(joints), axis=1),
        "displacement": np.log(model.moved_density(readings.labels - readings.predicted)),
    }
    if len(readings.shape_odds):
        result["shape"] = readings.shape_odds
    if len(joints) > 1:
        result |= {
            "match of others": beside.max(axis=2),
            "distance to others": np.log(away.min(axis=2) + 0.3),
        }
    return result
