"""What the parts of gpu.py share: options, precisions, the case that they measure, how time is taken."""

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
# name: (settings, whether float32 products may be computed in tf32)
PRECISIONS = {
    "float32": ({}, False),
    "tf32": ({}, True),
    "bf16": ({"TRAIN__AMP": "bf16"}, True),
    "bf16+channels_last": ({"TRAIN__AMP": "bf16", "TRAIN__CHANNELS_LAST": True}, True),
}
FASTEST = "bf16+channels_last"


@dataclass
class Task:
    """One part: the file of its numbers, the device, and whether everything is to be tiny."""

    file: Path
    device: torch.device
    tiny: bool

    def save(self, numbers: dict) -> None:
        """Write what is known so far; what is cut off later is not lost."""
        write_text(self.file, json.dumps(numbers, indent=2) + "\n")

    def saved(self) -> dict:
        """What an earlier call saved; empty if there is nothing."""
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def case(self, mode: str, precision: str = "float32", **settings: object) -> pose_case.PoseCase:
        """ResNet-50 at 256x192 and batches of ``PEOPLE``, or a small one of 2."""
        pose_case.PEOPLE = 2 if self.tiny else PEOPLE
        size = pose_case.TINY if self.tiny else {}
        return pose_case.PoseCase(mode, pose_case.config_of(**PRECISIONS[precision][0], **size, **settings))

    @property
    def on_cuda(self) -> bool:
        return self.device.type == "cuda"


@contextmanager
def precision_of(name: str):
    """cuDNN's fastest algorithms, and tf32 as the precision says."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    kept = cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32
    cudnn.benchmark = True
    cudnn.allow_tf32 = matmul.allow_tf32 = PRECISIONS[name][1]
    try:
        yield
    finally:
        cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = kept


def release() -> None:
    """Give back what is no longer used, so that the next peak is its own."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def milliseconds(call: Callable[[], object], on_cuda: bool) -> float:
    """Of one call, by CUDA's events where there are some."""
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
    """Median ms of ``repeat`` calls, and their peak memory."""
    if task.tiny:
        warm, repeat = 1, 2
    for _ in range(warm):  # cuDNN tries its algorithms, some with much memory
        call()
    wait_for_device()
    if task.on_cuda:
        torch.cuda.reset_peak_memory_stats()
    single = statistics.median(milliseconds(call, task.on_cuda) for _ in range(repeat))
    peak = torch.cuda.max_memory_allocated() if task.on_cuda else peak_resident()
    return {"ms": single, "peak MiB": peak / 2**20}


def reason(error: BaseException) -> str:
    """An error in a table's cell."""
    text = " ".join(str(error).split()).replace("|", "/")
    return f"{type(error).__name__}: {text}"[:200]


def run_part(parts: dict[str, Callable[[Task], None]], description: str | None) -> None:
    """The command line of a script that has ``parts``."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=parts)
    parser.add_argument("--file", type=Path, required=True, help="for the numbers")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="a small network, few repetitions")
    options = parser.parse_args()
    parts[options.part](Task(options.file, torch.device(options.device), options.tiny))
