"""The state of torch's random generators. Data and augmentation are functions of seed and position instead."""

from typing import TypedDict

import torch
from torch import Tensor


class RandomState(TypedDict, total=False):
    """Of the CPU's generator, and of those of all CUDA devices if they are in use."""

    cpu: Tensor
    cuda: list[Tensor]


def random_state() -> RandomState:
    """Of the CPU's generator, and of those of all CUDA devices that are in use."""
    state: RandomState = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_initialized():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def set_random_state(state: RandomState) -> None:
    """As ``random_state`` found it; of devices that are not there, nothing is set."""
    torch.set_rng_state(state["cpu"])
    if torch.cuda.is_initialized() and len(state.get("cuda", ())) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
