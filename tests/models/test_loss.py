"""The keypoint loss against a loop over pixels and against SimpleBaseline's own loss."""

import numpy as np
import pytest
import torch
from torch import nn

from lib.models.loss import OverPixels, keypoint_losses


def example(dtype=torch.float64):
    rng = torch.Generator().manual_seed(0)
    predicted = torch.randn(3, 4, 5, 6, generator=rng, dtype=dtype)
    heatmaps = torch.rand(3, 4, 5, 6, generator=rng, dtype=dtype)
    weight = torch.ones(3, 4, dtype=dtype)
    weight[0, 1] = weight[2] = 0
    weight[1, 2] = 0.5
    return predicted, heatmaps, weight


def test_equals_a_loop_over_pixels():
    predicted, heatmaps, weight = example()
    expected = np.zeros((3, 4))
    for i in range(3):
        for j in range(4):
            for y in range(5):
                for x in range(6):
                    difference = weight[i, j] * (predicted[i, j, y, x] - heatmaps[i, j, y, x])
                    expected[i, j] += 0.5 * float(difference) ** 2
    losses = keypoint_losses(predicted, heatmaps, weight)
    assert losses.shape == (3, 4)
    np.testing.assert_allclose(losses.numpy(), expected, rtol=1e-12, atol=0)


def test_a_value_by_hand():
    predicted = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    heatmaps = torch.tensor([[[[0.0, 0.0], [1.0, 1.0]]]])
    loss = keypoint_losses(predicted, heatmaps, torch.ones(1, 1))
    assert loss.tolist() == [[(1 + 4 + 4 + 9) / 2]]


def test_joint_without_label_has_no_loss_and_no_gradient():
    predicted, heatmaps, weight = example()
    predicted.requires_grad_()
    losses = keypoint_losses(predicted, heatmaps, weight)
    losses.sum().backward()
    assert (losses[weight == 0] == 0).all() and (losses[weight > 0] > 0).all()
    assert (predicted.grad[weight == 0] == 0).all()
    labelled = weight == 1
    torch.testing.assert_close(predicted.grad[labelled], (predicted - heatmaps).detach()[labelled])


class JointsMSELoss(nn.Module):
    """SimpleBaseline's: half the mean squared error of each joint, averaged over joints."""

    def forward(self, output, target, target_weight):
        batch, joints = output.shape[:2]
        total = 0.0
        for joint in range(joints):
            predicted = output[:, joint].reshape(batch, -1)
            wanted = target[:, joint].reshape(batch, -1)
            weight = target_weight[:, joint]
            total = total + 0.5 * nn.functional.mse_loss(predicted * weight, wanted * weight)
        return total / joints


@pytest.mark.parametrize("dtype, rtol", [(torch.float32, 1e-6), (torch.float64, 1e-13)])
def test_the_mean_over_pixels_is_simple_baselines_loss_and_the_sum_is_pixels_times_that(dtype, rtol):
    predicted, heatmaps, weight = example(dtype)
    theirs = JointsMSELoss()(predicted, heatmaps, weight[..., None])
    for over, times in ((OverPixels.MEAN, 1), (OverPixels.SUM, 30)):
        losses = keypoint_losses(predicted, heatmaps, weight, over)
        assert over.per_mean(5 * 6) == times
        torch.testing.assert_close(losses.mean(), times * theirs, rtol=rtol, atol=0)
    assert torch.equal(losses, keypoint_losses(predicted, heatmaps, weight))
