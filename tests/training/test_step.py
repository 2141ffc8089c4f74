"""Which models a phase's step updates, and where its weights come from."""

import copy
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from benchmarks.gpu_waits import Waits
from lib.config.schema import IgnoringConfig, TrainConfig
from lib.ignoring.bilevel_step import Options, StepOutput, Weighting
from lib.ignoring.modes import MODES
from lib.ignoring.variables import FixedWeights, PersistentWeights
from lib.training.phases import phases
from lib.training.state import State
from lib.training.step import raise_if_nonfinite_loss, run_phase_step, step_options, weighting_of_step
from lib.utils.errors import NonFiniteError
from tests.factories.setups import PARTNER, learner, small_batches, step_batches

LBI = IgnoringConfig(lam=0.3, gamma=0.7, meta_loop=2, variables="persistent", hypergrad_through="optimizer")


def test_options_of_the_settings():
    lbi = replace(LBI, hypergrad_through="optimizer", meta_model="target")
    assert step_options(lbi) == Options(0.3, 0.7, 2, True, False)
    lbi = replace(LBI, hypergrad_through="sgd", meta_model="source")
    assert step_options(lbi) == Options(0.3, 0.7, 2, False, True)


@pytest.mark.parametrize(
    ("schedule", "on", "number", "updated"),
    [
        ("together", "source", 0, {"target", "source"}),
        ("source_first", "source", 0, {"source"}),
        ("source_first", "both", 0, {"source"}),
        ("source_first", "source", 1, {"target"}),
    ],
)
def test_a_step_updates_the_models_of_its_phase(schedule, on, number, updated):
    lbi = replace(LBI, schedule=schedule, source_model_on=on)
    phase = phases(TrainConfig(), lbi, MODES["ours2"])[number]
    variables = {"A": PersistentWeights(5, PARTNER, 0.7).double()}
    state = State("ours2", learner(), learner(seed=1), variables)
    before = {role: copy.deepcopy(model.model.state_dict()) for role, model in state.models().items()}
    output = run_phase_step(lbi, phase, state, step_batches(small_batches()), Weighting.UPDATE)
    changed = {
        role
        for role, model in state.models().items()
        if any(not torch.equal(t, before[role][name]) for name, t in model.model.state_dict().items())
    }
    assert changed == updated and state.step == 0
    # The weights are those of the source model, A, also if they act in a joint loss.
    learns = "source" in updated
    assert output.weights.keys() == output.hypergradients.keys() == ({"A"} if learns else set())
    assert bool(variables["A"].seen.any()) == learns


def test_the_weighting_follows_warm_up_interval_and_freezing():
    lbi = SimpleNamespace(warmup=5, hypergrad_interval=3, freeze_weights_epoch=3)
    state = State("ours1", learner(), None, {"B": PersistentWeights(4, (1, 0), 0.7)})
    weightings = []
    for state.step in range(16):  # epochs of 4 steps
        weightings.append(weighting_of_step(lbi, state, state.step // 4, state.step))
    updates = [step for step, weighting in enumerate(weightings) if weighting is Weighting.UPDATE]
    assert weightings[:5] == [Weighting.UNIFORM] * 5 and weightings[12:] == [Weighting.CURRENT] * 4
    assert updates == [6, 9]
    # The warm-up of a second phase counts from its own start.
    state.step = 30
    assert weighting_of_step(lbi, state, 1, 4) is Weighting.UNIFORM
    assert weighting_of_step(lbi, state, 1, 5) is Weighting.UPDATE


def test_fixed_weights_hold_in_the_warm_up():
    lbi = SimpleNamespace(warmup=5, hypergrad_interval=1, freeze_weights_epoch=0)
    state = State("ours1", learner(), None, {"B": FixedWeights(torch.ones(4, 2), (1, 0))})
    assert weighting_of_step(lbi, state, 0, 0) is Weighting.CURRENT


def test_the_first_number_that_is_not_finite_is_named():
    bad, good = torch.tensor([1.0, float("nan")]), torch.ones(2)
    raise_if_nonfinite_loss(StepOutput(), 3)
    with Waits() as waits:
        raise_if_nonfinite_loss(StepOutput(losses={"target": good}, hypergradients={"B": good}), 3)
    assert waits.counts.total() == 1
    with pytest.raises(NonFiniteError, match="loss 'source'.* 3"):
        raise_if_nonfinite_loss(StepOutput(losses={"target": good, "source": bad}), 3)
    # A bad hypergradient spoils the losses after it, so it is the one to name.
    with pytest.raises(NonFiniteError, match="hypergradient 'B'.* 4"):
        raise_if_nonfinite_loss(StepOutput(losses={"target": bad}, hypergradients={"A": good, "B": bad}), 4)
