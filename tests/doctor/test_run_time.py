"""The estimate of a whole run, by hand."""

from types import SimpleNamespace

import pytest

from lib.config.run_paths import RunPaths
from lib.config.schema import Config, IgnoringConfig, TestConfig, TrainConfig
from lib.doctor.findings import Level
from lib.doctor.run_time import LONG_RUN, PhaseTiming, estimate_run
from lib.ignoring.modes import MODES
from lib.training.run_spec import RunSpec
from lib.utils.log import format_duration


def spec_of(mode, flip_test=False, retrain=0.0, epochs=4):
    config = Config(
        train=TrainConfig(batch_size=10, steps_per_epoch=5, end_epoch=epochs, begin_epoch=1),
        lbi=IgnoringConfig(retrain=retrain, schedule="source_first"),
        test=TestConfig(flip_test=flip_test, eval_epochs=2),
    )
    part = lambda count: SimpleNamespace(dataset=range(count))  # noqa: E731
    data = SimpleNamespace(target=range(60), validation=part(30), test=part(20))
    return RunSpec(config, MODES[mode], data, RunPaths(None, None))


@pytest.mark.parametrize(("flip_test", "retrain"), [(False, 0.0), (True, 0.0), (True, 0.5)])
def test_one_phase(flip_test, retrain):
    spec = spec_of("baseline1", flip_test, retrain)
    (phase,) = spec.phases
    finding = estimate_run(spec, [PhaseTiming(phase, 30.0, 0.0)])
    # Epochs 1 to 3 of 5 steps of 30 s, so a forward pass of a batch of 10 takes 10 s; 2 validations of 30 people,
    # then V and the test set, estimated as twice the 20 of the test set.
    seconds = 15 * 30 + (1 + flip_test) * (2 * 30 + 2 * 20) / 10 * 10
    seconds *= 2 if retrain else 1
    assert finding.level is Level.OK
    assert finding.result == f"15 steps and 2 validations, about {format_duration(seconds)}"


def test_two_phases_and_a_long_run():
    spec = spec_of("baseline3")
    first, second = spec.phases
    timings = [PhaseTiming(first, 10.0, 0.0), PhaseTiming(second, 30.0, 0.0)]
    # The second phase has 4 epochs: BEGIN_EPOCH lies in the first.
    seconds = 15 * 10 + 20 * 30 + (4 * 30 + 2 * 20) / 10 * 10
    assert (
        estimate_run(spec, timings).result == f"35 steps and 4 validations, about {format_duration(seconds)}"
    )
    long = spec_of("baseline1", epochs=2 + LONG_RUN // 150)
    (phase,) = long.phases
    assert estimate_run(long, [PhaseTiming(phase, 30.0, 0.0)]).level is Level.WARNING
