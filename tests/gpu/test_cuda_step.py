"""A training step on CUDA in float64 against tests/reference/plain_step.py on the CPU, mode by mode."""

import copy

import pytest
import torch

from lib.ignoring.bilevel_step import Options
from tests.factories.step_cases import (
    ALL_MODES,
    BASELINES,
    FIXED,
    GAMMA,
    LAM,
    OURS,
    learners,
    made_variables,
    material,
    take,
    take_source_first,
)
from tests.gpu.on_device import NEEDS_DEVICE, learner_on_device, on_cpu, on_device, relative_error
from tests.reference import unrolled
from tests.reference.plain_step import plain_source_step, plain_step

pytestmark = NEEDS_DEVICE


def assert_close(found, expected, what):
    torch.testing.assert_close(
        on_cpu(found), expected, rtol=1e-9, atol=1e-9, msg=lambda text: f"{what}: {text}", check_dtype=False
    )


def plain_hypergradients(name, target, source, batches, layers):
    """{A and B that the mode learns: [N, J]} by unrolled differentiation, with all weights zero before."""
    zeros = torch.zeros_like(batches["source"][2])
    pairs = copy.deepcopy((target, source))
    found = unrolled.hypergradient(name, LAM, GAMMA, *pairs, batches, zeros, zeros, layers)
    return {place: gradient for place, gradient in zip("AB", found) if gradient is not None}


def check(name, optimizer, kind, meta_loop=1, steps=2, channels_last=False, layers=()):
    """``steps`` steps there and here: parameters, statistics, hypergradients, weights and losses."""
    target, source = learners(name, optimizer, layers=layers)
    given = [made and learner_on_device(made, channels_last=channels_last) for made in (target, source)]
    pairs = [made and (made.model, made.optimizer) for made in (target, source)]
    variables, plain_variables = made_variables(name, kind)
    variables = {place: made.to(given[0].parameters[0].device) for place, made in variables.items()}
    for step in range(steps):
        batches, index, flipped = material(step)
        learns = variables and meta_loop == 1
        gradients = plain_hypergradients(name, *pairs, batches, layers) if learns else {}
        record = take(
            ALL_MODES[name], Options(LAM, GAMMA, meta_loop), *given, variables, *on_device(material(step))
        )
        losses, weights = plain_step(
            name, LAM, GAMMA, meta_loop, *pairs, plain_variables, batches, index, flipped, layers=layers
        )
        for made, pair in zip(given, pairs):
            if made:
                assert_close(made.model.state_dict(), pair[0].state_dict(), f"step {step}, model")
        assert record.weights.keys() == record.hypergradients.keys() == weights.keys() == variables.keys()
        assert_close(record.weights, weights, f"step {step}, weights")
        for place, expected in gradients.items():
            assert relative_error(record.hypergradients[place], expected) < 1e-9, f"step {step}, {place}"
        assert {what: float(mean) for what, mean in record.losses.items()} == pytest.approx(losses, rel=1e-9)


@pytest.mark.parametrize("optimizer", ["adam", "momentum"])
@pytest.mark.parametrize("name", BASELINES)
def test_baselines_equal_the_plain_step(name, optimizer):
    check(name, optimizer, "online")


@pytest.mark.parametrize("kind", ["online", "persistent", "loss_aware"])
@pytest.mark.parametrize("name", OURS)
def test_ours_equal_the_plain_step(name, kind):
    check(name, "adam", kind)


@pytest.mark.parametrize("name", OURS)
def test_ours_equal_the_plain_step_with_momentum_and_two_look_aheads(name):
    check(name, "momentum", "persistent")
    check(name, "momentum", "online", meta_loop=2, steps=1)


@pytest.mark.parametrize("layers", [("final",), ("deconv", "bn3", "final")], ids=["final", "head"])
@pytest.mark.parametrize("name", [*OURS, "weighted, near a fixed model"])
def test_ours_along_some_layers_equal_the_plain_step(name, layers):
    check(name, "adam", "loss_aware", layers=layers)


@pytest.mark.parametrize("name", ["ours1", "ours2", "ours5"])
def test_ours_along_the_last_layer_with_two_look_aheads_and_channels_last(name):
    check(name, "momentum", "online", meta_loop=2, steps=1, layers=("final",))
    check(name, "adam", "persistent", channels_last=True, layers=("final",))


@pytest.mark.parametrize("name", FIXED)
def test_near_a_fixed_model_equals_the_plain_step(name):
    check(name, "adam", "persistent")


@pytest.mark.parametrize("name", ["baseline2", "ours1", "ours2", "ours5"])
def test_channels_last_equals_the_plain_step(name):
    check(name, "adam", "online", channels_last=True)


@pytest.mark.parametrize("layers", [(), ("final",)], ids=["all", "final"])
@pytest.mark.parametrize("kind", ["online", "persistent", "loss_aware"])
def test_the_source_model_first_equals_the_plain_step(kind, layers):
    _, source = learners("ours2", layers=layers)
    given, pair = learner_on_device(source), (source.model, source.optimizer)
    variables, plain_variables = made_variables("ours2", kind)
    variables = {place: made.to(given.parameters[0].device) for place, made in variables.items()}
    for step in range(2):
        batches, index, flipped = material(step)
        expected = unrolled.hypergradient_at_source(
            copy.deepcopy(pair), batches, torch.zeros_like(batches["source"][2]), layers
        )
        record = take_source_first(
            ALL_MODES["ours2"], Options(LAM, GAMMA), given, variables, *on_device(material(step))
        )
        losses, weights = plain_source_step(1, pair, plain_variables, batches, index, flipped, layers=layers)
        assert_close(given.model.state_dict(), pair[0].state_dict(), f"step {step}, model")
        assert_close(record.weights, weights, f"step {step}, weights")
        assert relative_error(record.hypergradients["A"], expected) < 1e-9
        assert {what: float(mean) for what, mean in record.losses.items()} == pytest.approx(losses, rel=1e-9)


@pytest.mark.parametrize("name", ["baseline2", "ours1", "ours2", "ours5"])
def test_a_step_draws_no_random_numbers_and_leaves_no_gradients(name):
    made = [learner and learner_on_device(learner) for learner in learners(name)]
    variables, _ = made_variables(name, "persistent")
    variables = {place: v.to(made[0].parameters[0].device) for place, v in variables.items()}
    state_of = torch.cuda.get_rng_state if torch.cuda.is_available() else torch.get_rng_state
    before = state_of()
    take(ALL_MODES[name], Options(LAM, GAMMA), *made, variables, *on_device(material(0)))
    assert torch.equal(before, state_of())
    assert all(p.grad is None for learner in made if learner for p in learner.parameters)
