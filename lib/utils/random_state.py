"""The state of torch's global random number generators, for checkpoints.

Batches and augmentation do not use them: they depend on the seed and on the position in the training alone.
"""

from typing import TypedDict

import torch
from torch import Tensor


class RandomState(TypedDict, total=False):
    """The state of the CPU's generator and, if CUDA is in use, of all CUDA devices' generators."""

    cpu: Tensor
    cuda: list[Tensor]


def random_state() -> RandomState:
    """The state of all generators that are in use."""
    state: RandomState = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_initialized():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def set_random_state(state: RandomState) -> None:
    """Restore the state that `random_state` returned; that of CUDA only if there are as many devices now."""
    torch.set_rng_state(state["cpu"])
    if torch.cuda.is_initialized() and len(state.get("cuda", ())) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
