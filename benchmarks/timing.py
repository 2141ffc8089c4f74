"""Measurement of time (variants in turn, medians) and memory (in fresh processes) for all benchmarks.

A benchmark is a script with ``--json FILE`` and ``--repeat N``; ``all.py`` runs them all.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from lib.utils.device import wait_for_device
from lib.utils.files import write_text

PACKAGES = ("torch", "torchvision", "numpy", "opencv-python")


def benchmark_parser(description: str, repeat: int) -> argparse.ArgumentParser:
    """A parser with the options of all benchmarks: --json, --repeat and --threads."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--repeat", type=int, default=repeat, help="rounds; medians over them are reported")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    return parser


def median_times(variants: dict[str, Callable[[], object]], repeat: int) -> dict[str, float]:
    """Median seconds of each of ``variants`` {name: function}, called in turn ``repeat`` times.

    Calling them in turn exposes all variants to the same disturbances of the machine.
    """
    taken: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(repeat + 1):
        for name, call in variants.items():
            wait_for_device()
            begun = time.perf_counter()
            call()
            wait_for_device()
            taken[name].append(time.perf_counter() - begun)
    return {name: statistics.median(times[1:]) for name, times in taken.items()}  # the first warms up


# glibc otherwise keeps freed memory for later, in pieces of which many do not fit: up to a fifth of the peak, by chance.
RETURN_FREED_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**20)}


def peak_memory(arguments: list[str]) -> float:
    """Peak memory in MiB of ``python arguments``, which calls `print_peak_memory` at its end.

    On a CPU under Linux, freed memory is returned to the system at once.

    Raises:
        RuntimeError: with its output, if it fails.
    """
    environment = os.environ | RETURN_FREED_MEMORY
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return float(done.stdout.rsplit("peak MiB", 1)[1])


def print_peak_memory() -> None:
    """Print the peak memory: of torch's tensors on CUDA, otherwise the process's resident size."""
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else peak_resident()
    print(f"peak MiB {peak / 2**20:.1f}")


def peak_resident() -> int:
    """Largest resident size of this process in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux, getrusage includes the parent process
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, other systems KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def machine() -> dict[str, str | int]:
    """The hardware and software that the results depend on: processor, device, threads and versions."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "unknown"
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        **versions,
    }


def processor() -> str:
    """The processor's name."""
    name, info = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].split(":", 1)[1].strip() if lines else name
    return name


def write_numbers(path: Path | None, numbers: dict) -> None:
    """Write a benchmark's results and the machine to ``path``, unless it is None."""
    if path is not None:
        write_text(path, json.dumps({"machine": machine(), **numbers}, indent=2) + "\n")
