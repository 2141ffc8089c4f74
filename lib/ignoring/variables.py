"""The ignoring variables: one weight in [0, 1] for every annotated keypoint of the source.

All kinds turn a batch's hypergradient into weights. They speak of keypoints as the annotation
names them: what a mirrored sample says about its left wrist is kept for the right one.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

LIMIT = 6.0  # logits stay within, so that no weight is beyond return


@dataclass(frozen=True)
class SourceSamples:
    """Which keypoints a batch of N source samples holds.

    index: [N] position of each sample's annotation.   flipped: [N] sample is mirrored.
    labelled: [N, J] 1 where the sample has a label for the joint (inside the crop).
    losses: [N, J] the keypoints' own losses, for variables that look at them.
    """

    index: Tensor
    flipped: Tensor
    labelled: Tensor
    losses: Tensor


class IgnoringVariables(nn.Module, ABC):
    """What is remembered of every keypoint: its weight, and how often it was seen.

    ``flip_indices`` is the flip permutation of the joints. Being buffers, the tables [count, J] are
    moved and checkpointed with everything else. ``learned``: hypergradients change them.
    """

    learned = True

    def __init__(self, count: int, flip_indices: tuple[int, ...]):
        super().__init__()
        self.flip_indices = list(flip_indices)
        self.register_buffer("seen", torch.zeros(count, len(flip_indices), dtype=torch.int32))

    def update(self, gradient: Tensor, visit: SourceSamples) -> Tensor:
        """Learn from the hypergradient [N, J], once for each visit of a batch; the weights [N, J] after it."""
        labelled = self._note(visit)
        weights = self._learn(self.as_annotated(gradient, visit), labelled, visit)
        return self.as_sampled(weights, visit)

    def preview(self, gradient: Tensor, visit: SourceSamples) -> Tensor:
        """The weights that ``commit`` would give; remembers nothing."""
        before = {name: buffer.clone() for name, buffer in self.named_buffers()}
        weights = self.update(gradient, visit)
        for name, buffer in self.named_buffers():
            buffer.copy_(before[name])
        return weights

    def current(self, visit: SourceSamples) -> Tensor:
        """The weights [N, J] of a visit without a hypergradient."""
        labelled = self._note(visit)
        return self.as_sampled(self._recall(labelled, visit), visit).to(visit.losses.dtype)

    @abstractmethod
    def all_weights(self) -> Tensor:
        """The weight of every keypoint of the source, [count, J] in annotation order."""

    def as_annotated(self, values: Tensor, visit: SourceSamples) -> Tensor:
        """[N, J] in the samples' joint order -> in the annotations' order."""
        return torch.where(visit.flipped[:, None], values[:, self.flip_indices], values)

    # Mirroring twice changes nothing, so the way back is the same.
    as_sampled = as_annotated

    def _note(self, visit: SourceSamples) -> Tensor:
        """Count the visit; which keypoints [N, J] it has labels for, in annotation order."""
        labelled = self.as_annotated(visit.labelled, visit) > 0
        self.seen[visit.index] += labelled.to(self.seen.dtype)
        return labelled

    @abstractmethod
    def _learn(self, gradient: Tensor, labelled: Tensor, visit: SourceSamples) -> Tensor:
        """Weights [N, J] after learning from the gradient [N, J]; in annotation order, as ``labelled``."""

    @abstractmethod
    def _recall(self, labelled: Tensor, visit: SourceSamples) -> Tensor:
        """Weights [N, J] as they are, in annotation order."""


class OnlineWeights(IgnoringVariables):
    """The original's: found anew for each batch, weight = minmax(max(-G, 0)) over the batch.

    Nothing found is used again; the mean over visits is kept as a record only.
    """

    def __init__(self, count: int, flip_indices: tuple[int, ...]):
        super().__init__(count, flip_indices)
        self.register_buffer("total", torch.zeros(count, len(flip_indices)))

    def all_weights(self) -> Tensor:
        """Mean weight over visits; one where a keypoint was never seen."""
        return torch.where(self.seen > 0, self.total / self.seen.clamp(min=1), 1.0)

    def _learn(self, gradient: Tensor, labelled: Tensor, visit: SourceSamples) -> Tensor:
        weights = minmax((-gradient).clamp(min=0))
        self.total[visit.index] += weights.to(self.total.dtype) * labelled
        return weights

    def _recall(self, labelled: Tensor, visit: SourceSamples) -> Tensor:
        return torch.ones_like(visit.losses)


class PersistentWeights(IgnoringVariables):
    """One logit for every keypoint, kept for the whole training: weight = sigmoid(logit).

    Each visit takes one step on the logit along the hypergradient:
    logit <- clip(logit - lr * clip(G / rms(G), +-2) * 4 a (1 - a), +-6), with the root mean
    square over the batch's labelled keypoints.
    """

    def __init__(self, count: int, flip_indices: tuple[int, ...], lr: float):
        super().__init__(count, flip_indices)
        self.lr = lr
        self.register_buffer("logits", torch.zeros(count, len(flip_indices)))

    def all_weights(self) -> Tensor:
        return self.logits.sigmoid()

    def _learn(self, gradient: Tensor, labelled: Tensor, visit: SourceSamples) -> Tensor:
        logits = self.logits[visit.index]
        step = self.lr * relative(gradient, labelled).to(logits.dtype) * slope(logits)
        logits = (logits - step).clamp(-LIMIT, LIMIT)
        self.logits[visit.index] = logits
        return logits.sigmoid().to(gradient.dtype)

    def _recall(self, labelled: Tensor, visit: SourceSamples) -> Tensor:
        return self.logits[visit.index].sigmoid()


class LossAwareWeights(IgnoringVariables):
    """A logit that also looks at the keypoint's own loss, as far as the hypergradient finds that useful.

        theta_ij = v_ij + u_i + b_j + w1 e_ij + w2 mean_j(e_ij), within +-6;   weight = sigmoid(theta)

    v is a table as in PersistentWeights, u one number for each person, b one for each joint. e is
    the keypoint's log loss, standardised per joint and averaged over visits; the idea of
    Meta-Weight-Net (arXiv 1902.07379), kept linear. All start at 0. One visit, with
    q = clip(g / rms(g), +-2) * 4 a (1 - a) and g = -G / sqrt(loss + floor):

        v += lr q;   u += 0.43 lr clip(sum_j q / sqrt(J), +-2);   (w1, w2, b): Adam of 0.043 lr on -mean(q theta)

    ``floor`` keeps the logarithm of a loss of zero finite; a small part of the loss of an empty heatmap.
    """

    OLD = 0.6  # share of the past in the average of a keypoint's losses
    FORGET = 0.05  # share of a batch in the losses' running mean and variance
    PERSON_LR, LINEAR_LR = 0.43, 0.043  # of u and of (w1, w2, b), as shares of v's
    BETAS, EPS = (0.9, 0.99), 1e-8  # Adam's of (w1, w2, b)

    def __init__(self, count: int, flip_indices: tuple[int, ...], lr: float, floor: float):
        super().__init__(count, flip_indices)
        joints = len(flip_indices)
        self.lr = lr
        self.floor = floor
        self.register_buffer("logits", torch.zeros(count, joints))  # v
        self.register_buffer("person", torch.zeros(count))  # u
        self.register_buffer("linear", torch.zeros(2 + joints))  # w1, w2, b
        self.register_buffer("moments", torch.zeros(2, 2 + joints))
        self.register_buffer("average", torch.zeros(count, joints))  # e
        self.register_buffer("met", torch.zeros(count, joints, dtype=torch.bool))
        self.register_buffer("mean", torch.zeros(joints))
        self.register_buffer("variance", torch.ones(joints))
        self.register_buffer("batches", torch.zeros(joints, dtype=torch.int64))  # that had the joint
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def all_weights(self) -> Tensor:
        everyone = torch.arange(len(self.logits), device=self.logits.device)
        return self._theta(everyone, self._features(everyone)).sigmoid()

    def _learn(self, gradient: Tensor, labelled: Tensor, visit: SourceSamples) -> Tensor:
        losses = self._look(labelled, visit)
        rows, features = visit.index, self._features(visit.index)
        gained = relative(-gradient / (losses + self.floor).sqrt(), labelled).to(self.logits.dtype)
        theta = self._theta(rows, features)
        gained = gained * slope(theta) * labelled
        self.logits[rows] = (self.logits[rows] + self.lr * gained).clamp(-LIMIT, LIMIT)
        of_person = (gained.sum(1) / math.sqrt(gained.shape[1])).clamp(-2, 2)
        self.person[rows] = (self.person[rows] + self.PERSON_LR * self.lr * of_person).clamp(-LIMIT, LIMIT)
        on_losses = (gained[None] * features).mean((1, 2))
        self._adam(-torch.cat([on_losses, gained.sum(0) / gained.numel()]))
        return self._theta(rows, features).sigmoid().to(gradient.dtype)

    def _recall(self, labelled: Tensor, visit: SourceSamples) -> Tensor:
        self._look(labelled, visit)
        return self._theta(visit.index, self._features(visit.index)).sigmoid()

    def _look(self, labelled: Tensor, visit: SourceSamples) -> Tensor:
        """Remember the losses of a visit, and return them [N, J] in annotation order."""
        losses = self.as_annotated(visit.losses, visit)
        logs = (losses + self.floor).log().to(self.mean.dtype)
        count = labelled.sum(0)
        mean = (logs * labelled).sum(0) / count.clamp(min=1)
        variance = ((logs - mean).square() * labelled).sum(0) / count.clamp(min=1)
        self.batches += count > 0
        share = (1 / self.batches.clamp(min=1).to(self.mean.dtype)).clamp(min=self.FORGET) * (count > 0)
        self.mean += share * (mean - self.mean)
        self.variance += share * (variance - self.variance)
        relative_log = ((logs - self.mean) / (self.variance.sqrt() + 1e-3)).clamp(-3, 3)
        rows = visit.index
        before, met = self.average[rows], self.met[rows]
        now = torch.where(met, self.OLD * before + (1 - self.OLD) * relative_log, relative_log)
        self.average[rows] = torch.where(labelled, now, before)
        self.met[rows] = met | labelled
        return losses

    def _features(self, rows: Tensor) -> Tensor:
        """What w1 and w2 multiply, [2, N, J]: the keypoint's own e, and its mean over the person's known ones."""
        own, met = self.average[rows], self.met[rows]
        of_person = own.sum(1) / met.sum(1).clamp(min=1)
        return torch.stack([own, of_person[:, None].expand_as(own)])

    def _theta(self, rows: Tensor, features: Tensor) -> Tensor:
        (own, of_person), joints = self.linear[:2], self.linear[2:]
        from_losses = own * features[0] + of_person * features[1]
        theta = self.logits[rows] + self.person[rows, None] + joints + from_losses
        return theta.clamp(-LIMIT, LIMIT)

    def _adam(self, gradient: Tensor) -> None:
        self.steps += 1
        for moment, value, beta in zip(self.moments, (gradient, gradient.square()), self.BETAS):
            moment.lerp_(value, 1 - beta)
        steps = self.steps.to(self.moments.dtype)  # a power of an integer tensor would be single precision
        first, second = (m / (1 - beta**steps) for m, beta in zip(self.moments, self.BETAS))
        self.linear -= self.LINEAR_LR * self.lr * first / (second.sqrt() + self.EPS)


class FixedWeights(IgnoringVariables):
    """Weights known beforehand, [count, J]: no hypergradient is asked for.

    ``ranking``: variables that learned before. They rank the keypoints, and go on looking at the
    losses, which say more in a model that does without the worst labels.
    """

    learned = False

    def __init__(
        self, weights: Tensor, flip_indices: tuple[int, ...], ranking: IgnoringVariables | None = None
    ):
        super().__init__(len(weights), flip_indices)
        self.register_buffer("weights", weights.to(torch.float32))
        self.ranking = ranking

    def all_weights(self) -> Tensor:
        return self.weights if self.ranking is None else self.ranking.all_weights()

    def _learn(self, gradient: Tensor, labelled: Tensor, visit: SourceSamples) -> Tensor:
        raise TypeError("fixed weights do not learn")

    def _recall(self, labelled: Tensor, visit: SourceSamples) -> Tensor:
        if self.ranking is not None:
            self.ranking.current(visit)
        return self.weights[visit.index]


def relative(gradient: Tensor, labelled: Tensor) -> Tensor:
    """``gradient`` [N, J] in units of its root mean square over the labelled keypoints, within +-2."""
    # In double precision: squares of hypergradients can be too small for single.
    mean_square = gradient.double().square().sum() / labelled.count_nonzero().clamp(min=1)
    # A gradient of zero everywhere asks for no step, not for 0 / 0.
    return torch.where(mean_square == 0, 0.0, gradient / mean_square.sqrt()).clamp(-2, 2)


def slope(logits: Tensor) -> Tensor:
    """4 a (1 - a) of a = sigmoid(logits): the sigmoid's derivative, one at 0."""
    weights = logits.sigmoid()
    return 4 * weights * (1 - weights)


def minmax(values: Tensor) -> Tensor:
    """Scale to [0, 1] over all elements; where all are equal: zeros if they are zero, else ones.

    One NaN makes all of them NaN.
    """
    low, high = values.min(), values.max()
    spread = high - low
    return torch.where(spread == 0, (values != 0).to(values.dtype), (values - low) / spread)
