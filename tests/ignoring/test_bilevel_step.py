"""The training step of every mode against tests/reference/plain_step.py, in float64."""

import copy
from functools import partial

import pytest
import torch

from lib.ignoring.bilevel_step import Options, Weighting
from lib.ignoring.modes import MODES
from lib.ignoring.trainable_model import TrainableModel
from lib.ignoring.variables import OnlineWeights
from tests.factories.setups import PARTNER, as_batch, copied, learner
from tests.factories.step_cases import (
    ALL_MODES,
    BASELINES,
    COUNT,
    FIXED,
    GAMMA,
    LAM,
    OURS,
    assert_same,
    learners,
    made_variables,
    material,
    parameters_of,
    take,
    take_source_first,
)
from tests.harness.plain_comparison import check_against_the_plain_step
from tests.reference import unrolled


@pytest.mark.parametrize("optimizer", ["adam", "momentum"])
@pytest.mark.parametrize("name", BASELINES)
def test_baselines_equal_the_plain_step(name, optimizer):
    check_against_the_plain_step(name, optimizer, "online", Options(LAM, GAMMA), warm=0)


@pytest.mark.parametrize("kind", ["online", "persistent", "loss_aware"])
@pytest.mark.parametrize("optimizer", ["adam", "momentum"])
@pytest.mark.parametrize("name", OURS)
def test_ours_equal_the_plain_step(name, optimizer, kind):
    check_against_the_plain_step(name, optimizer, kind, Options(LAM, GAMMA))


@pytest.mark.parametrize(
    "name, optimizer, kind",
    [("ours1", "adam", "persistent"), ("ours2", "momentum", "online"), ("ours3", "adam", "online"),
     ("ours4", "momentum", "persistent"), ("ours5", "adam", "online"), ("ours5", "momentum", "persistent")],
)  # fmt: skip
def test_two_look_aheads_equal_the_plain_step(name, optimizer, kind):
    check_against_the_plain_step(name, optimizer, kind, Options(LAM, GAMMA, meta_loop=2))


@pytest.mark.parametrize("name", ["ours1", "ours5"])
def test_fresh_optimizers_equal_the_plain_step(name):
    check_against_the_plain_step(name, "momentum", "online", Options(LAM, GAMMA), warm=0)
    check_against_the_plain_step(
        name, "adam", "persistent", Options(LAM, GAMMA), warm=0, weightings=("uniform", "update", "update")
    )


@pytest.mark.parametrize("meta_loop", [1, 2])
@pytest.mark.parametrize(
    "name, optimizer, kind",
    [("ours2", "adam", "loss_aware"), ("ours4", "momentum", "online"), ("ours5", "adam", "persistent"),
     ("ours5", "momentum", "online")],
)  # fmt: skip
def test_weights_that_serve_the_source_models_own_validation_equal_the_plain_step(
    name, optimizer, kind, meta_loop
):
    options = Options(LAM, GAMMA, meta_loop, validate_at_source=True)
    check_against_the_plain_step(name, optimizer, kind, options)


@pytest.mark.parametrize("meta_loop", [1, 2])
@pytest.mark.parametrize("optimizer", ["adam", "momentum"])
@pytest.mark.parametrize("name", FIXED)
def test_near_a_fixed_model_equals_the_plain_step(name, optimizer, meta_loop):
    check_against_the_plain_step(name, optimizer, "persistent", Options(LAM, GAMMA, meta_loop))


@pytest.mark.parametrize("name", FIXED)
def test_a_fixed_source_model_stays_to_the_last_bit_and_pulls(name):
    target, source = learners(name)
    free, pulled = copied(target), copied(target)
    before = copy.deepcopy((source.model.state_dict(), source.optimizer.state_dict()))
    variables, _ = made_variables(name, "persistent")
    take(ALL_MODES[name], Options(0.0, GAMMA), free, source, copy.deepcopy(variables), *material(0))
    take(ALL_MODES[name], Options(1e3, GAMMA), pulled, source, variables, *material(0))
    after = (source.model.state_dict(), source.optimizer.state_dict())
    torch.testing.assert_close(after, before, rtol=0, atol=0)

    def distance(made):
        return sum(float(((p - q).detach() ** 2).sum()) for p, q in zip(made.parameters, source.parameters))

    assert distance(pulled) < distance(target) and distance(pulled) < distance(free)


