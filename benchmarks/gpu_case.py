"""Shared by the parts of gpu.py: options, precisions, the measured training step, timing."""

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks import pose_case
from benchmarks.timing import peak_resident
from lib.utils.device import wait_for_device
from lib.utils.files import write_text

PEOPLE = 32  # in each batch
# name: (settings, whether tf32 is allowed for float32 convolutions and matrix products)
PRECISIONS = {
    "float32": ({}, False),
    "tf32": ({}, True),
    "bf16": ({"TRAIN__AMP": "bf16"}, True),
    "bf16+channels_last": ({"TRAIN__AMP": "bf16", "TRAIN__CHANNELS_LAST": True}, True),
}
FASTEST = "bf16+channels_last"
# The recommended way: along the last layer alone, and weights that are kept. Without it: the original's way.
FINAL = {
    "LBI__HYPERGRAD_LAYERS": "final",
    "LBI__HYPERGRAD_THROUGH": "sgd",
    "LBI__VARIABLES": "loss_aware",
}
# name: (mode, settings)
RECOMMENDED = {"baseline2": ("baseline2", {})} | {
    f"{m} final": (m, FINAL) for m in ("ours1", "ours2", "ours5")
}
STEPS = RECOMMENDED | {mode: (mode, {}) for mode in ("ours1", "ours2", "ours5")}


@dataclass
class Task:
    """How to run a part.

    file: for its results.
    device: to measure on.
    tiny: only check that it runs, with a tiny network and few repetitions.
    """

    file: Path
    device: torch.device
    tiny: bool

    def save(self, numbers: dict) -> None:
        """Write the results so far, so that they survive if the part is stopped."""
        write_text(self.file, json.dumps(numbers, indent=2) + "\n")

    def saved(self) -> dict:
        """The results that an earlier call saved; empty if there are none."""
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def case(self, step: str, precision: str = "float32", **settings: object) -> pose_case.PoseCase:
        """One of ``STEPS`` on ResNet-50 at 256x192 with batches of ``PEOPLE``; if tiny, a tiny network, batches of 2."""
        pose_case.PEOPLE = 2 if self.tiny else PEOPLE
        size = pose_case.TINY if self.tiny else {}
        mode, given = STEPS[step]
        config = pose_case.config_of(**PRECISIONS[precision][0] | size | given | settings)
        return pose_case.PoseCase(mode, config)

    @property
    def on_cuda(self) -> bool:
        """Whether the device is a CUDA device."""
        return self.device.type == "cuda"


@contextmanager
def precision_of(name: str):
    """Within the block, cuDNN benchmarks its algorithms, and tf32 is allowed if the precision ``name`` does."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32
    cudnn.benchmark = True
    cudnn.allow_tf32 = matmul.allow_tf32 = PRECISIONS[name][1]
    try:
        yield
    finally:
        cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = before


def release() -> None:
    """Free unused memory, so that it does not count in the next peak."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def milliseconds(call: Callable[[], object], on_cuda: bool) -> float:
    """Duration of one call; on CUDA, measured with events."""
    wait_for_device()
    if not on_cuda:
        begun = time.perf_counter()
        call()
        return 1000 * (time.perf_counter() - begun)
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    call()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end)


def measured(call: Callable[[], object], task: Task, warm: int = 3, repeat: int = 10) -> dict[str, float]:
    """Median ms of ``repeat`` calls after ``warm`` others, and their peak memory in MiB."""
    if task.tiny:
        warm, repeat = 1, 2
    for _ in range(warm):  # cuDNN benchmarks its algorithms, some of which need much memory
        call()
    wait_for_device()
    if task.on_cuda:
        torch.cuda.reset_peak_memory_stats()
    median = statistics.median(milliseconds(call, task.on_cuda) for _ in range(repeat))
    peak = torch.cuda.max_memory_allocated() if task.on_cuda else peak_resident()
    return {"ms": median, "peak MiB": peak / 2**20}


def reason(error: BaseException) -> str:
    """One line about ``error``, for a cell of a table."""
    text = " ".join(str(error).split()).replace("|", "/")
    return f"{type(error).__name__}: {text}"[:200]


def run_part(parts: dict[str, Callable[[Task], None]], description: str | None) -> None:
    """Run the one of ``parts`` that the command line names."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=parts)
    parser.add_argument("--file", type=Path, required=True, help="file for the results")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="a small network, few repetitions")
    options = parser.parse_args()
    parts[options.part](Task(options.file, torch.device(options.device), options.tiny))
