"""A mixture model of labels: each is right, named wrongly together with others, or moved; learned without any truth.

An instance's names are permuted by row p of the renamings with probability share_p. Each of its labels is moved
with probability m, to a displacement from where the network sees its joint with density `moved`; otherwise it lies
near the place of the joint whose name it should have, at a distance from the prediction with density `near`, which
depends on the network's confidence. Shares and densities are learned by EM (Dempster et al. 1977).

A label that the prediction contradicts may also be right, and the network wrong. How often networks err in each
way is assumed (FAILURES), or measured on trusted labels where that is more often; only what is found beyond counts.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter

from lib.wrong_labels.readings import GRID, Readings
from lib.wrong_labels.renamings import MODELLED, Kind, Renamings

STEPS = 12  # of EM
FITTED = 6000  # instances, at most
CHUNK = 2048  # instances at a time, which bounds the memory
# Distances, with finer steps where predictions are precise.
EDGES = np.array([0, 0.15, 0.35, 0.7, 1, 1.4, 1.8, 2.3, 3, 4, 5.5, 8, 12, 32])
AREAS = np.minimum(np.pi * np.diff(EDGES**2), GRID**2)
LEVELS = 3  # of confidence
REACH = 16  # of the displacements, in each direction
TOLERATED = 1.2  # displacement that is hardly a mistake, about a quarter of a head
_Y, _X = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1]
FAR_ENOUGH = 1 - np.exp(-(((_X**2 + _Y**2) / TOLERATED**2) ** 2)) + 1e-3
# Share of the labels that a network contradicts by its own mistake, by kind, if it believes 77 % of its predictions on
# the average (BELIEF); seen on the built-in people. The share grows with the square of its disbelief.
FAILURES = np.array([0, 0.001, 0.003, 0.02, 0.012])
BELIEF = 0.77
BINS, PER_BIN = 20, 50  # of beliefs, at most; trusted labels in each, at least
TAIL = 0.001  # of right labels far from the prediction, at the start; relative to near ones
SHAPE_DOUBT = 1e-3  # of what shapes say: some trusted poses are unlike all others
MOST_SURE = 0.98  # probability of a kind, however often it is found


@dataclass(frozen=True)
class Explanation:
    """What the label model says about N instances with J joints.

    kinds: [N, J, MODELLED] probability of each kind, as if the network were always right.
    posterior: [N, P] probability of each renaming.
    """

    kinds: np.ndarray
    posterior: np.ndarray


@dataclass(frozen=True)
class LabelModel:
    """The parameters, see the module.

    levels: [LEVELS - 1] heights between levels of confidence.
    near: [LEVELS, bins of EDGES] probability of each distance.
    moved: [2 REACH + 1, 2 REACH + 1] density of displacements, y first.
    moved_share: m.
    shares: [P].
    failures: [MODELLED] share of labels that the network contradicts by its own mistake, see FAILURES.
    """

    renamings: Renamings
    levels: np.ndarray
    near: np.ndarray
    moved: np.ndarray
    moved_share: float
    shares: np.ndarray
    failures: np.ndarray

    @classmethod
    def fit(cls, readings: Readings, renamings: Renamings) -> "LabelModel":
        """Learn from up to FITTED instances, spread evenly; without a label, what is assumed at the start."""
        part = _spread_evenly(readings)
        model = cls._start(part, renamings)
        for _ in range(STEPS if part.labelled.any() else 0):
            model = model._improved(part, model.explain(part))
        return model

    @classmethod
    def _start(cls, readings: Readings, renamings: Renamings) -> "LabelModel":
        middle = (EDGES[1:] + EDGES[:-1]) / 2
        near = (np.exp(-(middle**2) / 2) + TAIL) * AREAS
        count = len(renamings.permutations)
        heights, beliefs = readings.height[readings.labelled], _beliefs(readings)
        belief = float(beliefs.mean()) if beliefs.size else BELIEF
        return cls(
            renamings,
            levels=np.quantile(heights, np.arange(1, LEVELS) / LEVELS) if heights.size else np.zeros(LEVELS - 1),
            near=np.tile(near / near.sum(), (LEVELS, 1)),
            moved=np.full((2 * REACH + 1, 2 * REACH + 1), 1 / GRID**2),
            moved_share=0.1,
            shares=np.r_[0.9, np.full(count - 1, 0.1 / max(count - 1, 1))] if count > 1 else np.ones(1),
            failures=FAILURES * ((1 - belief) / (1 - BELIEF)) ** 2,
        )  # fmt: skip

    def explain(self, readings: Readings) -> Explanation:
        """The probabilities of all explanations of the instances."""
        chunks = [slice(start, start + CHUNK) for start in range(0, max(len(readings), 1), CHUNK)]
        parts = [self._explain_chunk(readings.of(chunk)) for chunk in chunks]
        return Explanation(*(np.concatenate(arrays) for arrays in zip(*parts)))

    def trusting(self, trusted: Readings, source: Readings) -> "LabelModel":
        """The model with failures as frequent as on ``trusted`` labels, where they are more frequent than assumed.

        Trusted instances may be easier than those of the ``source``: each of their labels counts as often as the
        network believes as much of its predictions there.
        """
        trusted = _spread_evenly(trusted)
        if not trusted.labelled.any() or not source.labelled.any():
            return self
        # Displacements of the labels in doubt do not hold here; the distances of right labels do.
        model = replace(self, moved=np.full_like(self.moved, 1 / GRID**2))
        kinds = model.explain(trusted).kinds[trusted.labelled]
        share = np.average(kinds, axis=0, weights=_as_believed(_beliefs(trusted), _beliefs(source)))
        return replace(self, failures=np.maximum(self.failures, np.r_[0, share[1:]]))

    def beyond(self, shares: np.ndarray, factor: float = 1.0) -> np.ndarray:
        """[MODELLED - 1] shares of wrong labels among all, if the kinds' ``shares`` [MODELLED] are found.

        Failures, ``factor`` times as frequent as assumed, concern right labels only.
        """
        failures = factor * self.failures[1:]
        wrong = np.clip((shares[1:].sum() - failures.sum()) / max(1 - failures.sum(), 1e-9), 0, 1)
        return np.clip(shares[1:] - failures * (1 - wrong), 0, None)

    def credible(self, kinds: np.ndarray) -> np.ndarray:
        """Probabilities [..., MODELLED] of `Explanation` times the share of each kind that is no failure of the network.

        The first kind (right) gets what the others lose.
        """
        if not kinds.size:
            return kinds
        shares = kinds.reshape(-1, MODELLED).mean(axis=0)
        wrong = kinds[..., 1:] * np.clip(self.beyond(shares) / np.maximum(shares[1:], 1e-9), 0, MOST_SURE)
        return np.concatenate([1 - wrong.sum(axis=-1, keepdims=True), wrong], axis=-1)

    def moved_density(self, displacement: np.ndarray) -> np.ndarray:
        """Density of the displacements [..., 2] of moved labels."""
        cell = np.clip(np.round(displacement) + REACH, 0, 2 * REACH).astype(int)
        return self.moved[cell[..., 1], cell[..., 0]]

    def _explain_chunk(self, readings: Readings) -> tuple[np.ndarray, np.ndarray]:
        joints = np.arange(readings.labels.shape[1])
        permutations = self.renamings.permutations
        # Density of label j if it lies where joint k belongs: [n, J, J], then under every renaming: [n, P, J].
        bins = _bins(readings.distance)
        level = np.digitize(readings.height, self.levels)
        density = (self.near / AREAS)[level[:, None, :], bins]
        in_place = (1 - self.moved_share) * density[:, joints[None], permutations]
        moved = self.moved_share * self.moved_density(readings.labels - readings.predicted)[:, None]
        each = in_place + moved + 1e-12
        evidence = np.where(readings.labelled[:, None], np.log(each), 0).sum(axis=2) + np.log(self.shares)
        if len(readings.shape_names):
            evidence = evidence + np.log(readings.shape_names + SHAPE_DOUBT)
        posterior = np.exp(evidence - evidence.max(axis=1, keepdims=True))
        posterior /= posterior.sum(axis=1, keepdims=True)

        kept = in_place / each
        kinds = np.zeros((*readings.labels.shape[:2], MODELLED), np.float32)
        for kind in range(Kind.MOVED):
            of_kind = self.renamings.kinds == kind
            kinds[..., kind] = np.einsum("np,npj,pj->nj", posterior, kept, of_kind, optimize=True)
        kinds[..., Kind.MOVED] = np.maximum(1 - kinds.sum(axis=-1), 0)
        return kinds, posterior.astype(np.float32)

    def _improved(self, readings: Readings, found: Explanation) -> "LabelModel":
        """The M step."""
        labelled, moved = readings.labelled, found.kinds[..., Kind.MOVED]
        total = max(int(labelled.sum()), 1)
        shares = found.posterior.mean(axis=0) + 1e-5
        joints = np.arange(labelled.shape[1])
        bins = _bins(readings.distance[:, joints, joints])
        level = np.digitize(readings.height, self.levels)
        near = np.zeros_like(self.near)
        for k in range(LEVELS):
            chosen = labelled & (level == k)
            counts = np.bincount(bins[chosen], found.kinds[chosen][:, Kind.RIGHT], len(AREAS)) + 0.5
            density = np.minimum.accumulate(counts / AREAS)  # nearer is never less likely
            near[k] = density * AREAS / (density * AREAS).sum()
        displacement = (readings.labels - readings.predicted)[labelled]
        return replace(
            self,
            near=near,
            moved=_density(displacement, moved[labelled]),
            moved_share=float(np.clip((moved * labelled).sum() / total, 0.002, 0.6)),
            shares=shares / shares.sum(),
        )


def _spread_evenly(readings: Readings) -> Readings:
    """FITTED of the instances, or all."""
    count = len(readings)
    return readings.of(np.unique(np.linspace(0, count - 1, min(FITTED, count)).astype(int)))


def _beliefs(readings: Readings) -> np.ndarray:
    """How much the network believes its own prediction for each label, in [0, 1]: [labels]."""
    joints = np.arange(readings.labels.shape[1])
    return np.clip(readings.at_predicted[:, joints, joints][readings.labelled], 0, 1)


def _as_believed(beliefs: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Weights of the ``beliefs`` [K], with which they are spread as the ``wanted`` [M]."""
    edges = np.quantile(beliefs, np.linspace(0, 1, np.clip(len(beliefs) // PER_BIN, 1, BINS) + 1)[1:-1])
    own, other = np.digitize(beliefs, edges), np.digitize(wanted, edges)
    count = np.bincount(own, minlength=len(edges) + 1)
    return (np.bincount(other, minlength=len(count)) / np.maximum(count, 1))[own]


def _bins(distance: np.ndarray) -> np.ndarray:
    return np.clip(np.digitize(distance, EDGES) - 1, 0, len(AREAS) - 1)


def _density(displacement: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Smoothed density of the displacements [K, 2] with ``weights`` [K], on the grid of `LabelModel.moved`."""
    grid = np.zeros((2 * REACH + 1, 2 * REACH + 1))
    cell = np.clip(np.round(displacement) + REACH, 0, 2 * REACH).astype(int)
    np.add.at(grid, (cell[:, 1], cell[:, 0]), weights)
    grid = gaussian_filter(grid, 1.0, mode="constant") + 1e-3 * weights.sum() / grid.size + 1e-9
    grid *= FAR_ENOUGH
    return grid / grid.sum()
