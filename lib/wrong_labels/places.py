"""In what way a label is wrong, and where the joint is thought to be."""

from dataclasses import dataclass

import numpy as np

from lib.dataset.annotations import Annotations
from lib.ignoring.suspects import Suspects
from lib.wrong_labels.judge import Judgement
from lib.wrong_labels.label_model import REACH, LabelModel
from lib.wrong_labels.readings import GRID, Readings, image_positions
from lib.wrong_labels.renamings import Kind

SNAP = 1.5  # from a prediction to a label that is taken in its place; about a third of a head
PRECISION = 0.7  # standard deviation of a prediction beside a learned displacement
UNSEEN, SEEN = 0.02, 0.25  # quantiles of what the network believes of joints with right labels


@dataclass(frozen=True)
class _Found:
    """kind: int [N, J] of Kind.   partner: int [N, J], -1 for none.   proposed: [N, J, 2] as in Readings, NaN for none."""

    kind: np.ndarray
    partner: np.ndarray
    proposed: np.ndarray


def suspects_of(readings: Readings, judgement: Judgement, annotations: Annotations) -> Suspects:
    """Kinds and places of all labels of the ``annotations`` that were read and judged."""
    labelled, wrong = readings.labelled, judgement.probability
    likely = judgement.kinds[..., 1:].argmax(axis=-1) + 1
    found = _renamed(readings, judgement, likely)
    proposed = np.where(
        (likely == Kind.MOVED)[..., None], _moved_back(readings, judgement.model), found.proposed
    )

    # What the network believes at its own prediction, against joints that are surely labelled right.
    joints = np.arange(labelled.shape[1])
    belief = readings.at_predicted[:, joints, joints]
    sure = belief[labelled & (wrong < 0.1)]
    unseen, seen = np.quantile(sure, (UNSEEN, SEEN)) if sure.size else (-np.inf, np.inf)
    kind = np.where((likely == Kind.MOVED) & (belief < unseen), Kind.SURPLUS, likely)
    proposed[kind == Kind.SURPLUS] = np.nan

    # Only labels on the joint of another instance's prediction are that instance's.
    in_image = image_positions(readings.labels, annotations.centers, annotations.sizes)
    predicted = image_positions(readings.predicted, annotations.centers, annotations.sizes)
    reach = annotations.sizes.max(axis=1) * SNAP / GRID
    there = _at_other_instance(in_image, predicted, annotations.image_index, reach, kind == Kind.MOVED)
    kind = np.where(there, Kind.OTHER_INSTANCE, kind)

    missing = ~labelled & (belief > seen) & labelled.any(axis=1, keepdims=True)
    kind = np.where(labelled, np.where(wrong > 0.5, kind, Kind.RIGHT), np.where(missing, Kind.MISSING, -1))
    proposed = np.where(missing[..., None], readings.predicted, proposed)
    proposed[~labelled & ~missing] = np.nan
    shares = judgement.kinds[..., 1:] / np.maximum(wrong, 1e-9)[..., None]
    sureness = np.where(labelled, shares.max(axis=-1), np.where(missing, np.clip(belief, 0, 1), 0))
    names = np.array([of.text for of in Kind] + [""])  # -1 is the last
    return Suspects(
        probability=wrong,
        kind=names[kind],
        partner=np.where(labelled & np.isin(kind, RENAMED), found.partner, -1),
        proposed=image_positions(proposed, annotations.centers, annotations.sizes),
        sureness=np.clip(sureness, 0, 1),
    )


RENAMED = (Kind.EXCHANGED, Kind.LIMB_SIDES, Kind.PERSON_SIDES)


def _renamed(readings: Readings, judgement: Judgement, likely: np.ndarray) -> _Found:
    """Partner and place of every label, if its name is wrong as ``likely`` [N, J] says."""
    renamings, posterior = judgement.model.renamings, judgement.explanation.posterior
    count, joints = likely.shape
    partner, source = np.full((count, joints), -1), np.full((count, joints), -1)
    inverse = np.argsort(renamings.permutations, axis=1)
    rows = np.arange(count)
    for j in range(joints):
        for kind in RENAMED:
            of_kind = np.flatnonzero(renamings.kinds[:, j] == kind)
            if of_kind.size:
                best = of_kind[posterior[:, of_kind].argmax(axis=1)]
                here = likely[:, j] == kind
                partner[here, j] = renamings.permutations[best, j][here]
                source[here, j] = inverse[best, j][here]
    # An annotator's own click is more precise than a prediction, where both are near.
    click = readings.labels[rows[:, None], source]
    near = np.linalg.norm(click - readings.predicted, axis=-1) < SNAP
    near &= (source >= 0) & readings.labelled[rows[:, None], source]
    return _Found(likely, partner, np.where(near[..., None], click, readings.predicted).astype(np.float64))


def _moved_back(readings: Readings, model: LabelModel) -> np.ndarray:
    """[N, J, 2]: labels minus the displacement that is expected from what was learned and from the prediction.

    If labels are moved in one direction, that is more precise than the prediction, else it is near the prediction.
    """
    y, x = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1]
    steps = np.stack([x.ravel(), y.ravel()], axis=-1)
    frequent = np.argsort(-model.moved.ravel())[:400]  # the others hardly count
    steps, density = steps[frequent], model.moved.ravel()[frequent]
    gap = readings.labels - readings.predicted
    result = readings.predicted.astype(np.float64)
    for j in range(gap.shape[1]):
        away = ((gap[:, j, None] - steps) ** 2).sum(axis=-1)
        weights = density * np.exp(-away / (2 * PRECISION**2)) + 1e-300
        expected = (weights / weights.sum(axis=1, keepdims=True)) @ steps
        known = away.min(axis=1) < (3 * PRECISION) ** 2
        result[known, j] = (readings.labels[:, j] - expected)[known]
    return result


def _at_other_instance(
    labels: np.ndarray, predicted: np.ndarray, image_index: np.ndarray, reach: np.ndarray, asked: np.ndarray
) -> np.ndarray:
    """[N, J] bool: labels that lie within ``reach`` [N] of the same joint's prediction of another instance in the image."""
    result = np.zeros(asked.shape, bool)
    order = np.argsort(image_index, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(image_index[order]) != 0, True])
    for start, end in zip(starts[:-1], starts[1:]):
        together = order[start:end]
        if len(together) == 1 or not asked[together].any():
            continue
        distance = np.linalg.norm(labels[together][:, None] - predicted[together][None], axis=-1)
        distance[np.arange(len(together)), np.arange(len(together))] = np.inf
        result[together] = distance.min(axis=1) < reach[together][:, None]
    return result & asked
