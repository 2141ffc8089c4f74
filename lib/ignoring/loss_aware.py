"""Ignoring variables that look at the keypoints' own losses."""

import math

import torch
from torch import Tensor

from lib.ignoring.variables import (
    LIMIT,
    IgnoringVariables,
    SourceSamples,
    rms_normalized,
    sigmoid_slope,
)

TIE = 1e-9  # of the remembered loss in a score: it decides between equal logits, and hardly anything else
LEVEL_LIMIT = 3.0  # of |b|: how far a joint's labels can be trusted or ignored as one
TRUSTED_KAPPA = 0.2  # agreement of successive hypergradients from which on v and u count in full


class LossAwareWeights(IgnoringVariables):
    """A logit that also depends on the keypoint's own loss, as far as the hypergradient finds that useful.

        theta_ij = t (v_ij + u_i) + b_j + w1 e_ij + w2 mean_j(e_ij), within +-6;   weight a = sigmoid(theta)

    v is a table as in PersistentWeights, u one number per instance, b one per joint. e is the keypoint's
    log loss, standardized per joint and averaged over visits. The idea is Meta-Weight-Net's (Shu et al.,
    arXiv 1902.07379), with a linear function. v, u, w and b start at 0. One visit, with
    g = -G / sqrt(loss + floor), s = clip(g / rms(g), +-2), slope = 4 a (1 - a) and q = s slope:

        v += lr q;   u += 0.43 lr clip(sum_j q / sqrt(J), +-2);   b: Adam of 0.043 lr on -mean(q theta)
        (w1, w2): the same with q - slope sum(q) / sum(slope) in place of q;   then w1 = min(w1, 0)

    (w1, w2, b) is scaled down as a whole so that |b| <= 3, which by itself gives weights of 0.05 to 0.95. Where most
    labels are right, nearly every hypergradient says the same; without the bound b went to 16, the slope vanished,
    and no single label could be ignored any more. With b alone bounded, w1 went on to -11 and half of the labels
    were ignored: the loss at which trust ends is the ratio of the two.

    So what the labels of a batch have in common, how far to trust the source, is b's; w learns which labels to
    trust less. With q itself, w follows the common part as far as e has a mean, and where most labels are right
    that part is the larger one. w1: a large loss is no evidence for a label, however useful hard labels are.

    t in [0, 1] is the trust in what is learned of single labels: clip(kappa / 0.2, 0, 1), with Cohen's kappa
    (1960) of the signs of successive hypergradients of the same label over the last visits, 1 before any.
    Where signs repeat no more often than by chance, v and u are noise.

    The constants come from experiments on the built-in people.

    Args:
        lr: learning rate of v.
        floor: added to a loss before its logarithm, in units of the loss; a small fraction of the loss of
            an all-zero prediction, so that smaller losses all look alike.
    """

    AVERAGE_DECAY = 0.6  # of the past in e, the average over a keypoint's visits
    STATISTICS_RATE = 0.05  # of a batch in the running mean and variance that standardize log losses
    INSTANCE_LR, LINEAR_LR = 0.43, 0.043  # of u and of (w1, w2, b), in units of v's
    PAIRS_DECAY = 0.98  # of the counted pairs of signs at each visit of a batch
    BETAS, EPS = (0.9, 0.99), 1e-8  # of Adam on (w1, w2, b)

    logits: Tensor  # v
    person: Tensor  # u
    linear: Tensor  # w1, w2, b
    moments: Tensor
    average: Tensor  # e
    met: Tensor  # e holds a visit
    mean: Tensor
    variance: Tensor
    batches: Tensor  # with a label of the joint
    steps: Tensor
    recent_pairs: (
        Tensor  # of successive signs, with decay: those that agree, those that are now positive, all
    )

    def __init__(self, count: int, flip_indices: tuple[int, ...], lr: float, floor: float):
        super().__init__(count, flip_indices)
        joints = len(flip_indices)
        self.lr = lr
        self.floor = floor
        self.register_buffer("logits", torch.zeros(count, joints))
        self.register_buffer("person", torch.zeros(count))
        self.register_buffer("linear", torch.zeros(2 + joints))
        self.register_buffer("moments", torch.zeros(2, 2 + joints))
        self.register_buffer("average", torch.zeros(count, joints))
        self.register_buffer("met", torch.zeros(count, joints, dtype=torch.bool))
        self.register_buffer("mean", torch.zeros(joints))
        self.register_buffer("variance", torch.ones(joints))
        self.register_buffer("batches", torch.zeros(joints, dtype=torch.int64))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("recent_pairs", torch.zeros(3))

    def all_weights(self) -> Tensor:
        rows = self._all_rows()
        return self._theta(rows, self._features(rows)).sigmoid()

    def all_scores(self) -> Tensor:
        """Minus theta; where it is clipped, v goes on; where both are equal, the remembered log loss e.

        v is what the hypergradients said of this very label. The unclipped theta would go on with the instance's
        losses, whose order among clipped labels is worse than chance (benchmarks/clipped_labels.py).
        """
        rows = self._all_rows()
        theta, v = self._theta(rows, self._features(rows)).double(), self.logits.double()
        lowest, highest = theta <= -LIMIT, theta >= LIMIT
        beyond = torch.where(lowest, LIMIT - v, 0) - torch.where(highest, LIMIT + v, 0)
        return beyond - theta + TIE * self.average.double()

    def _compare_signs(
        self, hypergradient: Tensor, labelled: Tensor, samples: SourceSamples
    ) -> tuple[Tensor, Tensor]:
        signs, product = super()._compare_signs(hypergradient, labelled, samples)
        paired = product != 0
        counts = torch.stack([(product > 0).sum(), ((signs > 0) & paired).sum(), paired.sum()])
        self.recent_pairs.mul_(self.PAIRS_DECAY).add_(counts)
        return signs, product

    def _learn(self, hypergradient: Tensor, labelled: Tensor, samples: SourceSamples) -> Tensor:
        losses = self._observe_losses(labelled, samples)
        rows, features = samples.index, self._features(samples.index)
        theta = self._theta(rows, features)

        # Dividing by sqrt(loss) keeps large losses from dominating.
        s = rms_normalized(-hypergradient / (losses + self.floor).sqrt(), labelled).to(self.logits.dtype)
        s = s * labelled
        slope = sigmoid_slope(theta) * labelled
        q = s * slope

        # v, one number per keypoint
        self.logits[rows] = (self.logits[rows] + self.lr * q).clamp(-LIMIT, LIMIT)

        # u, one number per instance
        instance_step = (q.sum(1) / math.sqrt(q.shape[1])).clamp(-2, 2)
        instance_lr = self.INSTANCE_LR * self.lr
        self.person[rows] = (self.person[rows] + instance_lr * instance_step).clamp(-LIMIT, LIMIT)

        # w1, w2 and b, shared by all: Adam. What all labels have in common is b's.
        common = q.sum() / slope.sum().clamp(min=self.EPS)
        feature_gradient = ((q - common * slope)[None] * features).mean((1, 2))
        self._adam_step(-torch.cat([feature_gradient, q.sum(0) / q.numel()]))
        self.linear[0].clamp_(max=0)
        self.linear *= (LEVEL_LIMIT / self.linear[2:].abs().max().clamp(min=self.EPS)).clamp(max=1)
        return self._theta(rows, features).sigmoid().to(hypergradient.dtype)

    def _look_up(self, labelled: Tensor, samples: SourceSamples) -> Tensor:
        self._observe_losses(labelled, samples)
        return self._theta(samples.index, self._features(samples.index)).sigmoid()

    def _observe_losses(self, labelled: Tensor, samples: SourceSamples) -> Tensor:
        """Update e with the losses of a visit, and return them, [N, J] in annotation order."""
        losses = self.to_annotation_order(samples.losses, samples.flipped)
        logs = (losses + self.floor).log().to(self.mean.dtype)

        # Running mean and variance per joint: a plain average over the first batches, exponential later.
        count = labelled.sum(0)
        mean = (logs * labelled).sum(0) / count.clamp(min=1)
        variance = ((logs - mean).square() * labelled).sum(0) / count.clamp(min=1)
        self.batches += count > 0
        rate = (1 / self.batches.clamp(min=1).to(self.mean.dtype)).clamp(min=self.STATISTICS_RATE)
        rate = rate * (count > 0)
        self.mean += rate * (mean - self.mean)
        self.variance += rate * (variance - self.variance)

        # e: the average over visits of the standardized log loss; the first visit counts in full.
        standardized = ((logs - self.mean) / (self.variance.sqrt() + 1e-3)).clamp(-3, 3)
        rows = samples.index
        before, met = self.average[rows], self.met[rows]
        averaged = self.AVERAGE_DECAY * before + (1 - self.AVERAGE_DECAY) * standardized
        now = torch.where(met, averaged, standardized)
        self.average[rows] = torch.where(labelled, now, before)
        self.met[rows] = met | labelled
        return losses

    def _features(self, rows: Tensor) -> Tensor:
        """[2, N, J]: e of the keypoint, and the mean of e over the instance's visited keypoints."""
        own, met = self.average[rows], self.met[rows]
        instance_mean = own.sum(1) / met.sum(1).clamp(min=1)
        return torch.stack([own, instance_mean[:, None].expand_as(own)])

    def _all_rows(self) -> Tensor:
        return torch.arange(len(self.logits), device=self.logits.device)

    def _theta(self, rows: Tensor, features: Tensor) -> Tensor:
        """The logits theta [N, J] of the annotations ``rows``."""
        (w1, w2), b = self.linear[:2], self.linear[2:]
        from_losses = w1 * features[0] + w2 * features[1]
        theta = trust_of(self.recent_pairs) * (self.logits[rows] + self.person[rows, None]) + b + from_losses
        return theta.clamp(-LIMIT, LIMIT)

    def _adam_step(self, gradient: Tensor) -> None:
        """Adam (arXiv 1412.6980) on (w1, w2, b); its state is in buffers, so it is checkpointed."""
        self.steps += 1
        for moment, value, beta in zip(self.moments, (gradient, gradient.square()), self.BETAS):
            moment.lerp_(value, 1 - beta)
        steps = self.steps.to(self.moments.dtype)  # the power of an integer tensor would be float32
        first, second = (m / (1 - beta**steps) for m, beta in zip(self.moments, self.BETAS))
        self.linear -= self.LINEAR_LR * self.lr * first / (second.sqrt() + self.EPS)


def trust_of(recent_pairs: Tensor) -> Tensor:
    """The trust t in v and u, a scalar in [0, 1], from the counted pairs (agreeing, positive, all)."""
    return (kappa(*recent_pairs) / TRUSTED_KAPPA).clamp(0, 1)


def kappa(agreeing: Tensor, positive: Tensor, pairs: Tensor) -> Tensor:
    """Cohen's kappa of two raters that say positive equally often; 1 without pairs, 0 if all say the same.

    Args:
        agreeing: number of pairs that agree.
        positive: number of positive answers of one rater.
        pairs: number of all pairs.
    """
    share = positive / pairs
    by_chance = share.square() + (1 - share).square()
    found = (agreeing / pairs - by_chance) / (1 - by_chance)
    return torch.where(pairs == 0, 1.0, torch.where(by_chance == 1, 0.0, found))
