"""A training step on CUDA: time, memory, operations, synchronization with the host. Parts of gpu.py.

python benchmarks/gpu_step.py step --file output/step.json
"""

import collections
import statistics
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu_case import (
    FASTEST,
    PRECISIONS,
    Task,
    measured,
    milliseconds,
    precision_of,
    reason,
    release,
    run_part,
)
from benchmarks.step import parts_of
from lib.models.loss import keypoint_losses
from lib.training.batches import as_batch
from lib.utils.device import wait_for_device
from tests.reference import unrolled

ROOT = Path(__file__).resolve().parents[1]
MODES = ("baseline2", "ours1", "ours2", "ours5")
UNROLLED = "ours2 unrolled"
UNROLLED_PRECISIONS = ("float32", "tf32")


# Time and memory


def step_of(name: str, task: Task, precision: str) -> Callable[[], object]:
    """A function that takes a training step of a mode; ``UNROLLED``: with second-order graphs, as the original."""
    if name != UNROLLED:
        return task.case(name, precision).step
    # The reference computes its losses in a Python loop over keypoints, which would distort the times.
    unrolled.keypoint_losses = keypoint_losses
    parts = parts_of(task.case("ours2", precision))
    return lambda: unrolled.online_step("ours2", *parts)


def step_row(name: str, task: Task, precision: str) -> dict:
    """Time and peak memory, or a note that it runs out of memory."""
    row = {"precision": precision, "step": name}
    try:
        with precision_of(precision):
            row |= measured(step_of(name, task, precision), task)
    except torch.cuda.OutOfMemoryError as error:
        row["note"] = reason(error)
    release()
    return row


def with_ratios(rows: list[dict]) -> list[dict]:
    """Add the ratios to the first baseline2 of the same precision; its second row shows their uncertainty."""
    first = {row["precision"]: row for row in reversed(rows) if row["step"] == "baseline2" and "ms" in row}
    for row in rows:
        base = first.get(row["precision"])
        if base and "ms" in row:
            row["time / baseline2"] = row["ms"] / base["ms"]
            row["memory / baseline2"] = row["peak MiB"] / base["peak MiB"]
    return rows


def step(task: Task) -> None:
    """All modes in each precision, baseline2 in the fastest one once more, and finally the unrolled step.

    Rows that the part's file already has are not measured again.
    """
    wanted = [(precision, name) for precision in PRECISIONS for name in MODES]
    wanted += [(FASTEST, "baseline2"), *((precision, UNROLLED) for precision in UNROLLED_PRECISIONS)]
    rows, order = task.saved().get("steps", []), list(PRECISIONS)
    for row in rows:
        if (row["precision"], row["step"]) in wanted:
            wanted.remove((row["precision"], row["step"]))
    for precision, name in wanted:
        rows.append(step_row(name, task, precision))
        print(rows[-1], flush=True)
        rows.sort(key=lambda row: order.index(row["precision"]))
        task.save({"steps": with_ratios(rows)})


# Operations, bytes and rates


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
        for mode in MODES:
            with precision_of(precision):
                work = work_of(task.case(mode, precision).step)
            numbers["work of a step"].append({"precision": precision, "step": mode} | work)
            task.save(numbers)
            release()


# Synchronization: the host waits for the device


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


def syncs(task: Task) -> None:
    """How often a step makes the host wait for the device, and at which lines."""
    counts, lines = {}, []
    variants = {mode: {} for mode in MODES} | {
        f"ours1, {kind}": {"LBI__VARIABLES": kind, "LBI__HYPERGRAD_THROUGH": "sgd"}
        for kind in ("persistent", "loss_aware")
    }
    for name, settings in variants.items():
        case = task.case(name.split(",")[0], FASTEST, **settings)
        with precision_of(FASTEST):
            for _ in range(2):
                case.step()
            with counted_warnings("called a synchronizing") as waits, sync_warnings():
                case.step()
        counts[name] = sum(waits.values())
        lines += [{"step": name, "line": line, "times": times} for line, times in waits.most_common()]
        task.save({"waits of the host in a step": counts, "where": lines})
        release()


# Kernels


def is_kernel(event) -> bool:
    """Whether a profiled event is a kernel, not a label of the project or an optimizer around several kernels."""
    labels = ("part: ", "Optimizer.")
    return event.self_device_time_total > 0 and not event.key.startswith(labels)


