"""Which labels contradict the shape of an instance: a Gaussian of trusted poses, without any picture.

An instance is explained by a permutation of its names (see `name_permutations`) and by which of its labels are
right. A right label lies TOLERANCE beside its joint, a wrong one REACH; the joints together are Gaussian. So the
labels of an explanation are Gaussian as well, and its probability is known in closed form. Which labels are right
is inferred by iterating over their conditional probabilities given the other labels (mean field); how often each
joint's labels are wrong, and how often each permutation happens, is learned from the judged labels by EM
(empirical Bayes), from a prior that expects little.

Lengths are in units of the instance's size.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import expit, logsumexp

from lib.utils.errors import InputError
from lib.wrong_labels.name_permutations import name_permutations

__all__ = ["Explanation", "PoseModel", "name_permutations"]

TOLERANCE = 0.02  # standard deviation of right labels
REACH = 0.3  # standard deviation of wrong labels, from where they belong
ABSENT = 1e3  # variance of a label that is not there; it carries no information

SHRINKAGE = 0.05  # share of a multiple of the identity in the covariance
FIT_STEPS = 15
STEPS = 6  # of the mean field
ROUNDS = 3  # of EM over the judged instances
EXPECTED_RIGHT = 0.7  # at the start of the mean field
WRONG = (0.2, 5.0)  # prior of the share of wrong labels of each joint: mean, and weight in labels
RENAMED = (0.02, 10.0)  # prior of the share of instances with permuted names: mean, and weight in instances
KEPT = 6  # permutations of an instance that are looked at closely
CHUNK = 1024  # instances at a time; bounds the memory


class Explanation(NamedTuple):
    """What the shapes of N instances with J joints say.

    log_odds: [N, J], log odds of each label being wrong, given the others; 0 where there is no label.
    posterior: [N, P], probability of each permutation of the names.
    """

    log_odds: np.ndarray
    posterior: np.ndarray


class _Belief(NamedTuple):
    """What one explanation of each of n instances says: log odds [n, J] of wrong labels, log evidence [n]."""

    log_odds: np.ndarray
    evidence: np.ndarray


@dataclass(frozen=True)
class PoseModel:
    """A Gaussian of poses.

    mean: [J, 2], x and y in units of the size, from the middle.
    covariance: [2 J, 2 J], of x and y of each joint in turn.
    """

    mean: np.ndarray
    covariance: np.ndarray

    @classmethod
    def fit(cls, joints, visible, boxes, flip_indices=None) -> "PoseModel":
        """The model of trusted instances.

        Missing joints are filled in by EM (Dempster, Laird & Rubin 1977); the covariance is shrunk.

        Args:
            joints: [N, J, 2] pixels.
            visible: [N, J], nonzero where there is a label.
            boxes: [N, 3], x and y of the middle, and size (longer side), pixels. Where labels move together, only
                boxes tell it.
            flip_indices: for each joint the position of its mirror image: a mirrored copy of each pose counts.

        Raises:
            InputError: there is no label at all.
        """
        visible = np.asarray(visible) > 0
        if not visible.any():
            raise InputError("trusted instances: expected at least one label, found none")
        poses = _placed(joints, visible, boxes)
        if flip_indices is not None:
            flip = np.asarray(flip_indices)
            poses = np.concatenate([poses, poses[:, flip] * (-1, 1)])
            visible = np.concatenate([visible, visible[:, flip]])
        mean, covariance = _gaussian(poses, visible)
        return cls(mean, covariance)

    def explain(self, joints, visible, boxes, permutations: np.ndarray) -> Explanation:
        """Which labels are wrong, given the other joints of the instance; a label with a wrong name is wrong.

        Args:
            joints, visible, boxes: of the judged instances, as `fit`'s.
            permutations: [P, J] of names, the identity first, see `name_permutations`; the identity alone: no name
                is wrong.
        """
        visible = np.asarray(visible) > 0
        poses = _placed(joints, visible, boxes)
        count, many = len(permutations), len(poses)
        share = np.full(visible.shape[1], WRONG[0])
        base = np.full(count, RENAMED[0] / max(count - 1, 1))
        base[0] = 1 - RENAMED[0] if count > 1 else 1.0
        frequency = base
        kept = self._promising(poses, visible, permutations)
        row = np.arange(many)[:, None, None]
        named, there = poses[row, permutations[kept]], visible[row, permutations[kept]]
        log_odds, posterior = np.zeros(there.shape), np.zeros(kept.shape)
        for _ in range(ROUNDS):
            log_odds, evidence = self._believe(named, there, share)
            for _ in range(ROUNDS):
                score = evidence + np.log(frequency)[kept]
                posterior = np.exp(score - logsumexp(score, axis=1, keepdims=True))
                seen = np.bincount(kept.ravel(), posterior.ravel(), count)
                frequency = (seen + RENAMED[1] * base) / (many + RENAMED[1])
            labels = posterior[..., None] * there
            wrong = (labels * expit(log_odds)).sum(axis=(0, 1))
            share = (wrong + WRONG[0] * WRONG[1]) / (labels.sum(axis=(0, 1)) + WRONG[1])
        moved = (permutations != np.arange(visible.shape[1]))[kept]
        likely = np.log(np.maximum(posterior, 1e-30))[..., None]
        wrong = logsumexp(likely + np.where(moved, 0.0, -np.logaddexp(0, -log_odds)), axis=1)
        right = logsumexp(likely + np.where(moved, -1e3, -np.logaddexp(0, log_odds)), axis=1)
        full = np.zeros((many, count))
        np.put_along_axis(full, kept, posterior, axis=1)
        return Explanation(np.where(visible, wrong - right, 0.0), full)

    def _promising(self, poses: np.ndarray, visible: np.ndarray, permutations: np.ndarray) -> np.ndarray:
        """[N, K] the identity and the most likely other permutations, at a first glance."""
        glance = np.full((len(poses), len(permutations)), np.inf)
        for part in _parts(len(poses)):
            for p, permutation in enumerate(permutations[1:], 1):
                named, there = poses[part][:, permutation], visible[part][:, permutation]
                # All labels are trusted alike, so few covariances differ.
                patterns, which = np.unique(there, axis=0, return_inverse=True)
                noise = _noise(patterns, np.full(patterns.shape, EXPECTED_RIGHT))
                inverse = _inverse(self._noisy(noise))
                right, wrong = _densities(*self._given(inverse[which], noise[which], named, there))
                both = np.logaddexp(np.log(EXPECTED_RIGHT) + right, np.log(1 - EXPECTED_RIGHT) + wrong)
                glance[part, p] = (both * there).sum(axis=1)
        return np.argsort(-glance, axis=1, kind="stable")[:, :KEPT]

    def _believe(self, named: np.ndarray, there: np.ndarray, share: np.ndarray) -> _Belief:
        """The belief about explanations [N, K] of instances: log odds [N, K, J] and evidence [N, K]."""
        log_odds, evidence = np.empty(there.shape), np.empty(there.shape[:2])
        for part in _parts(len(named)):
            flat = there[part].reshape(-1, there.shape[2])
            belief = self._infer(named[part].reshape(*flat.shape, 2), flat, share)
            log_odds[part] = belief.log_odds.reshape(there[part].shape)
            evidence[part] = belief.evidence.reshape(there[part].shape[:2])
        return _Belief(log_odds, evidence)

    def _infer(self, poses: np.ndarray, visible: np.ndarray, share: np.ndarray) -> _Belief:
        """Mean field over which labels are right.   share: [J] of wrong labels."""
        trust = np.full(visible.shape, EXPECTED_RIGHT)
        for _ in range(STEPS):
            right, wrong = _densities(*self._others(poses, visible, _noise(visible, trust)))
            log_odds = np.where(visible, np.log(share / (1 - share)) + wrong - right, 0.0)
            trust = (
                trust + expit(-log_odds)
            ) / 2  # half a step, or labels that contradict each other alternate
        # The evidence of the likeliest selection, and of those that differ from it in one label.
        likely = log_odds < 0
        prior = np.where(likely, np.log1p(-share), np.log(share)) + np.logaddexp(0, -np.abs(log_odds))
        density = self._log_density(poses, visible, _noise(visible, likely.astype(float)))
        return _Belief(log_odds, density + (prior * visible).sum(axis=1))

    def _noisy(self, noise: np.ndarray) -> np.ndarray:
        """[n, 2 J, 2 J] covariance of labels with variances ``noise`` [n, J]."""
        size = len(self.covariance)
        result = np.repeat(self.covariance[None], len(noise), axis=0)
        result[:, np.arange(size), np.arange(size)] += np.repeat(noise, 2, axis=1)
        return result

    def _residuals(self, poses: np.ndarray, visible: np.ndarray) -> np.ndarray:
        return np.where(visible[..., None], poses - self.mean, 0.0).reshape(len(poses), -1, 1)

    def _others(
        self, poses: np.ndarray, visible: np.ndarray, noise: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Each label minus the mean of its joint given the other labels [n, J, 2], and that joint's covariance.

        With K the inverse of the labels' covariance, the label of j given the others has the covariance
        inv(K_jj) and lies inv(K_jj) (K (x - mean))_j from its mean (Rasmussen & Williams 2006, 5.4.2).
        """
        return self._given(_inverse(self._noisy(noise)), noise, poses, visible)

    def _given(
        self, inverse: np.ndarray, noise: np.ndarray, poses: np.ndarray, visible: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """`_others`, where the inverse of the labels' covariance is known."""
        n, joints = visible.shape
        weighted = (inverse @ self._residuals(poses, visible)).reshape(n, joints, 2, 1)
        j = np.arange(joints)
        blocks = inverse.reshape(n, joints, 2, joints, 2)[:, j, :, j].swapaxes(0, 1)
        covariance = np.linalg.inv(blocks)
        return (covariance @ weighted)[..., 0], covariance - noise[..., None, None] * np.eye(2)

    def _log_density(self, poses: np.ndarray, visible: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """[n] log density of the labels of each instance, up to a constant for each label that is missing."""
        root = np.linalg.cholesky(self._noisy(noise))
        whitened = np.linalg.solve(root, self._residuals(poses, visible))[..., 0]
        return -(whitened**2).sum(axis=1) / 2 - np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)


def _inverse(covariances: np.ndarray) -> np.ndarray:
    """Inverses of covariances [n, d, d]; in half of the time of np.linalg.inv, since they are positive definite."""
    return torch.cholesky_inverse(torch.linalg.cholesky(torch.from_numpy(covariances))).numpy()


def _parts(count: int) -> list[slice]:
    return [slice(start, start + CHUNK) for start in range(0, count, CHUNK)]


def _noise(visible: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """[n, J] expected variance of a label, from where it belongs."""
    return np.where(visible, trust * TOLERANCE**2 + (1 - trust) * REACH**2, ABSENT)


def _densities(residuals: np.ndarray, covariances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[n, J] log density of each label if it is right, and if it is wrong; `_others`'s results."""
    right, wrong = (
        _gaussian_density(residuals, covariances + variance * np.eye(2))
        for variance in (TOLERANCE**2, REACH**2)
    )
    return right, wrong


def _gaussian_density(residuals: np.ndarray, covariances: np.ndarray) -> np.ndarray:
    a, b, d = covariances[..., 0, 0], covariances[..., 0, 1], covariances[..., 1, 1]
    x, y = residuals[..., 0], residuals[..., 1]
    determinant = a * d - b**2
    return (
        -np.log(2 * np.pi) - np.log(determinant) / 2 - (d * x**2 - 2 * b * x * y + a * y**2) / determinant / 2
    )


def _placed(joints, visible: np.ndarray, boxes) -> np.ndarray:
    """Poses [N, J, 2] in units of the boxes' sizes, from their middles; 0 where there is no label."""
    boxes = np.asarray(boxes, float)
    sizes = np.where(boxes[:, 2] > 0, boxes[:, 2], 1.0)
    poses = (np.asarray(joints, float) - boxes[:, None, :2]) / sizes[:, None, None]
    return np.where(visible[..., None], poses, 0.0)


def _gaussian(poses: np.ndarray, visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean [2 J] and shrunk covariance [2 J, 2 J] of poses with missing joints."""
    size = 2 * visible.shape[1]
    labels = visible[..., None]
    mean = (poses * labels).sum(axis=0) / np.maximum(labels.sum(axis=0), 1)
    variance = ((poses - mean) ** 2 * labels).sum() / (2 * visible.sum()) + TOLERANCE**2
    covariance = variance * np.eye(size)
    noise = np.where(visible, TOLERANCE**2 / 4, ABSENT)
    for _ in range(FIT_STEPS):
        model = PoseModel(mean, covariance)
        gain = covariance @ _inverse(model._noisy(noise))
        filled = mean.reshape(-1) + (gain @ model._residuals(poses, visible))[..., 0]
        uncertain = (covariance - gain @ covariance).mean(axis=0)
        mean = filled.mean(axis=0).reshape(-1, 2)
        deviations = filled - mean.reshape(-1)
        covariance = deviations.T @ deviations / len(filled) + uncertain
        covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.trace(covariance) / size * np.eye(size)
    return mean, covariance
