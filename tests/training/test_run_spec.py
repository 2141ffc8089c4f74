"""What follows from a run's input."""

from types import SimpleNamespace

import pytest

from lib.config.schema import Config, IgnoringConfig, TrainConfig
from lib.ignoring.modes import MODES
from lib.training.phases import phases
from lib.training.run_spec import RunSpec


@pytest.mark.parametrize(("given", "expected"), [(0, 3), (7, 7)])
def test_steps_per_epoch(given, expected):
    """One pass over 17 people in whole batches of 5, unless the setting says otherwise."""
    config = Config(train=TrainConfig(batch_size=5, steps_per_epoch=given))
    spec = RunSpec(config, MODES["baseline1"], SimpleNamespace(target=range(17)), None)
    assert spec.steps_per_epoch == expected


@pytest.mark.parametrize(("schedule", "count"), [("together", 1), ("source_first", 2)])
def test_phases(schedule, count):
    config = Config(lbi=IgnoringConfig(schedule=schedule))
    spec = RunSpec(config, MODES["ours2"], None, None)
    assert len(spec.phases) == count and spec.phases == phases(config.train, config.lbi, MODES["ours2"])
    assert spec.group.is_main and spec.group.size == 1
