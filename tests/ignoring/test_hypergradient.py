"""The one-JVP hypergradient against full unrolled autodiff, in float64."""

import copy

import pytest
import torch

from lib.ignoring.bilevel_step import Options, StepModels, TrainingStep
from lib.ignoring.hypergradient import losses_and_jvp
from lib.ignoring.modes import MODES
from lib.ignoring.trainable_model import frozen_batchnorm
from lib.ignoring.variables import OnlineWeights, minmax
from tests.factories.setups import (
    PARTNER,
    as_batch,
    as_source_batch,
    copied,
    learner,
    small_batches,
    step_batches,
    take_step,
)
from tests.reference import unrolled

LAM, GAMMA = 0.05, 0.7
OURS = [name for name, mode in MODES.items() if mode.ignores]


def found_hypergradient(mode, target, source, batches, meta_loop):
    """(hypergradients, weights) of the project for one batch, the step itself not taken."""
    options = Options(LAM, GAMMA, meta_loop)
    target_losses = target.losses(as_batch(*batches["target"]))
    elements = target_losses.numel() * (2 if mode.joint_loss.value != "no" else 1)
    gradient = target.local_gradient(target_losses.sum() / elements)
    source_batch = as_source_batch(*batches["source"])
    if mode.joint_loss.value == "plain":
        plain = target.local_gradient(GAMMA * target.losses(source_batch).sum() / elements)
        gradient = [g + p for g, p in zip(gradient, plain)]
    if mode.anchor.value == "plain":
        source.step(source.local_gradient(source.losses(source_batch).mean()))
    variables = {place: OnlineWeights(5, PARTNER).double() for place in "AB"}
    step = TrainingStep(mode, options, StepModels(target, source, variables), step_batches(batches))
    step.find_weights(gradient, GAMMA / elements)
    return step.output


@pytest.mark.parametrize("meta_loop", [1, 2])
@pytest.mark.parametrize("warm", [0, 3], ids=["fresh", "warm"])
@pytest.mark.parametrize("decay", [0.0, 1e-2], ids=["plain", "decay"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "momentum", "nesterov"])
@pytest.mark.parametrize("name", OURS)
def test_equals_unrolled_autodiff(name, optimizer, decay, warm, meta_loop):
    batches = small_batches()
    target = learner(optimizer, decay, warm)
    source = learner(optimizer, decay, warm, seed=1) if MODES[name].has_source_model else None

    def pair(made):
        made = copied(made)
        return made.model, made.optimizer

    eps = {"A": torch.zeros(5, 4).double(), "B": torch.zeros(5, 4).double()}
    for loop in range(meta_loop):
        oracle = unrolled.hypergradient(
            name, LAM, GAMMA, pair(target), pair(source) if source else None, batches, eps["A"], eps["B"]
        )
        oracle = {place: g for place, g in zip("AB", oracle) if g is not None}
        if loop < meta_loop - 1:
            eps |= {place: minmax((-g).clamp(min=0)) for place, g in oracle.items()}

    record = found_hypergradient(MODES[name], copied(target), source and copied(source), batches, meta_loop)
    assert record.hypergradients.keys() == oracle.keys()
    ill_conditioned = optimizer == "adam" and warm == 0 and meta_loop > 1
    for place, expected in oracle.items():
        error = (record.hypergradients[place] - expected).norm() / expected.norm()
        assert expected.norm() > 0
        assert error < (1e-4 if ill_conditioned else 1e-6), (place, float(error))


@pytest.mark.parametrize("name", OURS)
def test_leaves_no_trace(name):
    """But for the running statistics of a source model that is weighted: they follow its batch, once."""
    batches = small_batches()
    mode = MODES[name]
    target, source = learner(warm=2), learner(warm=2, seed=1) if mode.anchor.value == "weighted" else None

    def everything(made):
        return copy.deepcopy((made.model.state_dict(), made.optimizer.state_dict()))

    options = Options(LAM, GAMMA, meta_loop=2)
    if mode.anchor.value == "plain":
        source = learner(warm=2, seed=1)
    losses = target.losses(as_batch(*batches["target"]))
    gradient = target.local_gradient(losses.mean())
    before = [everything(made) for made in (target, source) if made]
    if mode.anchor.value == "weighted":
        fed = copied(source)
        fed.losses(as_source_batch(*batches["source"]))
        before[1] = everything(fed)
    rng = torch.get_rng_state()
    kept = [g.clone() for g in gradient]
    models = StepModels(target, source, {p: OnlineWeights(5, PARTNER).double() for p in "AB"})
    TrainingStep(mode, options, models, step_batches(batches)).find_weights(gradient, GAMMA / 20)
    after = [everything(made) for made in (target, source) if made]
    torch.testing.assert_close(before, after, rtol=0, atol=0)
    torch.testing.assert_close(kept, gradient, rtol=0, atol=0)
    assert torch.equal(rng, torch.get_rng_state())
    assert all(p.grad is None for made in (target, source) if made for p in made.parameters)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", OURS)
def test_identical_models_give_finite_weights(name, dtype):
    batches = small_batches(dtype=dtype)
    target, source = learner(dtype=dtype), learner(dtype=dtype)
    mode = MODES[name]
    variables = {place: OnlineWeights(5, PARTNER).to(dtype) for place in "AB"}
    for _ in range(3):
        models = (target, source if mode.has_source_model else None, variables)
        record = take_step(mode, Options(LAM, GAMMA), models, batches)
        for weights in record.weights.values():
            assert torch.isfinite(weights).all()
            assert weights.min() == 0 and weights.max() == 1
    assert all(torch.isfinite(p).all() for p in target.parameters)


def test_tangent_equals_finite_differences():
    made = learner(warm=2)
    batch = as_batch(*small_batches()["source"])
    torch.manual_seed(3)
    direction = [torch.randn_like(p) for p in made.parameters]
    losses, tangent = losses_and_jvp(made, batch, direction)
    torch.testing.assert_close(losses, made.losses(batch))

    def moved(step):
        other = copied(made)
        with torch.no_grad():
            for p, d in zip(other.parameters, direction):
                p += step * d
        return other.losses(batch).detach()

    step = 1e-8  # small, so that no ReLU changes sign on the way
    numeric = (moved(step) - moved(-step)) / (2 * step)
    torch.testing.assert_close(tangent, numeric, rtol=1e-5, atol=1e-5)


def test_frozen_batchnorm_normalises_by_the_batch_and_keeps_its_statistics():
    made = learner()
    images = small_batches()["target"][0]
    free = copied(made)
    with frozen_batchnorm(made.model):
        frozen_output = made.model(images)
    torch.testing.assert_close(frozen_output, free.model(images))
    assert made.model.bn1.num_batches_tracked == 0 and free.model.bn1.num_batches_tracked == 1
    assert not torch.equal(made.model.bn1.running_mean, free.model.bn1.running_mean)
