"""The time that the named parts of a training step take, measured with torch's profiler."""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch.autograd.profiler import record_function

from lib.utils.device import wait_for_device

PREFIX = "part: "  # of the parts' names in the trace


def profiled(name: str) -> Callable[[Callable], Callable]:
    """Decorator: record calls of the function as a part ``name`` of the profile while torch's profiler runs.

    The device is synchronized before and after such a call, so that its time includes the GPU's work. Without
    a profiler the function is called as it is.
    """

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def recorded(*args, **kwargs):
            if not torch.autograd._profiler_enabled():
                return function(*args, **kwargs)
            wait_for_device()
            with record_function(PREFIX + name):
                result = function(*args, **kwargs)
                wait_for_device()
            return result

        return recorded

    return decorate


@dataclass(frozen=True)
class Span:
    """One call of a part.

    begin, end: times in microseconds.
    """

    name: str
    begin: float
    end: float


@dataclass
class Total:
    """Sum over the calls of a part.

    calls: number of calls.
    seconds: time in the part itself, without the parts that it contains.
    """

    calls: int = 0
    seconds: float = 0.0


def spans(events: Iterable) -> list[Span]:
    """The calls of parts among the events of torch's profiler (``profiler.events()``)."""
    cpu = torch.autograd.DeviceType.CPU  # on a GPU, the profiler repeats the names
    return [
        Span(event.name.removeprefix(PREFIX), event.time_range.start, event.time_range.end)
        for event in events
        if event.name.startswith(PREFIX) and event.device_type == cpu
    ]


def totals(calls: Iterable[Span]) -> dict[tuple[str, ...], Total]:
    """Sum calls and times of each part, by its path: ('step', 'validation', 'forward')."""
    result: dict[tuple[str, ...], Total] = {}
    open_spans: list[Span] = []
    # In order of their begin, the open spans are those that the current one lies in.
    for span in sorted(calls, key=lambda span: (span.begin, -span.end)):
        while open_spans and open_spans[-1].end <= span.begin:
            open_spans.pop()
        seconds = (span.end - span.begin) / 1e6
        if open_spans:
            result[tuple(outer.name for outer in open_spans)].seconds -= seconds
        open_spans.append(span)
        total = result.setdefault(tuple(outer.name for outer in open_spans), Total())
        total.calls += 1
        total.seconds += seconds
    return result


def table(parts: dict[tuple[str, ...], Total], steps: int, seconds: float) -> str:
    """Format the parts of ``steps`` steps that took ``seconds`` in total, the longest first."""
    rows = [(part_name(path), total.calls, total.seconds) for path, total in parts.items()]
    rows.sort(key=lambda row: -row[2])
    rows.append(("outside of all parts", steps, seconds - sum(row[2] for row in rows)))
    rows.append(("total", steps, seconds))
    lines = [f"{'part':44} {'calls/step':>10} {'ms/step':>9} {'share':>6}"]
    lines += [
        f"{name:44} {calls / steps:10.2f} {1000 * taken / steps:9.2f} {100 * taken / seconds:5.1f}%"
        for name, calls, taken in rows
    ]
    return "\n".join(lines)


def part_name(path: tuple[str, ...]) -> str:
    """Name a path: ('step', 'source', 'backward') is 'source: backward', ('step', 'backward') 'target: backward'."""
    if path == ("step",):
        return "elementwise, and the rest of the step"
    inside = path[1:] if path[0] == "step" else path
    if path[0] == "step" and inside[0] in ("forward", "backward"):
        inside = ("target", *inside)
    return ": ".join(inside)
