"""Where the tests of this folder compute, and how learners, batches and variables get there.

LBI_TEST_DEVICE=cpu runs them without a GPU, to work on the tests; CUDA is then not tested.
"""

import copy
import os

import pytest
import torch

from lib.ignoring.trainable_model import TrainableModel

DEVICE = torch.device(os.environ.get("LBI_TEST_DEVICE", "cuda"))
ON_CUDA = DEVICE.type == "cuda"
# The ``pytestmark`` of every module here.
NEEDS_DEVICE = [
    pytest.mark.gpu,
    pytest.mark.skipif(ON_CUDA and not torch.cuda.is_available(), reason="torch finds no CUDA device"),
]


def on_device(tensors):
    """A tensor, or tensors in tuples, lists and dictionaries, on the device."""
    if isinstance(tensors, dict):
        return {name: on_device(value) for name, value in tensors.items()}
    if isinstance(tensors, tuple | list):
        return type(tensors)(on_device(value) for value in tensors)
    return tensors.to(DEVICE)


def on_cpu(tensors):
    """The same on the CPU, in double precision where they are floating-point numbers."""
    if isinstance(tensors, dict):
        return {name: on_cpu(value) for name, value in tensors.items()}
    if isinstance(tensors, tuple | list):
        return type(tensors)(on_cpu(value) for value in tensors)
    tensors = tensors.detach().cpu()
    return tensors.double() if tensors.is_floating_point() else tensors


def learner_on_device(made, dtype=None, channels_last=False, fused=None, autocast=None):
    """An independent copy of a learner, optimiser state and layers; ``dtype``: of parameters and moments."""
    model = copy.deepcopy(made.model)
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
    model = model.to(DEVICE, dtype)
    parameters = list(model.parameters())
    state = copy.deepcopy(made.optimizer.state_dict())
    (group,) = state["param_groups"]
    if fused is not None:
        group["fused"] = fused
    settings = {"fused": fused} if fused else {}
    optimizer = type(made.optimizer)(parameters, lr=group["lr"], **settings)
    optimizer.load_state_dict(state)
    # In the parameter's memory format, as moments of a checkpoint are loaded.
    for parameter, moments in optimizer.state.items():
        for name, value in moments.items():
            if value.dim():
                moments[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
    return TrainableModel(
        model, optimizer, parameters, autocast, hypergradient_layers=made.hypergradient_layers
    )


def relative_error(found, expected):
    """Norm of the difference over the norm of ``expected``, of tensors or lists of them."""
    found, expected = (
        torch.cat([t.flatten() for t in on_cpu([x] if torch.is_tensor(x) else list(x))])
        for x in (found, expected)
    )
    assert expected.norm() > 0
    return float((found - expected).norm() / expected.norm())
