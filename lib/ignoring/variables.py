"""The ignoring variables: one weight in [0, 1] for every annotated keypoint of the source.

Every kind turns a batch's hypergradient [N, J] into weights [N, J]. Batches are in sample order: of a
mirrored sample, the column of the left wrist holds the annotation's right wrist. Tables are in annotation
order: values of a mirrored sample go through the flip permutation first.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

LIMIT = 6.0  # bound of the logits: beyond it the sigmoid's slope is so small that a weight could not return

ADDED = ("signs", "agreement", "recent_pairs")  # buffers that checkpoints of earlier versions may lack


@dataclass(frozen=True)
class SourceSamples:
    """Which keypoints a batch of N source samples holds, in sample order.

    index: [N] position of each sample's annotation.
    flipped: [N] whether the sample is mirrored.
    labelled: [N, J] 1 if the sample has a label for the joint inside the crop, else 0.
    losses: [N, J] the keypoints' own losses, for variables that depend on them.
    """

    index: Tensor
    flipped: Tensor
    labelled: Tensor
    losses: Tensor


class IgnoringVariables(nn.Module, ABC):
    """The weights of all keypoints of the source, and how often each keypoint was visited.

    The tables [count, J] are buffers, so they are moved and checkpointed like those of any module.
    ``learned``: hypergradients change the weights.
    ``signs``: of each keypoint's last hypergradient, 0 before it.
    ``agreement``: pairs of successive hypergradients with the same sign, and all pairs.
    ``known``: bool, labels that are known to be right, see `trust`.

    Args:
        count: number of source annotations.
        flip_indices: for each of the J joints, the joint that a mirror image exchanges it with.
    """

    learned = True
    seen: Tensor
    signs: Tensor
    agreement: Tensor
    known: Tensor
    flip_indices: Tensor

    def __init__(self, count: int, flip_indices: tuple[int, ...]):
        super().__init__()
        # A buffer, to be where the tables are, but known without a checkpoint.
        self.register_buffer("flip_indices", torch.tensor(flip_indices), persistent=False)
        self.register_buffer(
            "known", torch.zeros(count, len(flip_indices), dtype=torch.bool), persistent=False
        )
        self.register_buffer("seen", torch.zeros(count, len(flip_indices), dtype=torch.int32))
        self.register_buffer("signs", torch.zeros(count, len(flip_indices), dtype=torch.int8))
        self.register_buffer("agreement", torch.zeros(2, dtype=torch.int64))

    def trust(self, known: Tensor) -> None:
        """Give labels that are known to be right, bool [count, J], the weight 1 from now on, whatever is learned."""
        self.known.copy_(known)

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Load as torch does; checkpoints of earlier versions lack some of the counts."""
        added = {name: buffer for name, buffer in self.named_buffers() if name.endswith(ADDED)}
        fresh = {name: torch.zeros_like(buffer) for name, buffer in added.items()}
        return super().load_state_dict({**fresh, **state_dict}, *args, **kwargs)

    def update(self, hypergradient: Tensor, samples: SourceSamples) -> Tensor:
        """Learn from one visit of a batch: the hypergradient and the new weights are [N, J] in sample order."""
        labelled = self._count_visit(samples)
        hypergradient = self.to_annotation_order(hypergradient, samples.flipped)
        self._compare_signs(hypergradient, labelled, samples)
        weights = self._trusting(self._learn(hypergradient, labelled, samples), samples)
        return self.to_sample_order(weights, samples.flipped)

    def preview(self, hypergradient: Tensor, samples: SourceSamples) -> Tensor:
        """The weights [N, J] that `update` would return; changes nothing."""
        before = {name: buffer.clone() for name, buffer in self.named_buffers()}
        weights = self.update(hypergradient, samples)
        for name, buffer in self.named_buffers():
            buffer.copy_(before[name])
        return weights

    def current(self, samples: SourceSamples) -> Tensor:
        """Count a visit without a hypergradient; the present weights [N, J] in sample order."""
        labelled = self._count_visit(samples)
        weights = self._trusting(self._look_up(labelled, samples), samples)
        weights = self.to_sample_order(weights, samples.flipped)
        return weights.to(samples.losses.dtype)

    @abstractmethod
    def all_weights(self) -> Tensor:
        """The weight of every keypoint of the source, [count, J] in annotation order."""

    def all_scores(self) -> Tensor:
        """How suspect every keypoint of the source is, float64 [count, J] in annotation order; higher is more.

        The order of the weights, lowest first, which goes on where weights are clipped and so equal.
        """
        return 1 - self.all_weights().double()

    def to_annotation_order(self, values: Tensor, flipped: Tensor) -> Tensor:
        """[N, J] in sample order -> [N, J] in annotation order; ``flipped``: [N], see `SourceSamples`."""
        return torch.where(flipped[:, None], values.index_select(1, self.flip_indices), values)

    # The flip permutation is its own inverse.
    to_sample_order = to_annotation_order

    def _count_visit(self, samples: SourceSamples) -> Tensor:
        """Count the visit of every labelled keypoint; returns which are, [N, J] in annotation order."""
        labelled = self.to_annotation_order(samples.labelled, samples.flipped) > 0
        self.seen[samples.index] += labelled.to(self.seen.dtype)
        return labelled

    def _trusting(self, weights: Tensor, samples: SourceSamples) -> Tensor:
        """The weights [N, J] in annotation order, those of known labels 1."""
        return torch.where(self.known[samples.index], 1.0, weights)

    def _compare_signs(
        self, hypergradient: Tensor, labelled: Tensor, samples: SourceSamples
    ) -> tuple[Tensor, Tensor]:
        """Count in which labelled keypoints the sign is that of the last hypergradient, and store the signs.

        Returns the signs and their products with the last ones, [N, J]; 0 where there is no label or no last one.
        """
        before = self.signs[samples.index]
        signs = hypergradient.sign().to(before.dtype) * labelled
        product = before * signs
        self.agreement += torch.stack([(product > 0).sum(), (product != 0).sum()])
        self.signs[samples.index] = torch.where(signs == 0, before, signs)
        return signs, product

    @abstractmethod
    def _learn(self, hypergradient: Tensor, labelled: Tensor, samples: SourceSamples) -> Tensor:
        """Learn from the hypergradient; all [N, J], the returned weights too, are in annotation order."""

    @abstractmethod
    def _look_up(self, labelled: Tensor, samples: SourceSamples) -> Tensor:
        """The present weights [N, J] in annotation order."""


