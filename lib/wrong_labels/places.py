"""In what way a label is wrong, and where the joint is thought to be."""

import numpy as np

from lib.dataset.annotations import Annotations
from lib.ignoring.suspects import THRESHOLD, Suspects
from lib.wrong_labels.judge import Judgement
from lib.wrong_labels.label_model import CHUNK, REACH, LabelModel
from lib.wrong_labels.readings import GRID, Readings, image_positions
from lib.wrong_labels.renamings import Kind

# From a prediction to a label that is taken in its place, in units of GRID. A click is more precise, even where the
# network is far from it; farther away the click is moved as well.
SNAP = 4.0
NEAR = 1.5  # from a label to the prediction of another instance's joint
PRECISION = 0.7  # standard deviation of a prediction beside a learned displacement
FREQUENT = 400  # displacements that are considered; the others hardly count
SURELY_RIGHT = 0.1  # probability of being wrong, at most
UNSEEN, SEEN = 0.02, 0.25  # quantiles of what the network believes of joints with right labels
RENAMED = (Kind.EXCHANGED, Kind.LIMB_SIDES, Kind.PERSON_SIDES)


def suspects_of(readings: Readings, judgement: Judgement, annotations: Annotations) -> Suspects:
    """Kinds and places of all labels of the ``annotations`` that were read and judged.

    The label model's kinds are refined by what the network sees: a moved label whose joint is hardly to be seen is
    surplus, one at the joint of another instance is that instance's, and a joint that is clearly seen, has no
    label and belongs to an instance with labels is missing. Labels that were not read have no kind.
    """
    labelled, wrong = readings.labelled, judgement.probability
    likely = judgement.kinds[..., 1:].argmax(axis=-1) + 1
    partner, proposed = _renamed(readings, judgement, likely)
    moved = labelled & (likely == Kind.MOVED)
    proposed[moved] = _moved_back(readings.labels[moved], readings.predicted[moved], judgement.model)

    # What the network believes at its own prediction, against joints that are surely labelled right.
    joints = np.arange(labelled.shape[1])
    belief = readings.at_predicted[:, joints, joints]
    sure = belief[labelled & (wrong < SURELY_RIGHT)]
    unseen, seen = np.quantile(sure, (UNSEEN, SEEN)) if sure.size else (-np.inf, np.inf)
    surplus = moved & (belief < unseen)
    of_other = _at_other_instance(readings, annotations, moved & ~surplus)
    missing = (annotations.visible == 0) & labelled.any(axis=1, keepdims=True) & (belief > seen)
    proposed[missing] = readings.predicted[missing]
    proposed[surplus | ~(labelled | missing)] = np.nan

    kind = np.select([surplus, of_other], [Kind.SURPLUS, Kind.OTHER_INSTANCE], likely)
    kind = np.select(
        [labelled & (wrong > THRESHOLD), labelled, missing], [kind, Kind.RIGHT, Kind.MISSING], -1
    )
    of_kind = judgement.kinds[..., 1:].max(axis=-1) / np.maximum(wrong, 1e-9)
    names = np.array([kind.text for kind in Kind] + [""])  # -1 is the last
    return Suspects(
        probability=wrong,
        kind=names[kind],
        partner=np.where(labelled & np.isin(kind, RENAMED), partner, -1),
        proposed=image_positions(proposed, annotations.centers, annotations.sizes),
        sureness=np.clip(np.select([labelled, missing], [of_kind, belief], 0), 0, 1),
    )


def _renamed(readings: Readings, judgement: Judgement, likely: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For every label, if its name is wrong as ``likely`` [N, J] says: the joint whose place it has (int [N, J],
    -1 for none), and the place [N, J, 2] of its own joint, as in `Readings`."""
    renamings, posterior = judgement.model.renamings, judgement.explanation.posterior
    partner, source = np.full(likely.shape, -1), np.full(likely.shape, -1)
    inverse = np.argsort(renamings.permutations, axis=1)
    for j in range(likely.shape[1]):
        for kind in RENAMED:
            of_kind = np.flatnonzero(renamings.kinds[:, j] == kind)
            if of_kind.size:
                here = likely[:, j] == kind
                best = of_kind[posterior[here][:, of_kind].argmax(axis=1)]
                partner[here, j] = renamings.permutations[best, j]
                source[here, j] = inverse[best, j]
    # An annotator's own click is more precise than a prediction, where both are near.
    rows = np.arange(len(likely))[:, None]
    click = readings.labels[rows, source]
    near = np.linalg.norm(click - readings.predicted, axis=-1) < SNAP
    near &= (source >= 0) & readings.labelled[rows, source]
    return partner, np.where(near[..., None], click, readings.predicted).astype(np.float64)


def _moved_back(labels: np.ndarray, predicted: np.ndarray, model: LabelModel) -> np.ndarray:
    """[K, 2]: ``labels`` [K, 2] minus the displacement expected from what was learned and from ``predicted`` [K, 2].

    If labels are moved in one direction, that is more precise than the prediction, else it is near the prediction.
    """
    y, x = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1]
    frequent = np.argsort(-model.moved.ravel())[:FREQUENT]
    steps, density = np.stack([x.ravel(), y.ravel()], axis=-1)[frequent], model.moved.ravel()[frequent]
    result = predicted.astype(np.float64)
    for start in range(0, len(labels), CHUNK):
        part = slice(start, start + CHUNK)
        away = ((labels[part, None] - predicted[part, None] - steps) ** 2).sum(axis=-1)
        weights = density * np.exp(-away / (2 * PRECISION**2)) + 1e-300
        expected = (weights / weights.sum(axis=1, keepdims=True)) @ steps
        known = away.min(axis=1) < (3 * PRECISION) ** 2
        result[part] = np.where(known[:, None], labels[part] - expected, result[part])
    return result


def _at_other_instance(readings: Readings, annotations: Annotations, asked: np.ndarray) -> np.ndarray:
    """Which of the labels ``asked`` (bool [N, J]) lie on the same joint's prediction of another instance in the image."""
    labels = image_positions(readings.labels, annotations.centers, annotations.sizes)
    predicted = image_positions(readings.predicted, annotations.centers, annotations.sizes)
    predicted[~readings.labelled.any(axis=1)] = np.inf  # not read
    reach = annotations.sizes.max(axis=1) * NEAR / GRID
    result = np.zeros(asked.shape, bool)
    order = np.argsort(annotations.image_index, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(annotations.image_index[order]) != 0, True]) + 1
    for start, end in zip(np.r_[0, ends[:-1]], ends):
        together = order[start:end]
        if len(together) == 1 or not asked[together].any():
            continue
        distance = np.linalg.norm(labels[together][:, None] - predicted[together][None], axis=-1)
        distance[np.arange(len(together)), np.arange(len(together))] = np.inf
        result[together] = distance.min(axis=1) < reach[together][:, None]
    return result & asked
