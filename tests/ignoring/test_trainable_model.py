"""How a learner computes: elsewhere than at its parameters, in fewer digits, compiled."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from lib.ignoring.bilevel_step import Options
from lib.ignoring.hypergradient import losses_and_jvp
from lib.ignoring.modes import MODES
from lib.ignoring.trainable_model import Compiled, TrainableModel
from lib.ignoring.variables import OnlineWeights
from tests.factories.setups import PARTNER, as_batch, learner, small_batches, take_step


def test_moved_to_computes_there_and_comes_back():
    made, other = learner(seed=0), learner(seed=1)
    batch = as_batch(*small_batches()["target"])
    before = copy.deepcopy(made.model.state_dict())
    with pytest.raises(ZeroDivisionError), made.swapped_parameters([p.detach() for p in other.parameters]):
        assert torch.equal(made.losses(batch), other.losses(batch))
        raise ZeroDivisionError
    for name, parameter in made.model.named_parameters():
        assert torch.equal(parameter, before[name])


def bf16_learner(warm=3, seed=0):
    return replace(learner(warm=warm, seed=seed, dtype=torch.float32), autocast=torch.bfloat16)


def test_fewer_digits_are_used_and_give_nearly_the_same():
    made = bf16_learner()
    exact = replace(made, autocast=None)
    batch = as_batch(*small_batches(dtype=torch.float32)["source"])
    torch.manual_seed(1)
    direction = [torch.randn_like(p) for p in made.parameters]
    with torch.no_grad(), made.autocast_context(batch):
        assert made.model(batch.images).dtype == torch.bfloat16
    found, expected = (losses_and_jvp(one, batch, direction) for one in (made, exact))
    for one, other in zip(found, expected):
        assert one.dtype == torch.float32
        error = (one - other).norm() / other.norm()
        assert 0 < error < 0.06
    assert all(g.dtype == torch.float32 for g in made.local_gradient(found[0].sum()))


@pytest.mark.parametrize("name", ["ours1", "ours2", "ours5"])
def test_a_step_in_fewer_digits_keeps_hypergradients_and_weights_in_single_precision(name):
    mode, batches = MODES[name], small_batches(dtype=torch.float32)
    target, source = bf16_learner(), bf16_learner(seed=1) if mode.has_source_model else None
    before = [p.detach().clone() for p in target.parameters]
    variables = {place: OnlineWeights(5, PARTNER) for place in "AB"}
    record = take_step(mode, Options(0.05, 0.7), (target, source, variables), batches)
    for values in (*record.hypergradients.values(), *record.weights.values(), *record.losses.values()):
        assert values.dtype == torch.float32 and torch.isfinite(values).all()
    assert not any(torch.equal(p, q) for p, q in zip(target.parameters, before))


def test_a_compiler_that_fails_is_left_out_with_a_warning(monkeypatch):
    def broken(model):
        def fail(images):
            raise RuntimeError("no compiler\nhere")

        return fail

    monkeypatch.setattr(torch, "compile", broken)
    plain = learner()
    made = replace(plain, compiled=Compiled(plain.model))
    batch = as_batch(*small_batches()["target"])
    with pytest.warns(UserWarning, match="TRAIN.COMPILE is left out.*no compiler here"):
        assert torch.equal(made.losses(batch), plain.losses(batch))
    assert torch.equal(
        made.losses(batch), plain.losses(batch)
    )  # and no second warning, which would be an error


def test_what_is_wrong_with_the_images_is_no_matter_of_the_compiler(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda model: model.__call__)
    with pytest.warns(UserWarning, match="left out"), pytest.raises(RuntimeError, match="to have 3 channels"):
        Compiled(learner().model)(torch.zeros(1, 2, 16, 16, dtype=torch.float64))


def test_a_compiled_forward_pass_gives_the_same_step(monkeypatch):
    """Dynamo alone, so that no C++ compiler is needed: which passes go through it, and the same numbers."""
    compile_ = torch.compile
    monkeypatch.setattr(torch, "compile", lambda model: compile_(model, backend="aot_eager"))
    batches, found = small_batches(), []
    for compiled in (False, True):
        target, source = learner(warm=2), learner(warm=2, seed=1)
        if compiled:
            target, source = (replace(made, compiled=Compiled(made.model)) for made in (target, source))
        for _ in range(2):
            variables = {place: OnlineWeights(5, PARTNER).double() for place in "AB"}
            record = take_step(MODES["ours5"], Options(0.05, 0.7), (target, source, variables), batches)
        assert not compiled or target.compiled.forward is not target.model
        found.append(
            (record.hypergradients, record.weights, target.model.state_dict(), source.model.state_dict())
        )
    torch.testing.assert_close(found[1], found[0], rtol=1e-7, atol=1e-9)


def test_a_gradient_in_another_memory_format_moves_its_own_weights():
    torch.manual_seed(0)
    values, gradient = torch.randn(6, 4, 3, 3), torch.randn(6, 4, 3, 3)
    plain = nn.Parameter(values.clone())
    plain.grad = gradient
    torch.optim.Adam([plain], lr=0.1).step()
    layer = nn.Conv2d(4, 6, 3, bias=False).to(memory_format=torch.channels_last)
    with torch.no_grad():
        layer.weight.copy_(values)
    made = TrainableModel(
        layer, torch.optim.Adam(layer.parameters(), lr=0.1, fused=True), list(layer.parameters())
    )
    made.step([gradient])
    torch.testing.assert_close(layer.weight, plain)
    assert layer.weight.is_contiguous(memory_format=torch.channels_last)
