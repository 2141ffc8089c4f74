"""The device that a process computes on, and torch's settings there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import torch

from lib.utils.errors import InputError


class CudnnSettings(Protocol):
    """Settings of ``torch.backends.cudnn``, as section CUDNN of the configuration has them."""

    @property
    def benchmark(self) -> bool: ...

    @property
    def deterministic(self) -> bool: ...

    @property
    def enabled(self) -> bool: ...


def cuda_numbers(name: str, gpus: str) -> list[int]:
    """The numbers of the CUDA devices to compute on; empty if another device is used.

    Args:
        name: setting DEVICE.
        gpus: setting GPUS: numbers separated by commas.

    Raises:
        InputError: ``gpus`` does not consist of different numbers, or a device does not exist.
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


def pick_device(name: str, gpus: str, local_rank: int = 0, local_size: int = 1) -> tuple[torch.device, str]:
    """Choose the device of this process.

    Args:
        name: setting DEVICE: auto, cpu, cuda or mps.
        gpus: setting GPUS.
        local_rank, local_size: rank and number of processes on this machine. With several processes, each
            takes the device of its rank or, if GPUS names several, the one at that position.

    Returns:
        The device, and a line for the log that says which it is and why.

    Raises:
        InputError: the device does not exist, or GPUS does not fit the number of processes.
    """
    if numbers := cuda_numbers(name, gpus):
        if local_size > 1 and len(numbers) == 1:
            _expect_devices(local_size, f"{local_size} processes train here")
            numbers = list(range(local_size))
        if len(numbers) != local_size:
            raise InputError(
                f"GPUS is {gpus!r}: every process needs one device, but this machine runs {local_size} of them"
            )
        device = torch.device("cuda", numbers[local_rank])
        if local_size > 1:
            torch.cuda.set_device(device)  # NCCL communicates on the current device
        return device, f"computing on {torch.cuda.get_device_name(device)} ({device})"
    if name == "cuda":
        raise InputError("DEVICE is cuda, but torch finds no CUDA device")
    if name == "mps":
        if not torch.backends.mps.is_available():
            raise InputError("DEVICE is mps, but torch finds no such device")
        return torch.device("mps"), "computing on mps"
    reason = "no CUDA device found" if name == "auto" else "set by DEVICE"
    return torch.device("cpu"), f"computing on the CPU with {torch.get_num_threads()} threads ({reason})"


def _expect_devices(count: int, reason: str) -> None:
    """Raise InputError if there are fewer than ``count`` CUDA devices."""
    if count > torch.cuda.device_count():
        raise InputError(f"{reason}, but this machine has {torch.cuda.device_count()} CUDA device(s)")


def wait_for_device() -> None:
    """Wait until the GPU, if there is one, has finished its queue of work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    elif torch.backends.mps.is_available():
        torch.mps.synchronize()


def set_up_backends(threads: int, cudnn: CudnnSettings) -> None:
    """Set the number of CPU threads (0: leave torch's default) and the cuDNN settings of this process."""
    if threads:
        torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = cudnn.benchmark
    torch.backends.cudnn.deterministic = cudnn.deterministic
    torch.backends.cudnn.enabled = cudnn.enabled


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on a CPU with one thread inside a ``with`` block: for many small operations, which more make no faster.

    Threads that wait for each other in turn take whole cores: beside other work, many times as long.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
