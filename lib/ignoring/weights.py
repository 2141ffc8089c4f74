"""The ignoring variables: one weight in [0, 1] for every annotated keypoint of the source.

Both kinds turn a batch's hypergradient into weights. They speak of keypoints as the annotation
names them: what a mirrored sample says about its left wrist is kept for the right one.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Visit:
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

    ``partner`` is the flip permutation of the joints. Being buffers, the tables [count, J] are
    moved and checkpointed with everything else.
    """

    def __init__(self, count: int, partner: tuple[int, ...]):
        super().__init__()
        self.partner = list(partner)
        self.register_buffer("seen", torch.zeros(count, len(partner), dtype=torch.int32))

    def propose(self, gradient: Tensor, visit: Visit) -> Tensor:
        """Weights [N, J] that follow from the hypergradient [N, J]; remembers nothing."""
        return self.as_sampled(self._weights(self.as_annotated(gradient, visit), visit), visit)

    def commit(self, gradient: Tensor, visit: Visit) -> Tensor:
        """As ``propose``, and remember it: exactly once for each visit of a batch."""
        gradient = self.as_annotated(gradient, visit)
        labelled = self.as_annotated(visit.labelled, visit) > 0
        self.seen[visit.index] += labelled.to(self.seen.dtype)
        weights = self._weights(gradient, visit)
        self._remember(gradient, weights, labelled, visit)
        return self.as_sampled(weights, visit)

    @abstractmethod
    def table(self) -> Tensor:
        """The weight of every keypoint of the source, [count, J] in annotation order."""

    def as_annotated(self, values: Tensor, visit: Visit) -> Tensor:
        """[N, J] in the samples' joint order -> in the annotations' order."""
        return torch.where(visit.flipped[:, None], values[:, self.partner], values)

    # Mirroring twice changes nothing, so the way back is the same.
    as_sampled = as_annotated

    @abstractmethod
    def _weights(self, gradient: Tensor, visit: Visit) -> Tensor:
        """Weights [N, J] from the gradient [N, J], both in annotation order."""

    @abstractmethod
    def _remember(self, gradient: Tensor, weights: Tensor, labelled: Tensor, visit: Visit) -> None:
        """Keep what the visit says; all [N, J] in annotation order."""


class OnlineWeights(IgnoringVariables):
    """The original's: found anew for each batch, weight = minmax(max(-G, 0)) over the batch.

    Nothing found is used again; the mean over visits is kept as a record only.
    """

    def __init__(self, count: int, partner: tuple[int, ...]):
        super().__init__(count, partner)
        self.register_buffer("total", torch.zeros(count, len(partner)))

    def table(self) -> Tensor:
        """Mean weight over visits; one where a keypoint was never seen."""
        return torch.where(self.seen > 0, self.total / self.seen.clamp(min=1), 1.0)

    def _weights(self, gradient: Tensor, visit: Visit) -> Tensor:
        return minmax((-gradient).clamp(min=0))

    def _remember(self, gradient: Tensor, weights: Tensor, labelled: Tensor, visit: Visit) -> None:
        self.total[visit.index] += weights.to(self.total.dtype) * labelled


class PersistentWeights(IgnoringVariables):
    """One logit for every keypoint, kept for the whole training: weight = sigmoid(logit).

    Each visit takes one step on the logit along the hypergradient:
    logit <- clip(logit - lr * clip(G / rms(G), +-2) * 4 a (1 - a), +-6), with the root mean
    square over the batch's labelled keypoints.
    """

    LIMIT = 6.0

    def __init__(self, count: int, partner: tuple[int, ...], lr: float):
        super().__init__(count, partner)
        self.lr = lr
        self.register_buffer("logits", torch.zeros(count, len(partner)))

    def table(self) -> Tensor:
        return self.logits.sigmoid()

    def _stepped(self, gradient: Tensor, visit: Visit) -> Tensor:
        logits = self.logits[visit.index]
        weights = logits.sigmoid()
        # In double precision: squares of hypergradients can be too small for single.
        mean_square = gradient.double().square().sum() / visit.labelled.count_nonzero().clamp(min=1)
        # A gradient of zero everywhere asks for no step, not for 0 / 0.
        relative = torch.where(mean_square == 0, 0.0, gradient / mean_square.sqrt()).clamp(-2, 2)
        step = self.lr * relative.to(logits.dtype) * 4 * weights * (1 - weights)
        return (logits - step).clamp(-self.LIMIT, self.LIMIT)

    def _weights(self, gradient: Tensor, visit: Visit) -> Tensor:
        return self._stepped(gradient, visit).sigmoid().to(gradient.dtype)

    def _remember(self, gradient: Tensor, weights: Tensor, labelled: Tensor, visit: Visit) -> None:
        self.logits[visit.index] = self._stepped(gradient, visit)


def minmax(values: Tensor) -> Tensor:
    """Scale to [0, 1] over all elements; where all are equal: zeros if they are zero, else ones.

    One NaN makes all of them NaN.
    """
    low, high = values.min(), values.max()
    spread = high - low
    return torch.where(spread == 0, (values != 0).to(values.dtype), (values - low) / spread)