class OnlineWeights(IgnoringVariables):
    """Original LBI: recomputed for every batch as minmax(max(-G, 0)) over the batch.

    Nothing carries over to the next batch; the mean over visits is recorded for the weight table only.
    """

    total: Tensor

    def __init__(self, count: int, flip_indices: tuple[int, ...]):
        super().__init__(count, flip_indices)
        self.register_buffer("total", torch.zeros(count, len(flip_indices)))

    def all_weights(self) -> Tensor:
        """Mean weight over visits; one for a keypoint that was never visited."""
        return torch.where(self.seen > 0, self.total / self.seen.clamp(min=1), 1.0)

    def _learn(self, hypergradient: Tensor, labelled: Tensor, samples: SourceSamples) -> Tensor:
        weights = minmax((-hypergradient).clamp(min=0))
        self.total[samples.index] += weights.to(self.total.dtype) * labelled
        return weights

    def _look_up(self, labelled: Tensor, samples: SourceSamples) -> Tensor:
        return torch.ones_like(samples.losses)


class PersistentWeights(IgnoringVariables):
    """One logit for every keypoint, kept for the whole training: weight a = sigmoid(logit).

    Each visit takes one step along the hypergradient G, with the root mean square (rms) over the batch's
    labelled keypoints:

        logit <- clip(logit - lr * clip(G / rms(G), +-2) * 4 a (1 - a), +-6)
    """

    logits: Tensor

    def __init__(self, count: int, flip_indices: tuple[int, ...], lr: float):
        super().__init__(count, flip_indices)
        self.lr = lr
        self.register_buffer("logits", torch.zeros(count, len(flip_indices)))

    def all_weights(self) -> Tensor:
        return self.logits.sigmoid()

    def all_scores(self) -> Tensor:
        """Minus the logits."""
        return -self.logits.double()

    def _learn(self, hypergradient: Tensor, labelled: Tensor, samples: SourceSamples) -> Tensor:
        logits = self.logits[samples.index]
        step = self.lr * rms_normalized(hypergradient, labelled).to(logits.dtype) * sigmoid_slope(logits)
        logits = (logits - step).clamp(-LIMIT, LIMIT)
        self.logits[samples.index] = logits
        return logits.sigmoid().to(hypergradient.dtype)

    def _look_up(self, labelled: Tensor, samples: SourceSamples) -> Tensor:
        return self.logits[samples.index].sigmoid()


class FixedWeights(IgnoringVariables):
    """Weights [count, J] known beforehand, which no hypergradient changes.

    Args:
        weights: [count, J] in annotation order.
        flip_indices: as in IgnoringVariables.
        ranking: variables that learned before. They give the weights of the weight table, and go on
            observing losses, which tell more in a model that is trained without the worst labels.
    """

    learned = False
    weights: Tensor

    def __init__(
        self, weights: Tensor, flip_indices: tuple[int, ...], ranking: IgnoringVariables | None = None
    ):
        super().__init__(len(weights), flip_indices)
        self.register_buffer("weights", weights.to(torch.float32))
        self.ranking = ranking

    def all_weights(self) -> Tensor:
        return self.weights if self.ranking is None else self.ranking.all_weights()

    def all_scores(self) -> Tensor:
        return super().all_scores() if self.ranking is None else self.ranking.all_scores()

    def _learn(self, hypergradient: Tensor, labelled: Tensor, samples: SourceSamples) -> Tensor:
        raise TypeError("fixed weights do not learn")

    def _look_up(self, labelled: Tensor, samples: SourceSamples) -> Tensor:
        if self.ranking is not None:
            self.ranking.current(samples)
        return self.weights[samples.index]


def rms_normalized(gradient: Tensor, labelled: Tensor) -> Tensor:
    """``gradient`` [N, J] divided by its root mean square over the labelled keypoints, within +-2."""
    # In float64: squares of hypergradients can underflow float32.
    mean_square = gradient.double().square().sum() / labelled.count_nonzero().clamp(min=1)
    # An all-zero gradient asks for no step, not for 0 / 0.
    return torch.where(mean_square == 0, 0.0, gradient / mean_square.sqrt()).clamp(-2, 2)


def sigmoid_slope(logits: Tensor) -> Tensor:
    """4 a (1 - a) for a = sigmoid(logits): the sigmoid's derivative, scaled to one at 0."""
    weights = logits.sigmoid()
    return 4 * weights * (1 - weights)


def minmax(values: Tensor) -> Tensor:
    """Scale to [0, 1] over all elements; if all are equal, to zeros if they are zero, else to ones.

    One NaN makes all of them NaN.
    """
    low, high = values.min(), values.max()
    spread = high - low
    return torch.where(spread == 0, (values != 0).to(values.dtype), (values - low) / spread)
