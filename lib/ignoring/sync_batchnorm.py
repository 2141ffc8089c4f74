"""BatchNorm by the batch of all processes together, with its tangent.

torch's SyncBatchNorm does the same on GPUs alone, and says nothing of the statistics that a tangent needs.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from lib.utils.distributed import Group


class Normalised(NamedTuple):
    """value: [N, C, ...] of this process.   mean, scale (1 / sd): [C], and count: of all processes."""

    value: Tensor
    mean: Tensor
    scale: Tensor
    count: Tensor


class SyncBatchNorm2d(nn.BatchNorm2d):
    """As nn.BatchNorm2d; in training by the mean and variance over the samples of all of ``group``.

    Each forward pass in training takes two messages of C numbers, its backward pass and its tangent one each.
    """

    group: Group

    @classmethod
    def of(cls, layer: nn.BatchNorm2d, group: Group) -> "SyncBatchNorm2d":
        """``layer``, with its parameters and statistics, shared."""
        made = cls(layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
        made.weight, made.bias = layer.weight, layer.bias
        made.running_mean, made.running_var = layer.running_mean, layer.running_var
        made.num_batches_tracked = layer.num_batches_tracked
        made.group = group
        return made.train(layer.training)

    def forward(self, values: Tensor) -> Tensor:
        return self.normalised(values).value if self.training else super().forward(values)

    def normalised(self, values: Tensor) -> Normalised:
        """In training: by the batch, which running statistics follow where there are any."""
        found = Normalised(*_Normalise.apply(values, self.weight, self.bias, self.eps, self.group))
        if self.track_running_stats:
            self.num_batches_tracked += 1
            share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
            variance = (found.scale**-2 - self.eps) * (found.count / (found.count - 1))
            self.running_mean.lerp_(found.mean, share)
            self.running_var.lerp_(variance, share)
        return found

    def sums(self, tangent: Tensor, values: Tensor, found: Normalised) -> tuple[Tensor, Tensor]:
        """[C] sums of n dx and dx over all processes, n being ``values`` normalised."""
        return tuple(_sums(tangent, _centred(values, found.mean), found.scale, self.group))


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values, weight, bias, eps, group):
        numbers = values.to(weight.dtype)
        count = weight.new_tensor(values.numel() / values.shape[1])
        mean = numbers.sum(_over(values))
        group.all_reduce_([mean, count], "statistics")
        mean /= count
        centred = _centred(numbers, mean)
        (variance,) = group.all_reduce_([centred.square().sum(_over(values))], "statistics")
        scale = (variance / count + eps).rsqrt()
        ctx.save_for_backward(values, weight, mean, scale, count)
        ctx.group = group
        ctx.mark_non_differentiable(mean, scale, count)
        value = centred * _wide(weight * scale, values) + _wide(bias, values)
        return value.to(values.dtype), mean, scale, count

    @staticmethod
    def backward(ctx, gradient, *_):
        values, weight, mean, scale, count = ctx.saved_tensors
        gradient = gradient.to(weight.dtype)
        centred = _centred(values.to(weight.dtype), mean)
        # Of the parameters each process gives its own part; through the statistics goes what all ask for.
        own = _sums(gradient, centred, scale)
        products, total = ctx.group.all_reduce_([part.clone() for part in own], "statistics")
        through = centred * _wide(scale * products / count, values) + _wide(total / count, values)
        of_values = (gradient - through) * _wide(weight * scale, values)
        return of_values.to(values.dtype), *own, None, None


def convert_sync_batchnorm(model: nn.Module, group: Group) -> None:
    """Let ``model``'s BatchNorm2d layers normalise by the batch of all of ``group``."""
    for parent in model.modules():
        for name, layer in parent.named_children():
            if type(layer) is nn.BatchNorm2d:
                setattr(parent, name, SyncBatchNorm2d.of(layer, group))


def _sums(changes: Tensor, centred: Tensor, scale: Tensor, group: Group | None = None) -> list[Tensor]:
    found = [(changes * centred).sum(_over(changes)) * scale, changes.sum(_over(changes))]
    return group.all_reduce_(found, "statistics") if group else found


def _over(values: Tensor) -> list[int]:
    return [0, *range(2, values.dim())]


def _wide(numbers: Tensor, values: Tensor) -> Tensor:
    return numbers.view(1, -1, *[1] * (values.dim() - 2))


def _centred(values: Tensor, mean: Tensor) -> Tensor:
    return values - _wide(mean, values)
