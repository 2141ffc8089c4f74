"""What the look-ahead of the original Learning By Ignoring code leaves behind in models and optimizers: nothing.

    pip install higher==0.2.1
    python findings/higher_leaves_no_traces.py

The original backs up `state_dict()` before its look-ahead and loads it afterwards. Those backups are references,
so loading them restores nothing, which looks as if the look-ahead changed the models. It does not: `higher` steps
on copies of parameters, BatchNorm statistics and optimizer states. Counts the tensors that differ afterwards.
"""

import copy
import sys
from pathlib import Path

import higher
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.config.schema import ModelConfig, ModelExtraConfig
from lib.models.loss import keypoint_losses
from lib.models.pose_resnet import build_pose_resnet


def tensors_of(*holders):
    """{name: copy} of every tensor in the state dictionaries of models and optimizers."""
    found = {}

    def collect(node, name):
        if isinstance(node, torch.Tensor):
            found[name] = node.detach().clone()
        elif isinstance(node, dict | list):
            for key, value in node.items() if isinstance(node, dict) else enumerate(node):
                collect(value, f"{name}.{key}")

    for number, holder in enumerate(holders):
        collect(holder.state_dict(), str(number))
    return found


def batch(seed):
    """Noise, with targets and weights: images [4, 3, 64, 64], heatmaps [4, 13, 16, 16]."""
    rng = torch.Generator().manual_seed(seed)
    return (
        torch.randn(4, 3, 64, 64, generator=rng),
        torch.rand(4, 13, 16, 16, generator=rng),
        torch.ones(4, 13),
    )


def losses(model, seed):
    """[4, 13] of the batch with this seed."""
    images, heatmaps, weights = batch(seed)
    return keypoint_losses(model(images), heatmaps, weights)


def main() -> int:
    """Run one step of both models, then a look-ahead as in the original's ours2, and compare."""
    torch.manual_seed(0)
    extra = ModelExtraConfig(num_layers=50, width=8, num_deconv_filters=(16, 16, 16), heatmap_size=(16, 16))
    source = build_pose_resnet(ModelConfig(image_size=(64, 64), extra=extra)).train()
    target = copy.deepcopy(source)
    optimizers = [torch.optim.Adam(model.parameters(), lr=1e-3) for model in (source, target)]
    for seed, model, optimizer in zip((1, 2), (source, target), optimizers):  # fills the moments
        losses(model, seed).mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    everything = (source, target, *optimizers)
    before = tensors_of(*everything)
    backups = [holder.state_dict() for holder in everything]  # as the original takes them
    epsilon = torch.zeros(4, 13, requires_grad=True)
    with higher.innerloop_ctx(source, optimizers[0]) as (ahead_source, step_source):
        step_source.step((epsilon * losses(ahead_source, 3)).mean())
        with higher.innerloop_ctx(target, optimizers[1]) as (ahead_target, step_target):
            pairs = zip(ahead_source.parameters(), ahead_target.parameters())
            distance = sum((t - s).square().sum() for s, t in pairs)
            step_target.step(losses(ahead_target, 4).mean() + 7e-3 * distance)
            (gradient,) = torch.autograd.grad(losses(ahead_target, 5).mean(), epsilon)

    after = tensors_of(*everything)
    changed = [name for name, tensor in before.items() if not torch.equal(tensor, after[name])]
    references = source.state_dict()["conv1.weight"].data_ptr() == backups[0]["conv1.weight"].data_ptr()
    print(f"hypergradient: norm {gradient.norm():.3g}; the backups are references: {references}")
    print(f"{len(changed)} of {len(before)} tensors changed by the look-ahead")
    return 0


if __name__ == "__main__":
    sys.exit(main())
