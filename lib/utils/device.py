"""Where to compute, and what to set there."""

from typing import Protocol

import torch

from lib.utils.errors import InputError


class CudnnSettings(Protocol):
    """The settings of section CUDNN."""

    @property
    def benchmark(self) -> bool: ...

    @property
    def deterministic(self) -> bool: ...

    @property
    def enabled(self) -> bool: ...


def cuda_numbers(name: str, gpus: str) -> list[int]:
    """Of the CUDA devices that DEVICE and GPUS ask for; none where it is not CUDA that is computed on.

    Raises InputError for what are no numbers, or devices that are not there.
    """
    if name not in ("auto", "cuda") or not torch.cuda.is_available():
        return []
    texts = [text.strip() for text in gpus.split(",") if text.strip()]
    if not texts or not all(text.isascii() and text.isdecimal() for text in texts):
        raise InputError(f"GPUS is {gpus!r}, expected the number of a CUDA device, or several as in 0,1")
    numbers = [int(text) for text in texts]
    if len(set(numbers)) < len(numbers):
        raise InputError(f"GPUS is {gpus!r}: every process needs a device of its own")
    _expect_devices(max(numbers) + 1, f"GPUS is {gpus!r}")
    return numbers


def pick_device(name: str, gpus: str, place: tuple[int, int] = (0, 1)) -> tuple[torch.device, str]:
    """The device that DEVICE and GPUS ask for, and a sentence that says which and why.

    ``place``: number of this process on its machine, of how many. Of several, each takes the device of its
    own number, or GPUS' of that position. Raises InputError where it is asked for and is not there.
    """
    number, processes = place
    if numbers := cuda_numbers(name, gpus):
        if processes > 1 and len(numbers) == 1:
            _expect_devices(processes, f"{processes} processes train here")
            numbers = list(range(processes))
        if len(numbers) != processes:
            raise InputError(
                f"GPUS is {gpus!r}: one process computes on one device, and here are {processes}"
            )
        device = torch.device("cuda", numbers[number])
        if processes > 1:
            torch.cuda.set_device(device)  # where NCCL expects what it is given
        return device, f"computing on {torch.cuda.get_device_name(device)} ({device})"
    if name == "cuda":
        raise InputError("DEVICE is cuda, but torch finds no CUDA device")
    if name == "mps":
        if not torch.backends.mps.is_available():
            raise InputError("DEVICE is mps, but torch finds no such device")
        return torch.device("mps"), "computing on mps"
    why = "no CUDA device found" if name == "auto" else "as DEVICE says"
    return torch.device("cpu"), f"computing on the CPU with {torch.get_num_threads()} threads ({why})"


def _expect_devices(count: int, why: str) -> None:
    if count > torch.cuda.device_count():
        raise InputError(f"{why}, but this machine has {torch.cuda.device_count()} CUDA device(s)")


def wait_for_device() -> None:
    """Until a GPU, where there is one, has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    elif torch.backends.mps.is_available():
        torch.mps.synchronize()


def set_up_backends(threads: int, cudnn: CudnnSettings) -> None:
    """Set CPU threads and the cuDNN settings of the whole process."""
    if threads:
        torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = cudnn.benchmark
    torch.backends.cudnn.deterministic = cudnn.deterministic
    torch.backends.cudnn.enabled = cudnn.enabled
