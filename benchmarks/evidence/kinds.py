"""How well suspects are described: what is wrong with them, where their joints are, and how many there are."""

from dataclasses import dataclass, replace

import numpy as np

from benchmarks.evidence.ranking import in_heads
from lib.ignoring.suspects import Suspects
from lib.training.data import Data
from lib.wrong_labels.renamings import Kind

SAME_PLACE = 0.02  # of the crop's longer side: a label that lies on the true place of another joint
HALF_A_HEAD = 0.5


@dataclass(frozen=True)
class Described:
    """Figures of the wrong labels that are flagged; None where there is none.

    kind_right: share of them whose kind is right; left and right of a limb and of a person count as one kind, since
        a person of whom one limb is labelled has both.
    place_right: share of them whose proposed place is within half a head of the true one.
    wrong_share: true share of wrong labels among all.
    estimated, estimated_low, estimated_high: what is said of it.
    estimated_precision: what is said of the precision of the flagged labels.
    """

    kind_right: float | None
    place_right: float | None
    wrong_share: float
    estimated: float
    estimated_low: float
    estimated_high: float
    estimated_precision: float | None


def described(data: Data, suspects: Suspects, flagged: np.ndarray, estimate: dict) -> Described:
    """Compare suspects with the truth.

    Args:
        data: of the run, with its truth.
        suspects: of the source.
        flagged: [N, J] bool.
        estimate: an `Estimate` as a dictionary.
    """
    annotations, truth = data.source.annotations, data.source_truth
    labelled = annotations.visible > 0
    wrong = np.zeros(labelled.shape, bool) if truth is None else truth.corrupted & labelled
    found, count = flagged & wrong, max(estimate["labels"], 1)
    kind_right = place_right = None
    if found.any():
        true_kinds = kinds_of_mistakes(data)
        kind_right = float((_coarse(suspects.kind) == true_kinds)[found].mean())
        away = in_heads(suspects.proposed, replace(annotations, joints=truth.clean_joints))
        place_right = float((away <= HALF_A_HEAD)[found].mean())
    return Described(
        kind_right,
        place_right,
        wrong_share=float(wrong.sum() / max(labelled.sum(), 1)),
        estimated=estimate["wrong"] / count,
        estimated_low=estimate["low"] / count,
        estimated_high=estimate["high"] / count,
        estimated_precision=estimate["precision"] if estimate["flagged"] else None,
    )


def kinds_of_mistakes(data: Data) -> np.ndarray:
    """str [N, J]: "exchanged" and "sides" where the label lies on the true place of another joint, else "moved"."""
    annotations = data.source.annotations
    places = data.source_truth.clean_joints
    gap = np.linalg.norm(annotations.joints[:, :, None] - places[:, None], axis=-1)
    gap = np.nan_to_num(gap / annotations.sizes.max(axis=1)[:, None, None], nan=np.inf)
    nearest, flip = gap.argmin(axis=2), np.array(annotations.mapping.flip_indices)
    named = np.where(nearest == flip, "sides", "exchanged")
    return np.where(gap.min(axis=2) < SAME_PLACE, named, "moved")


def _coarse(kinds: np.ndarray) -> np.ndarray:
    """Kinds of `Suspects` as those of `kinds_of_mistakes`."""
    result = np.array(kinds, dtype="<U16")
    result[np.isin(kinds, [Kind.LIMB_SIDES.text, Kind.PERSON_SIDES.text])] = "sides"
    result[np.isin(kinds, [Kind.OTHER_INSTANCE.text, Kind.SURPLUS.text])] = "moved"
    return result
