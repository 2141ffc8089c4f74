"""Readings made of predicted poses, of which there are no heatmaps, only a place and a score for each joint."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import isotonic_regression

from lib.dataset.annotations import Annotations
from lib.wrong_labels.label_model import BELIEF, CHUNK, FAILURES, TOLERATED
from lib.wrong_labels.matched_poses import MatchedPoses
from lib.wrong_labels.readings import GRID, Readings, crop_positions
from lib.wrong_labels.renamings import Renamings
from lib.wrong_labels.shape import Shapes

SPREAD = 1.0  # standard deviation of the Gaussian that stands for a heatmap, in units of `Readings`
SIZE = 24  # of its longer side, pixels
KEPT = 500  # instances in which mistakes are simulated, at most
SHAPED = 1000  # instances whose predicted poses tell the shapes, at most
LEVELS, PER_LEVEL = 10, 200  # of scores, at most; labels in each, at least
FAR = 4 * GRID  # where a joint without a prediction is


@dataclass(frozen=True)
class Belief:
    """How much a network's score is worth: in [0, BELIEF], in the sense of `label_model.FAILURES`.

    Scores of networks have different scales. So a score counts by how often the labels agree with predictions of
    about that score, relative to the upper half of the scores. Labels are wrong as often at one score as at another;
    where they agree less, the network fails more often. Where they agree as in the upper half, or if there are no
    scores, it is taken to fail as often as FAILURES has it.

    edges: [L - 1] scores between the levels.
    values: [L] belief.
    """

    edges: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, annotations: Annotations, matched: MatchedPoses) -> "Belief":
        """Learn from the labels in doubt."""
        there = (annotations.visible > 0) & np.isfinite(matched.points).all(axis=-1)
        unit = annotations.sizes.max(axis=1) / GRID
        away = np.linalg.norm(matched.points - annotations.joints, axis=-1) / unit[:, None]
        scores, agree = matched.scores[there], away[there] < TOLERATED
        levels = int(np.clip(scores.size // PER_LEVEL, 1, LEVELS))
        edges = np.unique(np.quantile(scores, np.arange(1, levels) / levels)) if levels > 1 else np.zeros(0)
        level = np.digitize(scores, edges)
        count = np.bincount(level, minlength=len(edges) + 1) + 1e-6
        share = isotonic_regression(np.bincount(level, agree, len(count)) / count, weights=count).x
        upper = np.clip(np.cumsum(count) - count.sum() / 2, 0, count)
        usual = np.average(share, weights=upper)
        right = (1 - FAILURES.sum()) * np.minimum(share / max(usual, 1e-9), 1)
        disbelief = (1 - BELIEF) * np.sqrt((1 - right) / FAILURES.sum())
        return cls(edges, np.clip(1 - disbelief, 0, 1))

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """[...] of ``scores`` [...]."""
        return self.values[np.digitize(scores, self.edges)]


def readings_of(annotations: Annotations, matched: MatchedPoses, belief: Belief, seed: int) -> Readings:
    """Readings as of a network whose heatmaps are Gaussians at the predicted places, as high as its belief there.

    Labels without a prediction count as unlabelled.

    Args:
        annotations: N instances.
        matched: their poses.
        belief: in the scores of these.
        seed: draws the instances in which mistakes are simulated.
    """
    there = np.isfinite(matched.points).all(axis=-1)
    centers, sizes = annotations.centers, annotations.sizes
    labels = crop_positions(annotations.joints, centers, sizes)
    predicted = crop_positions(matched.points, centers, sizes)
    predicted = np.where(there[..., None], np.clip(predicted, -FAR, FAR), -FAR)
    height = np.where(there, belief(matched.scores), 0).astype(np.float32)
    kept = np.sort(np.random.default_rng(seed).permutation(len(labels))[:KEPT])
    return Readings(
        labels=labels.astype(np.float32),
        labelled=(annotations.visible > 0) & there,
        predicted=predicted.astype(np.float32),
        height=matched.scores.astype(np.float32),  # only its order counts
        energy=height**2,
        match=_match(labels, predicted, height),
        at_predicted=_match(predicted, predicted, height),
        instances=kept,
        maps=_maps(predicted[kept], height[kept], sizes),
    )


def _match(points: np.ndarray, places: np.ndarray, height: np.ndarray) -> np.ndarray:
    """`Readings.match` at ``points`` [N, J, 2] of Gaussians at ``places``: correlated, they are twice as wide."""
    match = np.empty((*height.shape, height.shape[1]), np.float32)
    for start in range(0, len(points), CHUNK):
        part = slice(start, start + CHUNK)
        away = ((points[part, :, None] - places[part, None]) ** 2).sum(axis=-1)
        match[part] = height[part, None] * np.exp(-away / (4 * SPREAD**2))
    return match


def _maps(places: np.ndarray, height: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """`Readings.maps` of Gaussians at ``places`` [M, J, 2]; sizes: [N, 2] of the crops, all of one shape."""
    aspect = sizes[0] / sizes[0].max()
    columns, rows = (np.arange(max(2, round(SIZE * side))) * GRID / SIZE for side in aspect)
    x, y = (
        np.exp(-((pixels - places[..., k, None]) ** 2) / (4 * SPREAD**2))
        for k, pixels in enumerate((columns, rows))
    )
    return (height[..., None, None] * y[..., :, None] * x[..., None, :]).astype(np.float16)


def shapes_of(readings: Readings, renamings: Renamings) -> Shapes:
    """The shapes of the predicted poses, where there is a label; of SHAPED instances, spread evenly, or all."""
    count = len(readings)
    part = readings.of(np.unique(np.linspace(0, count - 1, min(SHAPED, count)).astype(int)))
    return Shapes.of(replace(part, labels=part.predicted), renamings)
