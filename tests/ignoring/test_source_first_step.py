"""A step of the source model alone, and hypergradients of its own validation loss, in float64."""

import pytest
import torch

from lib.ignoring.bilevel_step import Options
from lib.ignoring.modes import MODES
from tests.factories.setups import copied
from tests.factories.step_cases import (
    GAMMA,
    LAM,
    learners,
    made_variables,
    material,
    take,
    take_source_first,
)
from tests.harness.plain_comparison import check_source_first
from tests.reference import unrolled
from tests.reference.plain_step import (
    PlainOnline,
)


@pytest.mark.parametrize("meta_loop", [1, 2])
@pytest.mark.parametrize("kind", ["online", "persistent", "loss_aware"])
@pytest.mark.parametrize("optimizer", ["adam", "momentum"])
def test_source_first_equals_the_plain_step(optimizer, kind, meta_loop):
    check_source_first("ours2", optimizer, kind, meta_loop, ("update",) * 3)


@pytest.mark.parametrize("kind", ["online", "persistent", "loss_aware"])
def test_source_first_with_other_weights_equals_the_plain_step(kind):
    check_source_first("ours2", "adam", kind, 1, ("uniform", "update", "current", "update"))
    check_source_first("baseline3", "adam", kind, 1, ("update",) * 2)


@pytest.mark.parametrize("meta_loop", [1, 2])
def test_hypergradients_at_the_source_model_equal_unrolled_autodiff(meta_loop):
    """Far below the size of a hypergradient; the weights of the plain steps above see sign and order alone."""
    for optimizer in ("adam", "momentum"):
        target, source = learners("ours2", optimizer)
        batches, index, flipped = material(0)
        eps = torch.zeros_like(batches["source"][2])
        for _ in range(meta_loop):
            model = copied(source)
            expected = unrolled.hypergradient_at_source((model.model, model.optimizer), batches, eps)
            eps = PlainOnline().weigh(expected, None, index, flipped, None, True)
        options = Options(LAM, GAMMA, meta_loop, validate_at_source=True)
        variables, _ = made_variables("ours5", "online")
        rest = batches, index, flipped
        records = [take_source_first(MODES["ours2"], options, copied(source), variables, *rest)]
        for name in ("ours2", "ours5"):  # with and without weights in the target's loss beside them
            models = copied(target), copied(source)
            records.append(take(MODES[name], options, *models, variables, *rest))
        for record in records:
            error = (record.hypergradients["A"] - expected).norm() / expected.norm()
            assert expected.norm() > 0 and error < 1e-9, (optimizer, float(error))
