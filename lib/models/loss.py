"""Keypoint loss of Learning By Ignoring: squared error of the heatmaps, one value per keypoint."""

from torch import Tensor


def keypoint_losses(predicted: Tensor, heatmaps: Tensor, target_weight: Tensor) -> Tensor:
    """Compute the heatmap loss of every keypoint of every instance.

        l_ij = 1/2 * sum_{x, y} (t_ij * (predicted_ijxy - heatmaps_ijxy))^2

    This is the loss of SimpleBaseline (Xiao et al. 2018, https://arxiv.org/abs/1804.06208; `JointsMSELoss`
    of lib/core/loss.py), summed over pixels instead of averaged and not reduced over instances and joints,
    so that Learning By Ignoring can weight each l_ij: mean(l) = h * w * JointsMSELoss.

    Args:
        predicted: [N, J, h, w] heatmaps of the network.
        heatmaps: [N, J, h, w] target heatmaps.
        target_weight: [N, J] t_ij, 1 for labelled keypoints and 0 for the others.

    Returns:
        [N, J] losses; 0 with a gradient of 0 for keypoints without a label.
    """
    difference = (predicted - heatmaps) * target_weight[..., None, None]
    return 0.5 * difference.square().sum(dim=(2, 3))
