#!/usr/bin/env bash
# higher: a look-ahead of two networks inside of innerloop_ctx changes neither them nor their optimizers, although
# the backups that code around it takes with state_dict() are references and restore nothing.
#
# Surprise: optimizer state and BatchNorm statistics stay as they were, too; 0 tensors differ afterwards.
# Natural guess: state_dict() returns the live tensors, so loading such a "backup" after the look-ahead loads the
#   changed values onto themselves, and every step of training is taken twice.
# Seen: 2026-11-27, higher 0.2.1, torch 2.13.0, Python 3.11, Linux.
# Why it matters to people who train pose networks: the public code of Learning By Ignoring takes such backups
#   around its look-ahead. Reading it, one would "mend" them with deep copies, or blame them for its results; both
#   are for nothing.
#
# Installs pinned packages in a temporary folder and fails if the behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  torch==2.13.0 higher==0.2.1 numpy==2.3.4 2>/dev/null
"$folder/venv/bin/python" - <<'P'
import platform
import sys
from importlib.metadata import version

import higher
import torch
from torch import nn

print(f"Python {platform.python_version()}, torch {torch.__version__}, higher {version('higher')}, {platform.system()}")
torch.manual_seed(0)


def network():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.ConvTranspose2d(8, 8, 4, 2), nn.BatchNorm2d(8), nn.Conv2d(8, 5, 1)
    ).train()


def losses(model):
    """[4, 5]: the mean square of each of 5 heatmaps against noise."""
    heatmaps = model(torch.randn(4, 3, 16, 16))
    return (heatmaps - torch.rand_like(heatmaps)).square().mean(dim=(2, 3))


def tensors(holders):
    """Every tensor in the state dictionaries of ``holders``, in order."""
    found, stack = [], [holder.state_dict() for holder in holders]
    while stack:
        node = stack.pop()
        if torch.is_tensor(node):
            found.append(node)
        elif isinstance(node, dict | list):
            stack += node.values() if isinstance(node, dict) else node
    return found


source, target = network(), network()
optimizers = [torch.optim.Adam(model.parameters(), lr=1e-3) for model in (source, target)]
for model, optimizer in zip((source, target), optimizers):  # fills the moments
    losses(model).mean().backward()
    optimizer.step()
    optimizer.zero_grad()

everything = (source, target, *optimizers)
before = [tensor.detach().clone() for tensor in tensors(everything)]
backup = source.state_dict()
are_references = backup["0.weight"].data_ptr() == source[0].weight.data_ptr()

weights = torch.zeros(4, 5, requires_grad=True)
with higher.innerloop_ctx(source, optimizers[0]) as (ahead_source, step_source):
    step_source.step((weights * losses(ahead_source)).mean())
    with higher.innerloop_ctx(target, optimizers[1]) as (ahead_target, step_target):
        distance = sum((a - b).square().sum() for a, b in zip(ahead_source.parameters(), ahead_target.parameters()))
        step_target.step(losses(ahead_target).mean() + 7e-3 * distance)
        (hypergradient,) = torch.autograd.grad(losses(ahead_target).mean(), weights)

changed = sum(not torch.equal(a, b) for a, b in zip(before, tensors(everything)))
print(f"hypergradient of norm {hypergradient.norm():.3g}; state_dict() holds references: {are_references}")
print(f"tensors of models and optimizers that the look-ahead changed: {changed} of {len(before)}")
sys.exit(0 if are_references and changed == 0 and hypergradient.norm() > 0 else "the behavior has changed")
P
