"""Whole training steps against the plain ones of tests/reference/plain_step.py, in float64."""

import pytest
import torch

from lib.ignoring.bilevel_step import Options, Weighting
from lib.ignoring.modes import MODES
from tests.factories.setups import copied
from tests.factories.step_cases import (
    ALL_MODES,
    GAMMA,
    LAM,
    assert_same,
    learners,
    made_variables,
    material,
    parameters_of,
    take,
    take_source_first,
)
from tests.reference.plain_step import plain_source_step, plain_step


def check_against_the_plain_step(
    name, optimizer, kind, options, warm=3, weightings=("update",) * 3, identical=False, layers=()
):
    """Steps of the project against those of tests/reference/plain_step.py."""
    mode = ALL_MODES[name]
    target, source = learners(name, optimizer, warm, layers=layers)
    if identical:
        source = source and copied(target)
    plain_target, plain_source = (
        (made.model, made.optimizer) if made else None for made in (copied(target), source and copied(source))
    )
    variables, plain_variables = made_variables(name, kind)
    for step, weighting in enumerate(weightings):
        batches, index, flipped = material(step)
        before = parameters_of(target)
        record = take(
            mode, options, target, source, variables, batches, index, flipped, Weighting[weighting.upper()]
        )
        means, weights = plain_step(
            name, options.lam, options.gamma, options.meta_loop, plain_target, plain_source, plain_variables,
            batches, index, flipped, weighting, options.validate_at_source, layers,
        )  # fmt: skip

        for made, plain in ((target, plain_target), (source, plain_source)):
            if made:
                assert_same(made.model.state_dict(), plain[0].state_dict(), f"step {step}, model")
        assert record.hypergradients.keys() == (variables.keys() if weighting == "update" else set())
        assert record.weights.keys() == weights.keys() == variables.keys()
        for place, expected in weights.items():
            assert_same(record.weights[place], expected, f"step {step}, weights {place}")
            assert record.weights[place].min() >= 0 and record.weights[place].max() <= 1
        assert record.losses.keys() == means.keys()
        for what, expected in means.items():
            assert not record.losses[what].requires_grad
            assert float(record.losses[what]) == pytest.approx(expected, rel=1e-9, abs=1e-12), (step, what)
        assert not any(torch.equal(p, q) for p, q in zip(target.parameters, before))
    for place, plain in plain_variables.items():
        if kind == "persistent":
            for (annotation, joint), logit in plain.logits.items():
                assert float(variables[place].logits[annotation, joint]) == pytest.approx(logit, abs=1e-9)
        if kind == "loss_aware":
            assert variables[place].linear.tolist() == pytest.approx(plain.linear, abs=1e-9)
            assert min(map(abs, plain.linear[1:])) > 0  # w1 is held at 0 where it would rise


def check_source_first(name, optimizer, kind, meta_loop, weightings, layers=()):
    """The same for steps of the source model alone."""
    mode, (_, source) = MODES[name], learners(name, optimizer, layers=layers)
    plain_source = copied(source)
    variables, plain_variables = made_variables(name, kind)
    for step, weighting in enumerate(weightings):
        batches, index, flipped = material(step)
        before = parameters_of(source)
        record = take_source_first(
            mode, Options(LAM, GAMMA, meta_loop), source, variables, batches, index, flipped,
            Weighting[weighting.upper()],
        )  # fmt: skip
        means, weights = plain_source_step(
            meta_loop, (plain_source.model, plain_source.optimizer), plain_variables,
            batches, index, flipped, weighting, layers,
        )  # fmt: skip
        assert_same(source.model.state_dict(), plain_source.model.state_dict(), f"step {step}, model")
        assert record.weights.keys() == variables.keys()
        assert_same(record.weights, weights, f"step {step}, weights")
        assert record.hypergradients.keys() == (variables.keys() if weighting == "update" else set())
        assert {what: float(mean) for what, mean in record.losses.items()} == pytest.approx(means, rel=1e-9)
        assert not any(torch.equal(p, q) for p, q in zip(source.parameters, before))