def kernels(task: Task, steps: int = 3) -> None:
    """The longest kernels of a step, and the time of all kernels; the rest of a step is gaps between them."""
    rows, busy = [], {}
    for mode in ("baseline2", "ours1", "ours2"):
        case = task.case(mode, FASTEST)
        with precision_of(FASTEST):
            alone = measured(case.step, task)["ms"]
            with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
                for _ in range(steps):
                    case.step()
                wait_for_device()
        events = [e for e in profile.key_averages() if is_kernel(e)]
        events.sort(key=lambda event: -event.self_device_time_total)
        total = sum(event.self_device_time_total for event in events) / 1000 / steps
        busy[mode] = {"ms": alone, "ms of kernels": total, "kernels": sum(e.count for e in events) / steps}
        for event in events[:12]:
            ms = event.self_device_time_total / 1000 / steps
            rows.append({
                "step": mode, "kernel": event.key.replace("|", "/")[:70], "ms": ms, "share": ms / total,
                "times": event.count / steps,
            })  # fmt: skip
        task.save({"kernels of a step": busy, "longest kernels": rows})
        del case
        release()


# torch.compile and CUDA graphs


def compile_(task: Task) -> None:
    """A step with TRAIN.COMPILE, which falls back to eager with a warning if torch.compile fails."""
    rows = []
    for mode in ("baseline2", "ours1", "ours2"):
        row = {"step": mode}
        rows.append(row)
        try:
            with precision_of(FASTEST), counted_warnings("TRAIN.COMPILE") as failures:
                row["ms"] = measured(task.case(mode, FASTEST).step, task)["ms"]
                case = task.case(mode, FASTEST, TRAIN__COMPILE=True)
                begun = time.perf_counter()
                case.step()
                wait_for_device()
                row["s of the first step"] = time.perf_counter() - begun
                row["ms compiled"] = measured(case.step, task)["ms"]
                row["compiled / not"] = row["ms compiled"] / row["ms"]
            row["note"] = "torch.compile failed" if failures else ""
        except Exception as error:
            traceback.print_exc()
            row["note"] = reason(error)
        task.save({"compiled forward passes": rows})
        release()


def captured(call: Callable[[], object]) -> Callable[[], object]:
    """Capture ``call`` in a CUDA graph and return a function that replays it; raises the errors of the capture."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def forward_and_backward(task: Task) -> Callable[[], object]:
    """The gradients of both batches of a baseline2 step, without the optimizer."""
    case = task.case("baseline2", FASTEST)
    learner, batches = case.state.target, [as_batch(sample, True) for sample in (case.target, case.source)]
    return lambda: [learner.local_gradient(learner.losses(batch).mean()) for batch in batches]


def capturable(task: Task, mode: str) -> Callable[[], object]:
    """A step whose optimizers keep their step counts on the device, so that it can be captured."""
    case = task.case(mode, FASTEST)
    for learner in case.state.models().values():
        for group in learner.optimizer.param_groups:
            group["capturable"] = True
    return case.step


def first_cause(error: BaseException) -> BaseException:
    """The error that ended a capture; others follow from it when the capture is closed."""
    while error.__context__ is not None:
        error = error.__context__
    return error


def graphs(task: Task) -> None:
    """Time of a step, or of a part of it, replayed as a CUDA graph, or why it cannot be captured."""
    variants = {
        "baseline2, forward and backward": lambda: forward_and_backward(task),
        "baseline2, optimizer capturable": lambda: capturable(task, "baseline2"),
        "baseline2 as it is": lambda: task.case("baseline2", FASTEST).step,
        "ours1, optimizer capturable": lambda: capturable(task, "ours1"),
    }
    rows = []
    for name, make in variants.items():
        row = {"graph of": name}
        rows.append(row)
        try:
            with precision_of(FASTEST):
                call = make()
                row["ms"] = measured(call, task)["ms"]
                replay = captured(call)
                replay()
                row["ms replayed"] = statistics.median(milliseconds(replay, True) for _ in range(10))
                row["replayed / not"] = row["ms replayed"] / row["ms"]
        except Exception as error:
            traceback.print_exc()
            row["note"] = reason(first_cause(error))
        task.save({"CUDA graphs": rows})
        call = replay = None
        release()


PARTS = {
    "step": step,
    "floor": floor,
    "syncs": syncs,
    "kernels": kernels,
    "compile": compile_,
    "graphs": graphs,
}


if __name__ == "__main__":
    run_part(PARTS, __doc__)
