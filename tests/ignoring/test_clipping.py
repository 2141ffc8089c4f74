"""Clipped steps, and look-aheads that are clipped likewise."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn.utils import clip_grad_norm_

from lib.ignoring.bilevel_step import Options
from lib.ignoring.hypergradient import validation_gradient
from lib.ignoring.lookahead import clipped
from lib.ignoring.modes import MODES
from lib.ignoring.variables import OnlineWeights
from tests.factories.setups import (
    OPTIMIZERS,
    PARTNER,
    as_batch,
    copied,
    learner,
    small_batches,
    take_step,
)


def test_a_vector_by_hand():
    gradient = [torch.tensor([3.0]), torch.tensor([[4.0]])]
    shorter, factor = clipped(gradient, 1.0)
    assert factor == pytest.approx(0.2) and [float(g) for g in shorter] == pytest.approx([0.6, 0.8])
    assert [float(g) for g in gradient] == [3, 4]
    for limit in (0.0, 5.0, 7.0):
        assert clipped(gradient, limit) == (gradient, 1.0)
    assert math.isnan(clipped([torch.tensor([math.nan])], 1.0)[0][0])


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("limit", [1e-3, 1e3])
def test_a_step_is_torchs_after_clipping_and_where_the_look_ahead_was(name, limit):
    ours = replace(copied(learner(name, 0.01, warm=2)), clip=limit)
    plain = copied(ours)
    batch = as_batch(*small_batches()["target"])
    gradient = ours.local_gradient(ours.losses(batch).mean())
    ahead = ours.look_ahead(gradient)
    for parameter, part in zip(plain.parameters, gradient):
        parameter.grad = part.clone()
    clip_grad_norm_(plain.parameters, limit)
    plain.optimizer.step()
    ours.step(gradient)
    for a, b, c in zip(ours.parameters, plain.parameters, ahead.parameters):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-7)  # torch divides by norm + 1e-6
        torch.testing.assert_close(a, c, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_derivative_with_the_factor_held(name):
    made = replace(copied(learner(name, 0.01, warm=2)), clip=0.05)
    gradient = made.local_gradient(made.losses(as_batch(*small_batches()["target"])).mean())
    short, factor = clipped(gradient, made.clip)
    assert factor < 0.5
    free, step = replace(made, clip=0.0), 1e-6

    def end(way):
        return free.look_ahead([g + way * step * factor for g in short]).parameters

    for slope, after, before in zip(made.look_ahead(gradient).derivative, end(1), end(-1)):
        torch.testing.assert_close(slope, (before - after) / (2 * step), rtol=1e-4, atol=1e-8)


def test_without_a_derivative_the_look_ahead_alone_is_clipped():
    made = replace(learner("sgd"), clip=1e-3)
    gradient = [torch.ones_like(parameter) for parameter in made.parameters]
    expected = made.look_ahead(gradient).parameters
    found = made.look_ahead(gradient, derivative=False)
    torch.testing.assert_close(found.parameters, expected, rtol=0, atol=0)
    assert found.derivative == []


@pytest.mark.parametrize("limit", [0.0, 1e-2])
def test_the_hypergradient_by_hand(limit):
    """SGD: w' = w - lr c (g + gamma / M sum eps_ij grad l_ij), c held, so dL_V/d eps_ij = -lr c gamma / M <u, grad l_ij>."""
    target = replace(copied(learner("sgd")), clip=limit)
    frozen, batches = copied(target), small_batches()
    parts = {name: as_batch(*values) for name, values in batches.items()}
    variables = {"B": OnlineWeights(5, PARTNER)}
    gamma = 0.8
    record = take_step(MODES["ours1"], Options(0.0, gamma), (target, None, variables), batches)
    elements = 2 * batches["source"][2].numel()
    gradient = frozen.local_gradient(frozen.losses(parts["target"]).sum() / elements)
    length = math.sqrt(sum(float(g.square().sum()) for g in gradient))
    factor = min(1.0, limit / length) if limit else 1.0
    assert (factor < 1) == bool(limit)
    moved = [(p - 1e-2 * factor * g).detach() for p, g in zip(frozen.parameters, gradient)]
    steepest, _ = validation_gradient(frozen, moved, parts["validation"])
    for i, j in ((0, 1), (2, 0), (4, 3)):
        losses = frozen.losses(parts["source"])
        along = sum((u * g).sum() for u, g in zip(steepest, frozen.local_gradient(losses[i, j])))
        expected = -1e-2 * factor * gamma / elements * along
        torch.testing.assert_close(record.hypergradients["B"][i, j], expected, rtol=1e-8, atol=1e-14)
