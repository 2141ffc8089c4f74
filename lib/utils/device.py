"""Where to compute, and what to set there."""

import torch

from lib.core.errors import InputError


def pick_device(name: str, gpus: str) -> tuple[torch.device, str]:
    """The device that DEVICE and GPUS ask for, and a sentence that says which and why.

    Raises InputError where it is asked for and is not there.
    """
    if name in ("auto", "cuda") and torch.cuda.is_available():
        numbers = [text.strip() for text in gpus.split(",") if text.strip()]
        if len(numbers) != 1 or not numbers[0].isdigit():
            raise InputError(f"GPUS is {gpus!r}: one process trains on one device, give its number")
        if int(numbers[0]) >= torch.cuda.device_count():
            raise InputError(
                f"GPUS is {gpus!r}, but this machine has {torch.cuda.device_count()} CUDA device(s)"
            )
        device = torch.device("cuda", int(numbers[0]))
        return device, f"computing on {torch.cuda.get_device_name(device)} ({device})"
    if name == "cuda":
        raise InputError("DEVICE is cuda, but torch finds no CUDA device")
    if name == "mps":
        if not torch.backends.mps.is_available():
            raise InputError("DEVICE is mps, but torch finds no such device")
        return torch.device("mps"), "computing on mps"
    why = "no CUDA device found" if name == "auto" else "as DEVICE says"
    return torch.device("cpu"), f"computing on the CPU with {torch.get_num_threads()} threads ({why})"


def wait_for_device() -> None:
    """Until a GPU, where there is one, has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    elif torch.backends.mps.is_available():
        torch.mps.synchronize()


def set_up_backends(threads: int, cudnn: dict) -> None:
    """Set CPU threads and cuDNN's switches, for the whole process."""
    if threads:
        torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = cudnn["BENCHMARK"]
    torch.backends.cudnn.deterministic = cudnn["DETERMINISTIC"]
    torch.backends.cudnn.enabled = cudnn["ENABLED"]
