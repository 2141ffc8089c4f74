"""Known mistakes, made in labels that are held to be right: what wrong labels look like to this network."""

from dataclasses import dataclass, replace

import numpy as np

from lib.wrong_labels.label_model import REACH
from lib.wrong_labels.readings import GRID, Readings
from lib.wrong_labels.renamings import Kind, Renamings

SPREAD = 1.0  # of the logarithm of an instance's own rates: who errs once errs again
DIFFICULTY = 0.5  # of the same, for each standard deviation of how hard the instance is for the network
MOST = 0.8  # probability of a mistake
DISTANCES = (0.08, 0.48)  # of moved labels, share of the crop's longer side
LEARNED = 0.5  # share of the moved labels that move as the label model has found


@dataclass(frozen=True)
class Rates:
    """How often mistakes are made: probabilities.

    exchanged, limb_sides, person_sides: of each renaming of the kind, per instance.
    moved: per label.
    """

    exchanged: float = 0.15
    limb_sides: float = 0.1
    person_sides: float = 0.1
    moved: float = 0.1


def with_mistakes(
    readings: Readings, renamings: Renamings, moved: np.ndarray, rates: Rates, rng: np.random.Generator
) -> tuple[Readings, np.ndarray]:
    """Readings of the same instances with mistakes in their labels.

    Args:
        readings: of M instances whose heatmaps are all kept.
        renamings: of the skeleton; those that exchange nothing else are drawn, one after another.
        moved: density of displacements, see `LabelModel`.
        rates: how often.
        rng: source of the random numbers.

    Returns:
        The readings, and int [M, J] of Kind, what is wrong with each label.
    """
    count, joints = readings.labelled.shape
    own = _own_rates(readings, rng)
    names = np.tile(np.arange(joints), (count, 1))
    for row in _elementary(renamings):
        kind = renamings.kinds[row].max()
        drawn = rng.random(count) < np.minimum(_rate(rates, kind) * own, MOST)
        names[drawn] = names[drawn][:, renamings.permutations[row]]
    kinds = _kinds_of(names, renamings)

    # Labels change their places together with what the network sees there.
    rows = np.arange(count)[:, None]
    labels, match = readings.labels[rows, names], readings.match[rows, names]
    labelled = readings.labelled[rows, names]  # what has no label leaves none under its new name
    stray = rng.random((count, joints)) < np.minimum(rates.moved * own, MOST)[:, None]
    stray &= labelled
    strayed = np.clip(labels + _steps(moved, stray.shape, rng), -1, GRID)
    labels = np.where(stray[..., None], strayed, labels).astype(np.float32)
    match = np.where(stray[..., None], _match_at(readings, labels), match)
    kinds = np.where(stray, Kind.MOVED, kinds) * labelled
    return replace(readings, labels=labels, labelled=labelled, match=match), kinds


def _elementary(renamings: Renamings) -> list[int]:
    """Rows of the renamings of a single kind that are no products of others of the kind."""
    renamed, chosen = renamings.renamed, dict[int, list[int]]()
    for row in np.argsort(renamed.sum(axis=1), kind="stable")[1:]:
        kinds = set(renamings.kinds[row][renamed[row]].tolist())
        if len(kinds) > 1:
            continue
        same = chosen.setdefault(kinds.pop(), [])
        if not any((renamed[other] <= renamed[row]).all() for other in same):
            same.append(int(row))
    return [row for rows in chosen.values() for row in rows]


def _rate(rates: Rates, kind: int) -> float:
    return {Kind.EXCHANGED: rates.exchanged, Kind.LIMB_SIDES: rates.limb_sides}.get(
        Kind(kind), rates.person_sides
    )


def _own_rates(readings: Readings, rng: np.random.Generator) -> np.ndarray:
    """Factors [M] of the rates, 1 on the average: some instances have many mistakes, hard ones more than others.

    Hard for people is what is hard for the network; how little it believes its own predictions does not depend on
    the labels.
    """
    if not len(readings):
        return np.ones(0)
    joints = np.arange(readings.labelled.shape[1])
    belief = np.clip(readings.at_predicted[:, joints, joints], 0, 1) * readings.labelled
    disbelief = 1 - belief.sum(axis=1) / np.maximum(readings.labelled.sum(axis=1), 1)
    hard = np.clip((disbelief - disbelief.mean()) / (disbelief.std() + 1e-6), -2.5, 2.5)
    factors = np.exp(SPREAD * rng.normal(size=len(hard)) + DIFFICULTY * hard)
    return factors / factors.mean()


def _kinds_of(names: np.ndarray, renamings: Renamings) -> np.ndarray:
    """int [M, J] of Kind for the permutations ``names`` [M, J]."""
    kinds = np.full(names.shape, Kind.EXCHANGED)
    for row, of_row in zip(renamings.permutations, renamings.kinds):
        kinds[(names == row).all(axis=1)] = of_row
    kinds[names == np.arange(names.shape[1])] = Kind.RIGHT
    return kinds


def _steps(moved: np.ndarray, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Displacements [*shape, 2]: in any direction, or as the label model has found."""
    angle = rng.uniform(0, 2 * np.pi, shape)
    distance = GRID * np.exp(rng.uniform(np.log(DISTANCES[0]), np.log(DISTANCES[1]), shape))
    anywhere = np.stack([np.cos(angle), np.sin(angle)], axis=-1) * distance[..., None]
    y, x = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1]
    density = np.where(x**2 + y**2 < 1.5**2, 0, moved).ravel()  # nearer, it is no mistake
    cell = rng.choice(density.size, shape, p=density / density.sum())
    learned = np.stack([x.ravel()[cell], y.ravel()[cell]], axis=-1) + rng.uniform(-0.5, 0.5, (*shape, 2))
    return np.where((rng.random(shape) < LEARNED)[..., None], learned, anywhere)


def _match_at(readings: Readings, labels: np.ndarray) -> np.ndarray:
    """`Readings.match` at other ``labels`` [M, J, 2], from the heatmaps: [M, J, J]."""
    height, width = readings.maps.shape[-2:]
    points = labels * (max(height, width) / GRID)
    x, y = (np.clip(points[..., k], 0, size - 1) for k, size in enumerate((width, height)))
    left, top = np.minimum(x.astype(int), max(width - 2, 0)), np.minimum(y.astype(int), max(height - 2, 0))
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    x, y = (x - left)[..., None], (y - top)[..., None]
    n = np.arange(len(labels))[:, None]
    maps = readings.maps.transpose(0, 2, 3, 1)  # a view; the last axis is the joint seen
    upper = (1 - x) * maps[n, top, left] + x * maps[n, top, right]
    lower = (1 - x) * maps[n, bottom, left] + x * maps[n, bottom, right]
    return ((1 - y) * upper + y * lower).astype(np.float32)
