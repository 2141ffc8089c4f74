"""What is held of every label of the source: whether it is wrong, in what way, and where it belongs."""

from dataclasses import dataclass, fields

import numpy as np

THRESHOLD = 0.5  # probability of being wrong above which a label is flagged


@dataclass(frozen=True)
class Suspects:
    """Of N instances with J joints, in annotation order.

    probability: [N, J] of the label being wrong; 0 where there is none.
    kind: str [N, J], what is wrong with it if it is wrong ("right" if that is more likely): "exchanged", "limb sides",
        "person sides", "moved", "other instance", "surplus"; where there is no label, "missing" if there should be
        one, else "".
    partner: int [N, J] the joint whose place an exchanged label has; -1 for none.
    proposed: [N, J, 2] where the joint is thought to be, image pixels; NaN where nothing is proposed.
    sureness: [N, J] in [0, 1], of the kind, given that the label is wrong; for a missing label, that there is a joint.
    """

    probability: np.ndarray
    kind: np.ndarray
    partner: np.ndarray
    proposed: np.ndarray
    sureness: np.ndarray

    def of(self, rows: list[int] | np.ndarray) -> "Suspects":
        """Those of some instances, by position."""
        return Suspects(*(getattr(self, field.name)[rows] for field in fields(self)))
