"""The files of a profile."""

import json

import pytest

from lib.training.profiling import profile
from lib.utils.errors import InputError
from tests.factories.training import make_spec


@pytest.mark.parametrize(
    ("mode", "schedule", "traces"),
    [("baseline1", "together", {"target"}), ("baseline3", "source_first", {"source", "target"})],
)
def test_a_trace_and_a_table_of_every_phase(config, mode, schedule, traces):
    spec = make_spec(config, mode, LBI__SCHEDULE=schedule)
    assert profile(spec, 1) == spec.paths.output
    files = {path.name for path in spec.paths.output.iterdir()}
    assert files == {"profile.log", *(f"{name}.pt.trace.json" for name in traces)}
    log = (spec.paths.output / "profile.log").read_text()
    for name in traces:
        events = json.loads((spec.paths.output / f"{name}.pt.trace.json").read_text())["traceEvents"]
        assert sum(event.get("name") == "part: step" for event in events) >= 1
        assert f"1 steps of the {name} model" in log


@pytest.mark.parametrize("steps", [0, -3])
def test_at_least_one_step(steps):
    with pytest.raises(InputError, match=f"--profile is {steps}"):
        profile(None, steps)
