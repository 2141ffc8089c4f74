"""Ignoring variables of a few annotations, and visits to them."""

import torch

from lib.dataset.keypoints import SHARED_KEYPOINTS
from lib.dataset.skeleton import Skeleton
from lib.ignoring.loss_aware import LossAwareWeights
from lib.ignoring.variables import OnlineWeights, PersistentWeights, SourceSamples

JOINTS = len(SHARED_KEYPOINTS)
PARTNER = Skeleton.of(SHARED_KEYPOINTS).flip_indices
COUNT, LR, FLOOR = 9, 0.7, 0.02


def variables(kind, count=COUNT, flip_indices=PARTNER):
    if kind == "loss_aware":
        return LossAwareWeights(count, flip_indices, LR, FLOOR)
    return (
        OnlineWeights(count, flip_indices) if kind == "online" else PersistentWeights(count, flip_indices, LR)
    )


def visit(index, flipped=None, labelled=None, joints=JOINTS, losses=None):
    """A batch that holds the annotations ``index``; all labelled and unmirrored unless said."""
    n = len(index)
    return SourceSamples(
        index=torch.tensor(index),
        flipped=torch.tensor(flipped or [False] * n),
        labelled=torch.ones(n, joints) if labelled is None else labelled,
        losses=torch.ones(n, joints) if losses is None else losses,
    )


def random_visits(seed=0, batches=6, size=4):
    """(hypergradient, visit) with mirrored samples and missing labels, where the hypergradient is 0."""
    rng = torch.Generator().manual_seed(seed)
    for _ in range(batches):
        labelled = (torch.rand(size, JOINTS, generator=rng) < 0.7).double()
        gradient = torch.randn(size, JOINTS, generator=rng, dtype=torch.float64) * 1e-5 * labelled
        flipped = (torch.rand(size, generator=rng) < 0.5).tolist()
        # From far below the floor to a few times an empty heatmap's, 0 where there is no label
        losses = 10 ** (-4 + 5 * torch.rand(size, JOINTS, generator=rng, dtype=torch.float64)) * labelled
        rows = torch.randperm(COUNT, generator=rng)[:size].tolist()
        yield gradient, visit(rows, flipped, labelled, losses=losses)