@pytest.mark.parametrize("kind", ["online", "persistent", "loss_aware"])
@pytest.mark.parametrize("name", ["ours1", "ours2", "ours5", "weighted, near a fixed model"])
def test_kept_weights_equal_the_plain_step(name, kind):
    """Without a validation batch, between steps that learn: see ``take``."""
    weightings = ("update", "current", "current", "update")
    check_against_the_plain_step(name, "adam", kind, Options(LAM, GAMMA), weightings=weightings)


@pytest.mark.parametrize("name", ["baseline4", "ours2", "ours5"])
def test_identical_models_equal_the_plain_step(name):
    check_against_the_plain_step(name, "momentum", "online", Options(LAM, GAMMA), identical=True)


@pytest.mark.parametrize("kind", ["online", "persistent"])
@pytest.mark.parametrize("lam, gamma", [(0.0, GAMMA), (LAM, 0.0), (0.0, 0.0)])
@pytest.mark.parametrize("name", ["baseline4", "ours5"])
def test_zero_lambda_and_gamma_equal_the_plain_step(name, lam, gamma, kind):
    check_against_the_plain_step(name, "momentum", kind, Options(lam, gamma), weightings=("update",) * 2)


PLAIN_TWIN = {
    "ours1": "baseline2",
    "ours2": "baseline3",
    "ours3": "baseline4",
    "ours4": "baseline4",
    "ours5": "baseline4",
}


@pytest.mark.parametrize("name", OURS)
def test_warm_up_is_the_unweighted_mode(name):
    """Weights of one, no validation batch asked for, and nothing learned."""
    found, expected = learners(name), learners(name)
    variables, _ = made_variables(name, "persistent")
    untouched = copy.deepcopy({place: v.state_dict() for place, v in variables.items()})
    for step in range(2):
        record = take(MODES[name], Options(LAM, GAMMA), *found, variables, *material(step), Weighting.UNIFORM)
        twin = take(MODES[PLAIN_TWIN[name]], Options(LAM, GAMMA), *expected, {}, *material(step))
        assert record.weights.keys() == variables.keys()
        assert all((weights == 1).all() for weights in record.weights.values())
        assert_same(record.losses, twin.losses, "losses")
    for one, other in zip(found, expected):
        if one:
            assert_same(one.model.state_dict(), other.model.state_dict(), "model")
    assert_same({place: v.state_dict() for place, v in variables.items()}, untouched, "variables")


def test_zero_lambda_leaves_the_target_alone():
    target, source = learners("baseline3")
    alone, _ = learners("baseline1")
    take(MODES["baseline3"], Options(0.0, GAMMA), target, source, {}, *material(0))
    take(MODES["baseline1"], Options(0.0, GAMMA), alone, None, {}, *material(0))
    torch.testing.assert_close(target.parameters, alone.parameters, rtol=0, atol=1e-15)


def test_proximity_in_the_record_is_after_the_source_step_and_before_the_targets():
    target, source = learners("baseline3")
    target_before, source_before = parameters_of(target), parameters_of(source)
    record = take(MODES["baseline3"], Options(LAM, GAMMA), target, source, {}, *material(0))

    def proximity(a, b):
        return LAM * sum(float(((x - y).detach() ** 2).sum()) for x, y in zip(a, b))

    seen = float(record.losses["proximity"])
    assert seen == pytest.approx(proximity(target_before, source.parameters), rel=1e-12)
    assert seen != pytest.approx(proximity(target_before, source_before), rel=1e-6)
    assert seen != pytest.approx(proximity(target.parameters, source.parameters), rel=1e-6)


