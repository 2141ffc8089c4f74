"""A training step on CUDA: time and memory, kernels, torch.compile, CUDA graphs. Parts of gpu.py.

python benchmarks/gpu_step.py step --file output/step.json
"""

import statistics
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from benchmarks.gpu_case import (
    FASTEST,
    PRECISIONS,
    RECOMMENDED,
    STEPS,
    Task,
    measured,
    milliseconds,
    precision_of,
    reason,
    release,
    run_part,
)
from benchmarks.gpu_waits import counted_warnings
from benchmarks.step import parts_of
from lib.models.loss import keypoint_losses
from lib.training.batches import as_batch
from lib.utils.device import wait_for_device
from tests.reference import unrolled

UNROLLED = "ours2 unrolled"
WHOLE = [name for name in STEPS if name not in RECOMMENDED]  # hypergradients along the whole network
ORDER = ("tf32", "bf16", FASTEST, "float32")  # of the precisions: what a run would use comes first
# The rows of each part, first things first.
ROWS = {
    "step": [(precision, name) for precision in ORDER for name in RECOMMENDED] + [(FASTEST, "baseline2")],
    "whole": [
        *((precision, name) for precision in ("tf32", FASTEST) for name in ("baseline2", "ours1", "ours2")),
        ("tf32", UNROLLED),
        *((precision, name) for precision in ("float32", "bf16") for name in ("baseline2", *WHOLE)),
        *((precision, "ours5") for precision in ("tf32", FASTEST)),
        ("float32", UNROLLED),
    ],
}


# Time and memory


def step_of(name: str, task: Task, precision: str) -> Callable[[], object]:
    """A function that takes one of ``STEPS``, or ``UNROLLED``: with second-order graphs, as the original."""
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


def measure_rows(part: str, task: Task) -> None:
    """Measure ``ROWS`` of a part; those that its file already has are not measured again."""
    wanted = list(ROWS[part])
    rows, order = task.saved().get("steps", []), list(PRECISIONS)
    for row in rows:
        if (row["precision"], row["step"]) in wanted:
            wanted.remove((row["precision"], row["step"]))
    for precision, name in wanted:
        rows.append(step_row(name, task, precision))
        print(rows[-1], flush=True)
        rows.sort(key=lambda row: order.index(row["precision"]))
        task.save({"steps": with_ratios(rows)})


def step(task: Task) -> None:
    """The recommended steps in each precision, and baseline2 in the fastest one once more."""
    measure_rows("step", task)


def whole(task: Task) -> None:
    """Steps with hypergradients along the whole network, and the unrolled one, beside baseline2."""
    measure_rows("whole", task)


# Kernels


def is_kernel(event) -> bool:
    """Whether a profiled event is a kernel, not a label of the project or an optimizer around several kernels."""
    labels = ("part: ", "Optimizer.")
    return event.self_device_time_total > 0 and not event.key.startswith(labels)


def kernels(task: Task, steps: int = 3) -> None:
    """The longest kernels of a step, and the time of all kernels; the rest of a step is gaps between them."""
    rows, busy = [], {}
    activity = torch.profiler.ProfilerActivity
    activities = [activity.CUDA if task.on_cuda else activity.CPU]  # there are no kernels on a CPU
    for name in ("baseline2", "ours1 final", "ours2 final"):
        case = task.case(name, FASTEST)
        with precision_of(FASTEST):
            alone = measured(case.step, task)["ms"]
            with torch.profiler.profile(activities=activities) as profile:
                for _ in range(steps):
                    case.step()
                wait_for_device()
        events = [e for e in profile.key_averages() if is_kernel(e)]
        events.sort(key=lambda event: -event.self_device_time_total)
        total = sum(event.self_device_time_total for event in events) / 1000 / steps
        busy[name] = {"ms": alone, "ms of kernels": total, "kernels": sum(e.count for e in events) / steps}
        for event in events[:12]:
            ms = event.self_device_time_total / 1000 / steps
            rows.append({
                "step": name, "kernel": event.key.replace("|", "/")[:70], "ms": ms, "share": ms / total,
                "times": event.count / steps,
            })  # fmt: skip
        task.save({"kernels of a step": busy, "longest kernels": rows})
        del case
        release()


# torch.compile and CUDA graphs


def compile_(task: Task) -> None:
    """A step with TRAIN.COMPILE, which falls back to eager with a warning if torch.compile fails."""
    rows = []
    for name in ("baseline2", "ours1 final", "ours2 final"):
        row = {"step": name}
        rows.append(row)
        try:
            with precision_of(FASTEST), counted_warnings("TRAIN.COMPILE") as failures:
                row["ms"] = measured(task.case(name, FASTEST).step, task)["ms"]
                case = task.case(name, FASTEST, TRAIN__COMPILE=True)
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


def capturable(task: Task, name: str) -> Callable[[], object]:
    """A step whose optimizers keep their step counts on the device, so that it can be captured."""
    case = task.case(name, FASTEST)
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
        "ours1 final, optimizer capturable": lambda: capturable(task, "ours1 final"),
        "ours2 final, optimizer capturable": lambda: capturable(task, "ours2 final"),
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
    "whole": whole,
    "kernels": kernels,
    "compile": compile_,
    "graphs": graphs,
}


if __name__ == "__main__":
    run_part(PARTS, __doc__)
