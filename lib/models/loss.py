"""The keypoint loss on its two scales: summed over pixels as in Learning By Ignoring, or SimpleBaseline's mean."""

from enum import Enum

from torch import Tensor


class OverPixels(Enum):
    """How the squared errors of a heatmap become the loss of its keypoint.

    SUM: Learning By Ignoring; main.py trains on it, and lambda and the floor of log losses are tied to it.
    MEAN: SimpleBaseline; train.py trains on it, and all losses are reported on this scale.
    """

    SUM = "sum"
    MEAN = "mean"

    def per_mean(self, pixels: int) -> int:
        """How many times the mean over ``pixels`` this reduction is: divide by it to report a loss."""
        return pixels if self is OverPixels.SUM else 1


def keypoint_losses(
    predicted: Tensor, heatmaps: Tensor, target_weight: Tensor, over: OverPixels = OverPixels.SUM
) -> Tensor:
    """Compute the heatmap loss of every keypoint of every instance.

        l_ij = 1/2 * sum_{x, y} (t_ij * (predicted_ijxy - heatmaps_ijxy))^2        (SUM)

    With MEAN it is divided by the number of pixels; its mean over instances and joints, labelled or not, is
    then `JointsMSELoss` of SimpleBaseline's lib/core/loss.py (Xiao et al. 2018,
    https://arxiv.org/abs/1804.06208). It is not reduced here, so that Learning By Ignoring can weight each l_ij.

    Args:
        predicted: [N, J, h, w] heatmaps of the network.
        heatmaps: [N, J, h, w] target heatmaps.
        target_weight: [N, J] t_ij, 1 for labelled keypoints and 0 for the others.
        over: sum or mean over the h * w pixels.

    Returns:
        [N, J] losses; 0 with a gradient of 0 for keypoints without a label.
    """
    squared = ((predicted - heatmaps) * target_weight[..., None, None]).square()
    return 0.5 * (squared.sum(dim=(2, 3)) if over is OverPixels.SUM else squared.mean(dim=(2, 3)))
