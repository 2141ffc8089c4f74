"""Where a training step makes the host wait for the device. A part of gpu.py.

python benchmarks/gpu_waits.py syncs --file output/syncs.json
"""

import collections
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.gpu_case import FASTEST, STEPS, Task, precision_of, release, run_part
from lib.training.step import raise_if_nonfinite_loss

ROOT = Path(__file__).resolve().parents[1]
VARIANTS = {"persistent": {"LBI__VARIABLES": "persistent"}, "TRAIN.CLIP_GRAD": {"TRAIN__CLIP_GRAD": 1.0}}


def source_line() -> str:
    """The line of the project that is being executed, as "file:line `text`"."""
    frames = [
        frame
        for frame in traceback.extract_stack()
        if Path(frame.filename).is_relative_to(ROOT / "lib") or "/tests/reference/" in frame.filename
    ]
    if not frames:
        return "elsewhere"
    last = frames[-1]
    return (
        f"{Path(last.filename).relative_to(ROOT)}:{last.lineno} `{(last.line or '').replace('|', '/')[:70]}`"
    )


@contextmanager
def counted_warnings(text: str):
    """Yield a Counter {line of the project: number of its warnings that contain ``text``}."""
    counts = collections.Counter()

    def note(message, *_, **__):
        if text in str(message):
            counts[source_line()] += 1

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = note
        yield counts


@contextmanager
def sync_warnings():
    """Within the block, torch warns of every synchronizing CUDA operation."""
    torch.cuda.set_sync_debug_mode("warn")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


class Waits(TorchDispatchMode):
    """Counts, on any device, the operations for which the host would wait on a GPU, by line of the project.

    These are numbers read from the device, masks whose number of values decides a shape, and Python's data
    sent to the device. Tensor.tolist() passes unseen.
    """

    NAMES = ("aten::_local_scalar_dense", "aten::nonzero", "aten::lift_fresh")

    def __init__(self):
        super().__init__()
        self.counts: collections.Counter[str] = collections.Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.name()
        masked = name == "aten::index.Tensor" and any(
            i is not None and i.dtype == torch.bool for i in args[1]
        )
        if masked or name in self.NAMES:
            self.counts[source_line()] += 1
        return func(*args, **(kwargs or {}))


@contextmanager
def waits_of(task: Task) -> Iterator[collections.Counter[str]]:
    """Yield a Counter of the waits in the block, by line: as CUDA warns of them, on a CPU by their operations."""
    if task.on_cuda:
        with counted_warnings("called a synchronizing") as counts, sync_warnings():
            yield counts
    else:
        with Waits() as waits:
            yield waits.counts


def syncs(task: Task) -> None:
    """How often a step, with its check for finite losses, makes the host wait for the device, and at which lines."""
    counts, lines = {}, []
    small = replace(task, tiny=True)  # the lines do not depend on the network
    for name in (*STEPS, "ours1 final, persistent", "ours1 final, TRAIN.CLIP_GRAD"):
        step, _, variant = name.partition(", ")
        case = small.case(step, FASTEST, **VARIANTS.get(variant, {}))
        with precision_of(FASTEST):
            for _ in range(2):
                case.step()
            with waits_of(task) as waits:
                raise_if_nonfinite_loss(case.step(), 3)
        counts[name] = sum(waits.values())
        lines += [{"step": name, "line": line, "times": times} for line, times in waits.most_common()]
        task.save({"waits of the host in a step": counts, "where": lines})
        release()


if __name__ == "__main__":
    run_part({"syncs": syncs}, __doc__)
