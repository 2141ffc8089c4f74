"""What is held of labels, made without a network."""

import numpy as np

from lib.ignoring.suspects import Suspects


def suspects_of(probability: np.ndarray, **arrays: np.ndarray) -> Suspects:
    """Suspects with ``probability`` [N, J]: moved where it is above a half, no place proposed; ``arrays`` instead."""
    shape = probability.shape
    usual = {
        "kind": np.where(probability > 0.5, "moved", "right").astype("<U16"),
        "partner": np.full(shape, -1),
        "proposed": np.full((*shape, 2), np.nan),
        "sureness": np.ones(shape),
    }
    return Suspects(probability, **(usual | arrays))