@pytest.mark.parametrize("meta_loop", [1, 2])
@pytest.mark.parametrize("name", MODES)
def test_running_statistics_follow_one_batch_each(name, meta_loop):
    """The first BatchNorm layer's, by hand: 0.9 old + 0.1 of the batch, whose variance is unbiased."""
    target, source = learners(name, warm=0)
    before = [copy.deepcopy(made.model) for made in (target, source) if made]
    batches, index, flipped = material(0)
    variables, _ = made_variables(name, "online")
    take(MODES[name], Options(LAM, GAMMA, meta_loop), target, source, variables, batches, index, flipped)
    for model, old, batch in zip((m.model for m in (target, source) if m), before, ("target", "source")):
        # As seen by the weights before the step
        values = old.conv1(batches[batch][0]).detach().transpose(0, 1).flatten(1)
        layer = model.bn1
        assert_same(layer.running_mean, 0.1 * values.mean(1), batch)
        assert_same(layer.running_var, 0.9 + 0.1 * values.var(1, correction=1), batch)
        assert all(layer.num_batches_tracked == 1 for layer in (model.bn1, model.bn2, model.bn3))


@pytest.mark.parametrize("name", MODES)
def test_leaves_nothing_behind(name):
    """No gradients, no graphs, no random numbers drawn, and what it was given unchanged."""
    target, source = learners(name)
    variables, _ = made_variables(name, "persistent")
    batches, index, flipped = material(0)
    kept, rng = copy.deepcopy((batches, index, flipped)), torch.get_rng_state()
    record = take(MODES[name], Options(LAM, GAMMA), target, source, variables, batches, index, flipped)
    torch.testing.assert_close((batches, index, flipped), kept, rtol=0, atol=0)
    assert torch.equal(rng, torch.get_rng_state())
    for made in (target, source):
        assert made is None or all(p.grad is None and p.requires_grad for p in made.parameters)
    for found in (record.losses, record.hypergradients, record.weights):
        assert not any(tensor.requires_grad for tensor in found.values())


@pytest.mark.parametrize("name", OURS)
def test_keypoints_without_label_weigh_nothing_and_learn_nothing(name):
    target, source = learners(name)
    variables, _ = made_variables(name, "persistent")
    batches, index, flipped = material(0)
    without = batches["source"][2] == 0
    assert without.any()
    record = take(MODES[name], Options(LAM, GAMMA), target, source, variables, batches, index, flipped)
    for place, made in variables.items():
        assert (record.hypergradients[place][without] == 0).all()
        assert (record.hypergradients[place][~without] != 0).all()
        assert made.seen.sum() == (~without).sum()
        assert ((made.logits != 0) == (made.seen > 0)).all()


def plain_losses(made, batches, name):
    return as_batch(*batches[name]).losses(made.model(batches[name][0]))


def products(made, batches, direction, factor):
    """-factor * < direction, gradient of the loss > for each source keypoint, one backward pass for each."""
    made = copied(made)  # whose running statistics may move
    losses = plain_losses(made, batches, "source")

    def product(loss):
        gradient = torch.autograd.grad(loss, made.parameters, retain_graph=True)
        return -factor * sum(float((u * g).sum()) for u, g in zip(direction, gradient))

    return losses.new_tensor([[product(loss) for loss in row] for row in losses])


