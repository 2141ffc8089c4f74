"""Lower bounds on the time of a training step: its operations and memory traffic, at the device's rates. A part of gpu.py.

python benchmarks/gpu_floor.py floor --file output/floor.json
"""

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu_case import FASTEST, Task, measured, precision_of, release, run_part

BOUNDED = ("baseline2", "ours1 final", "ours2 final", "ours5 final", "ours1")  # the steps that are counted


class Traffic(TorchDispatchMode):
    """Counts the bytes of the operations' inputs and outputs, as if each were read or written once.

    Views and the allocation of tensors count nothing. Fused operations would move fewer bytes.
    """

    UNWRITTEN = ("aten::empty", "aten::new_empty")

    def __init__(self):
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        if not func.is_view and not func.name().startswith(self.UNWRITTEN):
            tensors = [leaf for leaf in tree_leaves((args, kwargs, output)) if isinstance(leaf, torch.Tensor)]
            self.bytes += sum(map(size, tensors))
        return output


def size(tensor: torch.Tensor) -> int:
    """Bytes of ``tensor``; those in its storage if it is expanded."""
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())


def work_of(call: Callable[[], object]) -> dict[str, float]:
    """TFLOP of the convolutions and matrix products (multiplications and additions), and GB of memory traffic."""
    call()
    with FlopCounterMode(display=False) as counter:
        call()
    with Traffic() as traffic:
        call()
    return {"TFLOP": counter.get_total_flops() / 1e12, "GB": traffic.bytes / 1e9}


def matrix_rate(precision: str, task: Task) -> float:
    """TFLOP/s of the product of two random square matrices."""
    length = 256 if task.tiny else 8192
    dtype = torch.bfloat16 if precision.startswith("bf16") else torch.float32
    a, b = (torch.randn(length, length, device=task.device, dtype=dtype) for _ in range(2))
    out = torch.empty_like(a)
    with precision_of(precision):
        ms = measured(lambda: torch.mm(a, b, out=out), task)["ms"]
    return 2 * length**3 / ms / 1e9


def copy_rate(task: Task) -> float:
    """GB/s of a copy on the device, counting bytes read and written."""
    count = 1 << (20 if task.tiny else 29)
    given = torch.randn(count, device=task.device)
    copied = torch.empty_like(given)
    return 2 * given.nbytes / measured(lambda: copied.copy_(given), task)["ms"] / 1e6


def floor(task: Task) -> None:
    """Rates of the device, and operations and memory traffic of a step: lower bounds on its time."""
    numbers = {"matrix TFLOP/s": {}, "copy GB/s": copy_rate(task)}
    release()
    for precision in ("float32", "tf32", "bf16"):
        numbers["matrix TFLOP/s"][precision] = matrix_rate(precision, task)
        release()
    task.save(numbers)
    numbers["work of a step"] = []
    for precision in ("tf32", FASTEST):
        for name in BOUNDED:
            with precision_of(precision):
                work = work_of(task.case(name, precision).step)
            numbers["work of a step"].append({"precision": precision, "step": name} | work)
            task.save(numbers)
            release()


if __name__ == "__main__":
    run_part({"floor": floor}, __doc__)
