"""Batches as the training step sees them: network inputs, heatmap targets, loss weights."""

from dataclasses import dataclass, field

from torch import Tensor

from lib.ignoring.variables import SourceSamples
from lib.models.loss import OverPixels, keypoint_losses
from lib.utils.distributed import Group


@dataclass(frozen=True)
class Batch:
    """This rank's N samples of a batch.

    images: [N, 3, H, W], normalized network input.
    heatmaps: [N, J, h, w], the targets.
    loss_weights: [N, J], 1 for a keypoint that counts in the loss, else 0.
    counts: number of samples on each rank; empty with a single process.
    over_pixels: the scale of its losses.
    """

    images: Tensor
    heatmaps: Tensor
    loss_weights: Tensor
    counts: tuple[int, ...] = field(default=(), kw_only=True)
    over_pixels: OverPixels = field(default=OverPixels.SUM, kw_only=True)

    def losses(self, predicted: Tensor) -> Tensor:
        """Loss l_ij of every keypoint, [N, J], for predicted heatmaps [N, J, h, w]."""
        return keypoint_losses(predicted, self.heatmaps, self.loss_weights, self.over_pixels)

    def share_of_mean(self, losses: Tensor) -> Tensor:
        """This rank's summand of the mean over the whole batch, given its losses [N, J]."""
        return losses.sum() / self.element_count

    @property
    def element_count(self) -> int:
        """Number of keypoints (samples times joints) in the whole batch, over all ranks."""
        return (sum(self.counts) or len(self.loss_weights)) * self.loss_weights.shape[1]


@dataclass(frozen=True)
class SourceBatch(Batch):
    """A source batch, with the annotations that its samples come from.

    index: [N] position of each sample's annotation.   flipped: [N] whether the sample is mirrored.
    The keypoints with a loss weight are those that have ignoring variables.
    """

    index: Tensor
    flipped: Tensor

    def gather(self, group: Group, losses: Tensor, *others: Tensor) -> tuple:
        """Collect the whole batch on every rank.

        Args:
            losses, others: [N, J] values of this rank's samples.

        Returns:
            The SourceSamples of the whole batch, then each of ``others`` for the whole batch.
        """
        mine = (self.index, self.flipped, self.loss_weights, losses.detach(), *others)
        index, flipped, labelled, losses, *others = group.all_gather(self.counts, *mine)
        return SourceSamples(index, flipped, labelled, losses), *others


@dataclass(frozen=True)
class StepBatches:
    """The batches of one training step, None for those that it does not use."""

    target: Batch | None = None
    source: SourceBatch | None = None
    validation: Batch | None = None
