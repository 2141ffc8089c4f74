"""Readings of made-up instances by a made-up network, whose heatmaps are Gaussians at known places."""

from dataclasses import dataclass, replace

import numpy as np

from lib.dataset.keypoints import SHARED_KEYPOINTS
from lib.dataset.skeleton import Skeleton
from lib.wrong_labels.readings import GRID, Readings

PEOPLE = Skeleton.of(SHARED_KEYPOINTS)
SIZE = 24  # of the square heatmaps, pixels
NOISE = 0.3  # of the network's predictions, in units of `Readings`
SIGMA = 1.0  # of their Gaussians, in units of `Readings`

# A person who faces us and fills the crop; x of the left side.
BODY = {
    "shoulder": (2.0, 4.0), "elbow": (3.5, 6.5), "wrist": (4.5, 9.0),
    "hip": (1.3, 9.0), "knee": (1.6, 11.8), "ankle": (1.9, 14.5),
}  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What the network sees of N instances.

    places: [N, J, 2] of its peaks, in units of `Readings`.
    belief: [N, J] height of the peaks.
    """

    places: np.ndarray
    belief: np.ndarray

    @classmethod
    def of(cls, truth: np.ndarray, rng: np.random.Generator, belief: float = 0.775) -> "Seen":
        """A network that is off by a little and believes ``belief`` of what it says, at most 1, on the average."""
        spread = 1 - belief
        heights = rng.uniform(belief - spread, belief + spread, truth.shape[:2])
        return cls(truth + rng.normal(0, NOISE, truth.shape), heights)


def people(count: int, rng: np.random.Generator, skeleton: Skeleton = PEOPLE) -> np.ndarray:
    """[count, J, 2] true places: half of the people face away, all limbs are somewhat elsewhere."""
    facing = rng.choice([-1.0, 1.0], (count, 1))
    result = np.zeros((count, len(skeleton.names), 2))
    for j, name in enumerate(skeleton.names):
        side, _, part = name.partition("_")
        x, y = BODY.get(part, (0.0, 1.5))
        result[:, j, 0] = (GRID / 2 + facing * x * {"left": 1, "right": -1}.get(side, 0))[:, 0]
        result[:, j, 1] = y
    return np.clip(result + rng.normal(0, 0.5, result.shape), 0.5, GRID - 0.5)


def make_readings(labels: np.ndarray, seen: Seen, labelled: np.ndarray | None = None) -> Readings:
    """The network's readings of ``labels`` [N, J, 2]; all heatmaps are kept."""
    count, joints = labels.shape[:2]
    return Readings(
        labels=labels.astype(np.float32),
        labelled=np.ones((count, joints), bool) if labelled is None else labelled,
        predicted=seen.places.astype(np.float32),
        height=seen.belief.astype(np.float32),
        energy=(seen.belief**2).astype(np.float32),
        match=_match(labels, seen),
        at_predicted=_match(seen.places, seen),
        instances=np.arange(count),
        maps=_maps(seen),
    )


def _match(points: np.ndarray, seen: Seen) -> np.ndarray:
    """The normalized correlation of two Gaussians is one of twice the variance."""
    away = ((points[:, :, None] - seen.places[:, None]) ** 2).sum(axis=-1)
    return (seen.belief[:, None] * np.exp(-away / (4 * SIGMA**2))).astype(np.float32)


def _maps(seen: Seen) -> np.ndarray:
    pixels = np.arange(SIZE) * GRID / SIZE
    x, y = (np.exp(-((pixels - seen.places[..., k, None]) ** 2) / (4 * SIGMA**2)) for k in (0, 1))
    return (seen.belief[..., None, None] * y[..., :, None] * x[..., None, :]).astype(np.float16)


@dataclass(frozen=True)
class Case:
    """Readings of labels of which it is known which are wrong.

    readings: of the labels at hand.
    truth: [N, J, 2] true places.
    wrong: [N, J] bool.
    """

    readings: Readings
    truth: np.ndarray
    wrong: np.ndarray


def exchanged(joints: int, *pairs: tuple[int, int]) -> np.ndarray:
    """The permutation [joints] that exchanges these pairs."""
    result = np.arange(joints)
    for a, b in pairs:
        result[[a, b]] = result[[b, a]]
    return result


def joint(name: str) -> int:
    """Position of a joint among those of PEOPLE."""
    return PEOPLE.names.index(name)


def limb(*parts: str) -> list[tuple[int, int]]:
    """Pairs of left and right."""
    return [(joint(f"left_{part}"), joint(f"right_{part}")) for part in parts]


# Which joints exchange places by each kind of mistake.
EXCHANGES = {
    "exchanged": [(joint("left_wrist"), joint("left_elbow"))],
    "limb sides": limb("shoulder", "elbow", "wrist"),
    "person sides": [pair for part in BODY for pair in limb(part)],
}

# Networks for `planted`: one without failures of its own, and one that fails as often as is assumed (shares of
# people, from `label_model.FAILURES`, which are of labels).
SURE = {"belief": 0.92}
FAILING = {"failures": {"exchanged": 0.0065, "limb sides": 0.0065, "person sides": 0.022, "moved": 0.012}}


def mistaken(
    places: np.ndarray, shares: dict[str, float], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Places [N, J, 2] with mistakes, and the kind of each (str [N, J], "right" for most).

    Args:
        places: of the joints.
        shares: {kind: share}, of instances for the kinds in EXCHANGES, of the others' places for "moved".
        rng: source of the random numbers.
    """
    count, joints = places.shape[:2]
    result, kinds = places.copy(), np.full((count, joints), "right", dtype="<U16")
    free = rng.permutation(count)
    for kind, pairs in EXCHANGES.items():
        chosen, free = np.split(free, [round(shares.get(kind, 0) * count)])
        source = exchanged(joints, *pairs)
        result[chosen] = result[chosen][:, source]
        kinds[np.ix_(chosen, np.flatnonzero(source != np.arange(joints)))] = kind
    moved = (rng.random(kinds.shape) < shares.get("moved", 0)) & (kinds == "right")
    angle, distance = rng.uniform(0, 2 * np.pi, moved.sum()), rng.uniform(2.5, 6, moved.sum())
    result[moved] += distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    kinds[moved] = "moved"
    return result, kinds


def planted(
    count: int,
    shares: dict[str, float],
    seed: int = 0,
    failures: dict[str, float] | None = None,
    belief: float = 0.775,
) -> tuple[Case, np.ndarray]:
    """People with mistakes of several kinds, and the kind of each label (str [N, J], "right" for most).

    Args:
        count: of instances.
        shares: of the mistakes, see `mistaken`.
        seed: of everything.
        failures: of the network, like ``shares``.
        belief: of the network in what it says, on the average.
    """
    rng = np.random.default_rng(seed)
    truth = people(count, rng)
    labels, kinds = mistaken(truth, shares, rng)
    seen = Seen.of(mistaken(truth, failures or {}, rng)[0], rng, belief)
    return Case(make_readings(labels, seen), truth, kinds != "right"), kinds


def trusted(count: int = 150, seed: int = 99, **network) -> Readings:
    """Right labels; ``network``: see `planted`."""
    return planted(count, {}, seed, **network)[0].readings


def unread(readings: Readings) -> Readings:
    """The same without a label."""
    return replace(readings, labelled=np.zeros_like(readings.labelled))
