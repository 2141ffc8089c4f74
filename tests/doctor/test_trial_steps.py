"""The trial of steps, on a clock that only steps move: how many are taken, and what is said of their time."""

import pytest
import torch

import lib.doctor.trial_steps as trial_steps
from lib.config.schema import Config, IgnoringConfig, TrainConfig
from lib.doctor.findings import Level
from lib.doctor.request import Trial
from lib.doctor.trial_steps import WARM_UP, TimedStep, TriedSteps, mean_time, try_steps
from lib.ignoring.modes import MODES
from lib.training.data import build_data
from lib.training.phases import Phase, phases
from lib.training.run_spec import RunSpec
from lib.training.state import Placement, TableShape, build_state
from lib.training.timed_steps import TimedSteps
from tests.factories.examinations import request_of


@pytest.fixture
def trial_of(root, monkeypatch):
    """A function (seconds of a step, trial, settings) -> findings and the numbers of steps that were taken by phase."""

    def run(seconds, trial, settings=None):
        request = request_of(root, {"WORKERS": 0, **(settings or {})})
        data = build_data(request.config, True)
        tables = TableShape.of(data.source.annotations)
        state = build_state(request.config, request.mode, tables, Placement(torch.device("cpu")))
        clock, taken = [1000.0], {}

        def timed(self, count):
            clock[0] += count * seconds
            self.state.step += count
            taken[self.phase.roles] = taken.get(self.phase.roles, 0) + count
            return count * seconds

        monkeypatch.setattr(TimedSteps, "run", timed)
        monkeypatch.setattr(trial_steps.time, "monotonic", lambda: clock[0])
        spec = RunSpec(request.config, request.mode, data, request.paths)
        return list(try_steps(spec, state, trial)), taken

    return run


SOURCE_FIRST = {"LBI.SCHEDULE": "source_first"}
BOTH = ("source", "target")


def test_all_steps_within_the_limit(trial_of):
    (steps, whole), taken = trial_of(0.5, Trial(4, 60.0))
    assert taken == {BOTH: WARM_UP + 4}
    assert steps.level is Level.OK and "500 ms each" in steps.result and "max-seconds" not in steps.result
    assert whole.subject == "the whole run"


def test_the_limit_ends_the_steps_and_what_was_measured_is_said(trial_of):
    (steps, whole), taken = trial_of(10.0, Trial(40, 60.0))
    assert taken == {BOTH: 6}
    assert steps.level is Level.NOTE and "10000 ms each" in steps.result
    assert f"6 of {WARM_UP + 40} steps tried" in steps.result and "--max-seconds 60" in steps.result
    assert whole.level is Level.OK


def test_a_step_that_is_longer_than_the_limit(trial_of):
    (steps, whole), taken = trial_of(100.0, Trial(4, 60.0))
    assert taken == {BOTH: 1}
    assert steps.level is Level.WARNING
    assert "one step took 1 min 40 s, longer than the 60 s" in steps.result
    assert whole.subject == "the whole run"


def test_phases_share_the_limit(trial_of):
    (source, target, whole), taken = trial_of(10.0, Trial(40, 60.0), SOURCE_FIRST)
    # Half of the time for the first phase; the other one gets what is left.
    assert taken == {("source",): 3, ("target",): 3}
    assert source.level is target.level is Level.NOTE
    assert "calculated" not in whole.result


def test_a_phase_without_time_is_not_tried_but_calculated(trial_of):
    (source, target, whole), taken = trial_of(100.0, Trial(4, 60.0), SOURCE_FIRST)
    assert taken == {("source",): 1}
    assert source.level is Level.WARNING and target.level is Level.NOTE and "not tried" in target.result
    assert "calculated" in whole.result


@pytest.mark.parametrize(
    "problem",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: 1"),
    ],
)
def test_too_little_memory_is_an_error_and_the_next_phase_is_tried(trial_of, monkeypatch, problem):
    taken = trial_steps._take

    def fail_once(spec, phase, state, trial):
        if phase.roles == ("source",):
            raise problem
        return taken(spec, phase, state, trial)

    monkeypatch.setattr(trial_steps, "_take", fail_once)
    (source, target, whole), _ = trial_of(0.5, Trial(4, 60.0), SOURCE_FIRST)
    assert source.level is Level.ERROR and "TRAIN.BATCH_SIZE" in source.advice
    assert target.level is Level.OK and "calculated" in whole.result


def test_other_errors_are_not_hidden(trial_of, monkeypatch):
    def fail(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr(trial_steps, "_take", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        trial_of(0.5, Trial(4, 60.0))


def test_steps_with_and_without_a_hypergradient_in_their_true_proportion():
    config = Config(
        train=TrainConfig(end_epoch=10),
        lbi=IgnoringConfig(hypergrad_interval=2, freeze_weights_epoch=5, schedule="together"),
    )
    (phase,) = phases(config.train, config.lbi, MODES["ours1"])
    slow, fast = TimedStep(4.0, 1.0, True), TimedStep(1.0, 0.0, False)
    warm = [TimedStep(99.0, 99.0, False)] * WARM_UP
    # Every second step of half of the epochs has one: a quarter.
    timing = mean_time(config, TriedSteps(phase, [*warm, slow, fast, slow], 8))
    assert (timing.seconds, timing.waited) == (0.25 * 4 + 0.75 * 1, 0.25)
    # With steps of one kind alone, these count.
    assert mean_time(config, TriedSteps(phase, [*warm, slow], 8)).seconds == 4.0
    # Before the steps are warm, the last one counts.
    assert mean_time(config, TriedSteps(phase, [slow, fast], 8)).seconds == 1.0


def test_a_phase_without_weights_has_no_hypergradients():
    config = Config(lbi=IgnoringConfig(schedule="together"))
    phase = Phase(BOTH, MODES["baseline3"], 0, 10, 0.1)
    taken = [TimedStep(seconds, 0.0, False) for seconds in (9.0, 9.0, 1.0, 2.0)]
    assert mean_time(config, TriedSteps(phase, taken, 4)).seconds == 1.5
