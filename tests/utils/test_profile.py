import pytest
import torch

from lib.utils.profile import Span, profiled, spans, table, totals


def test_a_part_has_the_time_that_no_part_inside_has():
    found = [
        Span("data", 0, 1e6),
        Span("step", 1e6, 9e6),
        Span("forward", 1e6, 3e6),  # begins with what it is in
        Span("source", 4e6, 9e6),  # and this ends with it
        Span("forward", 4e6, 5e6),
        Span("forward", 5e6, 7e6),
        Span("data", 9e6, 12e6),
    ]
    result = {path: (total.calls, total.seconds) for path, total in totals(reversed(found)).items()}
    assert result == {
        ("data",): (2, 4),
        ("step",): (1, 1),
        ("step", "forward"): (1, 2),
        ("step", "source"): (1, 2),
        ("step", "source", "forward"): (2, 3),
    }
    lines = table(totals(found), steps=2, seconds=12.5).splitlines()[1:]
    rows = {line[:44].strip(): line[44:].split() for line in lines}
    assert rows == {
        "data": ["1.00", "2000.00", "32.0%"],
        "source: forward": ["1.00", "1500.00", "24.0%"],
        "target: forward": ["0.50", "1000.00", "16.0%"],
        "source": ["0.50", "1000.00", "16.0%"],
        "elementwise, and the rest of the step": ["0.50", "500.00", "8.0%"],
        "outside of all parts": ["1.00", "250.00", "4.0%"],
        "total": ["1.00", "6250.00", "100.0%"],
    }


def test_parts_are_seen_by_the_profiler_and_change_nothing():
    @profiled("outer")
    def outer(x, factor=1):
        """Says what it does."""
        return inner(x) * factor

    @profiled("inner")
    def inner(x):
        if x is None:
            raise ValueError("nothing")
        return x.square()

    assert outer.__name__ == "outer" and outer.__doc__ == "Says what it does."
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        assert outer(torch.tensor(3.0), factor=2) == 18
        with pytest.raises(ValueError, match="nothing"):
            outer(None)
        torch.ones(3).sum()
    found = totals(spans(profiler.events()))
    assert {path: total.calls for path, total in found.items()} == {("outer",): 2, ("outer", "inner"): 2}
    assert outer(torch.tensor(2.0)) == 4
