"""BatchNorm over the batches of all ranks together, with what its JVP needs.

torch's SyncBatchNorm does the same on GPUs only, and does not give out the statistics that a tangent needs.
Values are [N, C, ...] on this rank; everything per channel is [C].
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lib.utils.distributed import Group


@dataclass(frozen=True)
class Normalized:
    """value: [N, C, ...] of this rank.   mean, inverse_sd (1 / sd), count: [C], [C] and [], over all ranks."""

    value: Tensor
    mean: Tensor
    inverse_sd: Tensor
    count: Tensor


class SyncBatchNorm2d(nn.BatchNorm2d):
    """nn.BatchNorm2d that in training normalizes by the mean and variance over all ranks of ``group``.

    A forward pass in training sends two messages of C numbers, its backward pass and its JVP one each.
    """

    group: Group

    @classmethod
    def from_layer(cls, layer: nn.BatchNorm2d, group: Group) -> "SyncBatchNorm2d":
        """A synchronized layer with the parameters and buffers of ``layer``."""
        new = cls(layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
        new.weight, new.bias = layer.weight, layer.bias
        new.running_mean, new.running_var = layer.running_mean, layer.running_var
        new.num_batches_tracked = layer.num_batches_tracked
        new.group = group
        return new.train(layer.training)

    def forward(self, values: Tensor) -> Tensor:
        """Normalize [N, C, H, W]: by the statistics over all ranks in training, else by the running ones."""
        return self.normalized(values).value if self.training else super().forward(values)

    def normalized(self, values: Tensor) -> Normalized:
        """Normalize by the batch, as in training; running statistics, if tracked, are updated."""
        result = Normalized(*_Normalize.apply(values, self.weight, self.bias, self.eps, self.group))
        if self.track_running_stats:
            self.num_batches_tracked += 1
            share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
            variance = (result.inverse_sd**-2 - self.eps) * (result.count / (result.count - 1))
            self.running_mean.lerp_(result.mean, share)
            self.running_var.lerp_(variance, share)
        return result

    def sums(self, tangent: Tensor, values: Tensor, statistics: Normalized) -> tuple[Tensor, Tensor]:
        """Sums of n dx and dx over all ranks, [C] each, for dx = ``tangent`` and n = ``values`` normalized."""
        centered = _centered(values, statistics.mean)
        products, total = _sums(tangent, centered, statistics.inverse_sd, self.group)
        return products, total


class _Normalize(torch.autograd.Function):
    """y = gamma (x - mean) / sd + beta over all ranks (Ioffe & Szegedy, arXiv 1502.03167).

    Backward, with n = (x - mean) / sd and means over all ranks:
    dx = gamma / sd * (dy - mean(dy) - n mean(n dy)),  dgamma = sum(n dy),  dbeta = sum(dy).
    """

    @staticmethod
    def forward(ctx, values, weight, bias, eps, group):
        numbers = values.to(weight.dtype)
        count = weight.new_tensor(values.numel() / values.shape[1])
        mean = numbers.sum(_all_but_channels(values))
        group.all_reduce_([mean, count], "statistics")
        mean /= count
        centered = _centered(numbers, mean)
        squares = centered.square().sum(_all_but_channels(values))
        (variance,) = group.all_reduce_([squares], "statistics")
        inverse_sd = (variance / count + eps).rsqrt()
        ctx.save_for_backward(values, weight, mean, inverse_sd, count)
        ctx.group = group
        ctx.mark_non_differentiable(mean, inverse_sd, count)
        value = centered * _per_channel(weight * inverse_sd, values) + _per_channel(bias, values)
        return value.to(values.dtype), mean, inverse_sd, count

    @staticmethod
    def backward(ctx, gradient, *_):
        values, weight, mean, inverse_sd, count = ctx.saved_tensors
        gradient = gradient.to(weight.dtype)
        centered = _centered(values.to(weight.dtype), mean)
        # The parameters get this rank's part, which the training step sums over ranks later.
        # The statistics depend on all ranks, and so do their gradients.
        own = _sums(gradient, centered, inverse_sd)
        products, total = ctx.group.all_reduce_([part.clone() for part in own], "statistics")
        through_statistics = centered * _per_channel(inverse_sd * products / count, values)
        through_statistics = through_statistics + _per_channel(total / count, values)
        d_values = (gradient - through_statistics) * _per_channel(weight * inverse_sd, values)
        return d_values.to(values.dtype), *own, None, None


def convert_sync_batchnorm(model: nn.Module, group: Group) -> None:
    """Replace the BatchNorm2d layers of ``model`` by synchronized ones, in place."""
    for parent in model.modules():
        for name, layer in parent.named_children():
            if type(layer) is nn.BatchNorm2d:
                setattr(parent, name, SyncBatchNorm2d.from_layer(layer, group))


def _sums(changes: Tensor, centered: Tensor, inverse_sd: Tensor, group: Group | None = None) -> list[Tensor]:
    """Sums of n times ``changes`` and of ``changes``, [C] each; over all ranks if a group is given."""
    over = _all_but_channels(changes)
    sums = [(changes * centered).sum(over) * inverse_sd, changes.sum(over)]
    return group.all_reduce_(sums, "statistics") if group else sums


def _all_but_channels(values: Tensor) -> list[int]:
    return [0, *range(2, values.dim())]


def _per_channel(numbers: Tensor, values: Tensor) -> Tensor:
    """[C] -> a view that broadcasts over [N, C, ...]."""
    return numbers.view(1, -1, *[1] * (values.dim() - 2))


def _centered(values: Tensor, mean: Tensor) -> Tensor:
    return values - _per_channel(mean, values)
