"""The state of torch's random generators. Data and augmentation are functions of seed and position instead."""

import torch
from torch import Tensor


def random_state() -> dict[str, Tensor | list[Tensor]]:
    """Of the CPU's generator, and of those of all CUDA devices that are in use."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_initialized():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def set_random_state(state: dict[str, Tensor | list[Tensor]]) -> None:
    """As ``random_state`` found it; of devices that are not there, nothing is set."""
    torch.set_rng_state(state["cpu"])
    if torch.cuda.is_initialized() and len(state.get("cuda", ())) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
