"""How long a step waited for its data."""

import time
from types import SimpleNamespace

import pytest

from lib.core.batches import Batches


def test_waiting_is_counted_until_it_is_taken(monkeypatch):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(time, "perf_counter", lambda: clock.now)

    def slow(seconds):
        for number in range(9):
            clock.now += seconds
            yield number

    batches = Batches.__new__(Batches)
    batches.target, batches.source, batches.validation, batches.waited = slow(2), slow(0.5), None, 0.0
    assert batches.next() == (0, 0, None)
    clock.now += 30  # the step
    assert batches.next() == (1, 1, None)
    assert batches.take_waited() == pytest.approx(5)
    assert batches.take_waited() == 0
    batches.next()
    assert batches.take_waited() == pytest.approx(2.5)