def test_without_the_optimizers_derivatives_the_direction_is_the_plain_validation_gradient():
    """ours5: G of A and B from one gradient for each keypoint, at the step that torch really takes."""
    target, source = learners("ours5")
    batches, index, flipped = material(0)

    # Both look-aheads with all weights zero
    ahead, source_ahead = copied(target), copied(source)
    source_ahead.step([torch.zeros_like(p) for p in source.parameters])
    losses = plain_losses(ahead, batches, "target")
    pull = LAM * sum(((p - q.detach()) ** 2).sum() for p, q in zip(ahead.parameters, source_ahead.parameters))
    ahead.step(ahead.local_gradient(losses.sum() / (2 * losses.numel()) + pull))
    steepest = ahead.local_gradient(plain_losses(ahead, batches, "validation").mean())

    expected = {
        "A": products(source, batches, steepest, 2 * LAM / losses.numel()),
        "B": products(target, batches, steepest, GAMMA / (2 * losses.numel())),
    }
    variables, _ = made_variables("ours5", "online")
    options = Options(LAM, GAMMA, through_optimizer=False)
    record = take(MODES["ours5"], options, target, source, variables, batches, index, flipped)
    for place, gradient in expected.items():
        torch.testing.assert_close(record.hypergradients[place], gradient, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("first", [True, False], ids=["source first", "together"])
def test_without_the_optimizers_derivatives_the_source_model_validates_in_the_same_way(first):
    target, source = learners("ours2")
    batches, index, flipped = material(0)
    ahead = copied(source)  # after a step with all weights zero
    ahead.step([torch.zeros_like(p) for p in source.parameters])
    steepest = ahead.local_gradient(plain_losses(ahead, batches, "validation").mean())
    expected = products(source, batches, steepest, 1 / batches["source"][2].numel())
    variables, _ = made_variables("ours2", "online")
    options = Options(LAM, GAMMA, through_optimizer=False, validate_at_source=True)
    rest = variables, batches, index, flipped
    if first:
        record = take_source_first(MODES["ours2"], options, source, *rest)
    else:
        record = take(MODES["ours2"], options, target, source, *rest)
    torch.testing.assert_close(record.hypergradients["A"], expected, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("optimizer", ["adam", "momentum"])
@pytest.mark.parametrize("name", MODES)
def test_the_original_way_with_second_order_graphs_finds_the_same_weights(name, optimizer):
    """Two steps, so that the models' agree as well."""
    target, source = learners(name, optimizer)
    pairs = [made and (made.model, made.optimizer) for made in (copied(target), source and copied(source))]
    variables, _ = made_variables(name, "online")
    for step in range(2):
        batches, index, flipped = material(step)
        record = take(MODES[name], Options(LAM, GAMMA), target, source, variables, batches, index, flipped)
        take_step = unrolled.online_step if name in OURS else partial(unrolled.real_steps, weights={})
        expected = take_step(name, LAM, GAMMA, *pairs, batches) or {}
        assert record.weights.keys() == expected.keys()
        assert_same(record.weights, expected, "weights")
    for made, pair in zip((target, source), pairs):
        if made:
            assert_same(parameters_of(made), [p.detach() for p in pair[0].parameters()], "model")


def test_single_precision_finds_the_hypergradients_of_double():
    batches, index, flipped = material(0)
    found = {}
    for dtype in (torch.float32, torch.float64):
        target, source = (learner("adam", 1e-3, 3, seed) for seed in (0, 1))
        if dtype == torch.float32:
            target, source = (in_single_precision(made) for made in (target, source))
        given = {name: tuple(part.to(dtype) for part in batch) for name, batch in batches.items()}
        variables = {place: OnlineWeights(COUNT, PARTNER).to(dtype) for place in "AB"}
        record = take(MODES["ours5"], Options(LAM, GAMMA), target, source, variables, given, index, flipped)
        found[dtype] = {place: g.double() for place, g in record.hypergradients.items()}
    for place, exact in found[torch.float64].items():
        assert (found[torch.float32][place] - exact).norm() / exact.norm() < 1e-3


def in_single_precision(made):
    model = copy.deepcopy(made.model).float()
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters, lr=1e-3, weight_decay=1e-3)
    optimizer.load_state_dict(made.optimizer.state_dict())
    return TrainableModel(model, optimizer, parameters)
