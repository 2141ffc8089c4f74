"""Named parts of a training step: where its time goes, as torch's profiler saw it."""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch.autograd.profiler import record_function

from lib.utils.device import wait_for_device

PREFIX = "part: "  # of their names in the trace


def profiled(name: str) -> Callable[[Callable], Callable]:
    """Decorator: calls of the function are a part of this name in a profile, and nothing at all without one.

    While torch's profiler runs, the device is waited for around the call, so that a part's time is its own.
    """

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def labelled(*arguments, **named):
            if not torch.autograd._profiler_enabled():
                return function(*arguments, **named)
            wait_for_device()
            with record_function(PREFIX + name):
                result = function(*arguments, **named)
                wait_for_device()
            return result

        return labelled

    return decorate


@dataclass(frozen=True)
class Span:
    """Begin and end of one call of a part, microseconds."""

    name: str
    begin: float
    end: float


@dataclass
class Total:
    """calls: how often.   seconds: spent in the part itself, without the parts inside."""

    calls: int = 0
    seconds: float = 0.0


def spans(events: Iterable) -> list[Span]:
    """The parts among the events of torch's profiler (``profiler.events()``)."""
    cpu = torch.autograd.DeviceType.CPU  # a GPU's copies of the labels have the same names
    return [
        Span(event.name.removeprefix(PREFIX), event.time_range.start, event.time_range.end)
        for event in events
        if event.name.startswith(PREFIX) and event.device_type == cpu
    ]


def totals(found: Iterable[Span]) -> dict[tuple[str, ...], Total]:
    """What is spent in each part, by its path: ('step', 'validation', 'forward')."""
    result: dict[tuple[str, ...], Total] = {}
    open_spans: list[Span] = []
    for span in sorted(found, key=lambda span: (span.begin, -span.end)):
        while open_spans and open_spans[-1].end <= span.begin:
            open_spans.pop()
        taken = (span.end - span.begin) / 1e6
        if open_spans:
            result[tuple(outer.name for outer in open_spans)].seconds -= taken
        open_spans.append(span)
        total = result.setdefault(tuple(outer.name for outer in open_spans), Total())
        total.calls += 1
        total.seconds += taken
    return result


def table(parts: dict[tuple[str, ...], Total], steps: int, seconds: float) -> str:
    """The parts of ``steps`` steps that took ``seconds`` together, the longest first."""
    rows = [(part_name(path), total.calls, total.seconds) for path, total in parts.items()]
    rows.sort(key=lambda row: -row[2])
    rows.append(("outside of all parts", steps, seconds - sum(row[2] for row in rows)))
    rows.append(("together", steps, seconds))
    lines = [f"{'part':44} {'calls/step':>10} {'ms/step':>9} {'share':>6}"]
    lines += [
        f"{name:44} {calls / steps:10.2f} {1000 * taken / steps:9.2f} {100 * taken / seconds:5.1f}%"
        for name, calls, taken in rows
    ]
    return "\n".join(lines)


def part_name(path: tuple[str, ...]) -> str:
    """'source: backward' of ('step', 'source', 'backward'), 'target: backward' of ('step', 'backward')."""
    if path == ("step",):
        return "elementwise, and the rest of the step"
    inside = path[1:] if path[0] == "step" else path
    if path[0] == "step" and inside[0] in ("forward", "backward"):
        inside = ("target", *inside)
    return ": ".join(inside)
