#!/usr/bin/env bash
# torch: on a CPU, fused Adam takes moments and gradients as they lie in memory, whatever their memory format is.
#
# Surprise: a checkpoint of a contiguous network that goes on in channels last (Module.to, then load_state_dict of network
#   and optimizer) moves each weight by the moments of another one. The same happens for gradients of torch.autograd.grad
#   that are not in their parameter's format. There is neither a warning nor an error, and the loss still falls.
# Natural guess: a memory format is a matter of speed only, and fused=True is the same Adam; on CUDA, fused Adam refuses
#   such tensors ("params, grads, exp_avgs, and exp_avg_sqs must have same dtype, device, and layout", seen with torch
#   2.11 on an H100), and Adam without fused=True is right on both.
# Seen: 2026-11-28, torch 2.13.0 and 2.14.1, Python 3.11, Linux, x86-64.
# Why it matters to people who train pose networks: channels last is switched on for speed, often between two parts of a
#   training, and load_state_dict keeps the strides of the file. Bilevel and meta-learning code sets .grad by hand.
#
# Installs pinned packages in a temporary folder (torch: some 100 MB to several GB, by the build that pip takes) and fails
# if the behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0 "numpy==2.3.4" 2>/dev/null
"$folder/venv/bin/python" - <<'P'
import copy
import platform

import torch
from torch import nn

print(f"Python {platform.python_version()}, torch {torch.__version__}, {platform.system()}, {platform.machine()}")
torch.manual_seed(0)
images, wanted = torch.randn(8, 3, 16, 16), torch.randn(8, 5, 16, 16)
start = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 5, 3, padding=1))


def steps(model, optimizer, count):
    for _ in range(count):
        optimizer.zero_grad()
        ((model(images) - wanted) ** 2).mean().backward()
        optimizer.step()


def resumed(fused, memory_format):
    """Weights after three steps, a checkpoint, and one more step in ``memory_format``."""
    model = copy.deepcopy(start)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, fused=fused)
    steps(model, optimizer, 3)
    checkpoint = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    model = copy.deepcopy(start).to(memory_format=memory_format)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, fused=fused)
    model.load_state_dict(checkpoint[0])
    optimizer.load_state_dict(checkpoint[1])
    steps(model, optimizer, 1)
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def by_hand(fused, memory_format):
    """A parameter in channels last after one step with a gradient in ``memory_format``."""
    torch.manual_seed(1)
    parameter = nn.Parameter(torch.randn(8, 4, 3, 3).contiguous(memory_format=torch.channels_last))
    parameter.grad = torch.randn(8, 4, 3, 3).contiguous(memory_format=memory_format)
    torch.optim.Adam([parameter], lr=0.1, fused=fused).step()
    return parameter.detach()


for what, run in (("moments of a checkpoint", resumed), ("a gradient set by hand", by_hand)):
    off = {}
    for fused in (False, True):
        same, other = (run(fused, form) for form in (torch.contiguous_format, torch.channels_last))
        off[fused] = float((same - other).abs().max())
    print(f"{what}: largest difference between the two formats {off[False]:.1e}, fused {off[True]:.1e}")
    assert off[False] < 1e-4 < 1e-2 <= off[True]
P
echo "as described"
