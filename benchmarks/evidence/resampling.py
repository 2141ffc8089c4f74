"""Figures with 95 % intervals by a bootstrap over people and seeds at once (Efron 1979; percentiles).

A figure is computed on everything (entry 0) and on resamples of the people, who are drawn as often as their weight
says (entries 1 to R); so are seeds, whose figures are averaged. Methods are compared on the same resamples.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lib.ignoring.ranking import tie_keys
from lib.wrong_labels.metrics import FIRST

COUNT = 2000
LEVEL = 95  # percent
CHUNK = 4_000_000  # numbers at once
SEED = 20  # of the resamples
AUROC, AP, PRECISION = "AUROC", "AP", f"precision at {FIRST}"


@dataclass(frozen=True)
class Interval:
    """A figure and the ends of its interval; NaN if it is not defined."""

    value: float
    low: float
    high: float

    def text(self, digits: int, sign: bool = False) -> str:
        """Such as ".871 (.850 to .890)", with so many digits; "-" if there is none."""
        if np.isnan(self.value):
            return "-"
        value, low, high = (f"{number:{'+' if sign else ''}.{digits}f}" for number in (self.value, self.low, self.high))  # fmt: skip
        return f"{value} ({low} to {high})"


def people_weights(people: int, count: int = COUNT) -> np.ndarray:
    """float32 [1 + count, people]: ones, then how often each person is drawn into each resample."""
    drawn = np.random.default_rng([SEED, 0]).multinomial(people, np.full(people, 1 / people), count)
    return np.concatenate([np.ones((1, people)), drawn]).astype(np.float32)


def over_seeds(of_seed: Mapping[int, np.ndarray]) -> np.ndarray:
    """[1 + R], the mean of the seeds' figures [1 + R], each resample over seeds of its own."""
    values = np.stack([of_seed[seed] for seed in sorted(of_seed)], axis=1)
    seeds = values.shape[1]
    drawn = np.random.default_rng([SEED, 1]).multinomial(seeds, np.full(seeds, 1 / seeds), len(values) - 1)
    weights = np.concatenate([np.ones((1, seeds)), drawn])
    return np.where(weights > 0, values * weights, 0).sum(axis=1) / weights.sum(axis=1)


def estimate(values: np.ndarray) -> Interval:
    """The figure of everything, with the interval of its resamples; ``values``: [1 + R]."""
    known = values[1:][~np.isnan(values[1:])]
    if np.isnan(values[0]) or not len(known):
        return Interval(float("nan"), float("nan"), float("nan"))
    low, high = np.percentile(known, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return Interval(float(values[0]), float(low), float(high))


def difference(ours: Mapping[int, np.ndarray], other: Mapping[int, np.ndarray]) -> Interval:
    """Ours minus the other, over the seeds that both have."""
    common = sorted(ours.keys() & other.keys())
    if not common:
        return Interval(float("nan"), float("nan"), float("nan"))
    return estimate(over_seeds({s: ours[s] for s in common}) - over_seeds({s: other[s] for s in common}))


@dataclass(frozen=True)
class Labels:
    """K labels that are known to be right or wrong.

    people: int [K], position of the person that each belongs to.
    keys: uint64 [K], the order of labels with equal scores.
    wrong: bool [K].
    """

    people: np.ndarray
    keys: np.ndarray
    wrong: np.ndarray

    @classmethod
    def of(cls, ids: np.ndarray, joints: np.ndarray, wrong: np.ndarray, everyone: np.ndarray) -> "Labels":
        """Labels by annotation id and number of the joint, [K]; ``everyone``: ids of the people, ascending."""
        return cls(np.searchsorted(everyone, ids), tie_keys(ids, joints), wrong)


def ranking_figures(scores: np.ndarray, labels: Labels, weights: np.ndarray) -> dict[str, np.ndarray]:
    """AUROC, average precision and precision at 100 of a ranking, on every resample.

    Args:
        scores: [K], higher is more suspect; equal scores count half in AUROC, and share a threshold in AP.
        labels: whose scores they are.
        weights: [1 + R, N], see `people_weights`.

    Returns:
        {figure: [1 + R]}; NaN where a resample has no wrong or no right label.
    """
    order = np.lexsort((labels.keys, -scores))
    people, wrong = labels.people[order], labels.wrong[order].astype(np.float64)
    ends = np.flatnonzero(np.diff(scores[order], append=np.nan) != 0)
    rows = max(1, CHUNK // max(len(order), 1))
    parts = [
        _figures(weights[first : first + rows][:, people].astype(np.float64), wrong, ends)
        for first in range(0, len(weights), rows)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in (AUROC, AP, PRECISION)}


def _figures(weights: np.ndarray, wrong: np.ndarray, ends: np.ndarray) -> dict[str, np.ndarray]:
    """Of labels in the order of suspicion; ``weights``: [r, K]; ``ends``: the last of each group of equal scores."""
    found, seen = np.cumsum(weights * wrong, axis=1), np.cumsum(weights, axis=1)
    first = np.diff(np.minimum(seen, FIRST), axis=1, prepend=0)
    found, seen = found[:, ends], seen[:, ends]
    passed = seen - found  # right labels that are as suspect, or more
    here, right = np.diff(found, axis=1, prepend=0), np.diff(passed, axis=1, prepend=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        below = passed[:, -1:] - passed + right / 2
        auroc = (here * below).sum(axis=1) / (found[:, -1] * passed[:, -1])
        ap = (here * np.where(seen > 0, found / seen, 0)).sum(axis=1) / found[:, -1]
        precision = np.where(found[:, -1] > 0, (first * wrong).sum(axis=1) / first.sum(axis=1), np.nan)
    return {AUROC: auroc, AP: ap, PRECISION: precision}
