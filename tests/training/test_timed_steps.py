"""Timed steps are those of training."""

import time

import pytest

from lib.training.batches import TrainingBatches
from lib.training.timed_steps import TimedSteps
from lib.utils.errors import NonFiniteError
from tests.factories.small_run import assert_same
from tests.factories.training import finished_step, make_spec, make_state


def run_steps(spec, state, count):
    with TrainingBatches(spec, spec.phases[0], state) as batches:
        return TimedSteps(spec, spec.phases[0], state, batches).run(count)


def test_the_steps_are_those_of_training(config):
    spec = make_spec(config)
    timed, trained = make_state(spec), make_state(spec)
    begun = time.perf_counter()
    seconds = run_steps(spec, timed, 2)
    assert 0 < seconds <= time.perf_counter() - begun
    for _ in range(2):
        finished_step(spec, trained, seconds=0.0)
    assert timed.step == trained.step == 2
    assert_same(timed.target.model.state_dict(), trained.target.model.state_dict())
    assert_same(timed.variables["B"].state_dict(), trained.variables["B"].state_dict())


def test_the_warm_up_is_over(config):
    spec = make_spec(config, LBI__WARMUP=100)
    state = make_state(spec)
    run_steps(spec, state, 1)
    assert state.variables["B"].seen.any()


def test_a_diverged_step_is_an_error(config):
    spec = make_spec(config, "baseline1", TRAIN__LR=1e30)
    with pytest.raises(NonFiniteError, match="loss 'target'"):
        run_steps(spec, make_state(spec), 3)
