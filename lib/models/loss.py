"""The keypoint loss of Learning By Ignoring."""

from torch import Tensor


def keypoint_losses(predicted: Tensor, heatmaps: Tensor, target_weight: Tensor) -> Tensor:
    """Loss of every keypoint by itself: [N, J, h, w], [N, J, h, w], [N, J] -> [N, J].

    l_ij = 1/2 * sum over pixels of (t_ij * (predicted_ij - heatmaps_ij))^2. Its mean over N * J
    is h * w times SimpleBaseline's JointsMSELoss.
    """
    difference = (predicted - heatmaps) * target_weight[..., None, None]
    return 0.5 * difference.square().sum(dim=(2, 3))
