"""Hypergradients along some layers only, in float64: unrolled autodiff with the other layers held constant."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lib.ignoring.bilevel_step import Options
from lib.ignoring.hypergradient import jvp_by_torch, losses_and_jvp, validation_gradient
from lib.ignoring.modes import MODES
from lib.ignoring.trainable_model import TrainableModel
from tests.factories.jvp_cases import batch_and_direction, by_backward, trained_resnet
from tests.factories.setups import as_batch, copied, learner, small_batches
from tests.factories.step_cases import (
    GAMMA,
    LAM,
    OURS,
    assert_same,
    learners,
    made_variables,
    material,
    take,
    take_source_first,
)
from tests.harness.plain_comparison import check_against_the_plain_step, check_source_first
from tests.reference import unrolled

FINAL, HEAD = ("final",), ("deconv", "bn3", "final")  # of SmallPoseNet
PARTS = pytest.mark.parametrize("layers", [FINAL, HEAD], ids=["final", "head"])


@PARTS
@pytest.mark.parametrize("decay", [0.0, 1e-2], ids=["plain", "decay"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "momentum", "nesterov"])
@pytest.mark.parametrize("name", OURS)
def test_hypergradients_equal_unrolled_autodiff(name, optimizer, decay, layers):
    target, source = learners(name, optimizer, decay=decay, layers=layers)
    batches, index, flipped = material(0)
    pairs = [made and (made.model, made.optimizer) for made in (copied(target), source and copied(source))]
    eps = torch.zeros_like(batches["source"][2])
    oracle = unrolled.hypergradient(name, LAM, GAMMA, *pairs, batches, eps, eps, layers)
    expected = {place: g for place, g in zip("AB", oracle) if g is not None}
    variables, _ = made_variables(name, "online")
    output = take(MODES[name], Options(LAM, GAMMA), target, source, variables, batches, index, flipped)
    assert_close_relatively(output.hypergradients, expected)


@PARTS
@pytest.mark.parametrize("optimizer", ["adam", "momentum"])
def test_hypergradients_at_the_source_model_equal_unrolled_autodiff(optimizer, layers):
    target, source = learners("ours2", optimizer, layers=layers)
    batches, index, flipped = material(0)
    model, eps = copied(source), torch.zeros_like(batches["source"][2])
    pair = (model.model, model.optimizer)
    expected = {"A": unrolled.hypergradient_at_source(pair, batches, eps, layers)}
    options, rest = Options(LAM, GAMMA, validate_at_source=True), (batches, index, flipped)
    variables, _ = made_variables("ours2", "online")
    first = take_source_first(MODES["ours2"], options, copied(source), variables, *rest)
    together = take(MODES["ours2"], options, target, source, variables, *rest)
    for output in (first, together):
        assert_close_relatively(output.hypergradients, expected)


def assert_close_relatively(found, expected):
    assert found.keys() == expected.keys()
    for place, gradient in expected.items():
        assert gradient.norm() > 0
        assert (found[place] - gradient).norm() / gradient.norm() < 1e-9, place


@PARTS
@pytest.mark.parametrize("kind", ["online", "persistent", "loss_aware"])
@pytest.mark.parametrize("name", [*OURS, "weighted, near a fixed model"])
def test_steps_equal_the_plain_step(name, kind, layers):
    check_against_the_plain_step(name, "adam", kind, Options(LAM, GAMMA), layers=layers)


@PARTS
@pytest.mark.parametrize("kind", ["online", "persistent", "loss_aware"])
def test_steps_of_the_source_model_alone_equal_the_plain_step(kind, layers):
    check_source_first("ours2", "momentum", kind, 1, ("uniform", "update", "current", "update"), layers)


@pytest.mark.parametrize("name", ["ours1", "ours2", "ours5"])
def test_two_look_aheads_equal_the_plain_step(name):
    check_against_the_plain_step(name, "momentum", "loss_aware", Options(LAM, GAMMA, 2), layers=FINAL)


@pytest.mark.parametrize("name", ["ours1", "ours2"])
def test_without_the_optimizers_derivatives_it_is_the_product_of_the_layers_gradients(name):
    """Along the plain validation gradient: the difference to the whole product is that of the other layers."""
    options = Options(LAM, GAMMA, through_optimizer=False)
    parts = {"all": (), "final": FINAL, "rest": ("conv1", "bn1", "conv2", "bn2", "deconv", "bn3")}
    found = {}
    for part, layers in parts.items():
        target, source = learners(name, layers=layers)
        variables, _ = made_variables(name, "persistent")
        (found[part],) = take(
            MODES[name], options, target, source, variables, *material(0)
        ).hypergradients.values()
    torch.testing.assert_close(found["final"] + found["rest"], found["all"], rtol=1e-9, atol=1e-15)
    assert min(found["final"].norm(), found["rest"].norm()) > 1e-3 * found["all"].norm()


NETWORK_PARTS = [("final_layer",), ("deconv_layers", "final_layer"), ("layer3",), ("bn1", "layer4.0.bn2")]


@pytest.mark.parametrize("layers", NETWORK_PARTS, ids=lambda layers: "+".join(layers))
def test_products_along_a_part_of_a_pose_network(layers):
    """Against torch's forward mode, one backward pass for each keypoint, and zeros elsewhere."""
    model = trained_resnet()
    batch, direction = batch_and_direction(model)
    batch, parameters = as_batch(*batch), list(model.parameters())
    made = TrainableModel(model, torch.optim.SGD(parameters, lr=1.0), parameters, hypergradient_layers=layers)
    part = made.select_direction(direction)
    assert 0 < len(part) < len(direction)
    losses, products = losses_and_jvp(made, batch, part)
    assert_same(products, jvp_by_torch(made, batch, part), "torch's forward mode")
    inside = [t if chosen else torch.zeros_like(t) for t, chosen in zip(direction, made.in_direction)]
    assert_same(products, by_backward(made, batch, inside), "backward passes")
    assert_same(losses.detach(), made.losses(batch).detach(), "losses")


def flops_of(call):
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


def test_costs_one_forward_pass_and_the_last_layer():
    """In multiplications: 7 forward passes of ours1 against 6 of baseline2, and 2 of the last layer for its
    validation gradient and its tangent."""
    target, _ = learners("ours1", layers=FINAL)
    batches, index, flipped = material(0)
    images = batches["target"][0]
    with torch.no_grad():
        forward = flops_of(lambda: target.model(images))
        last = flops_of(lambda: target.model.final(torch.zeros(5, 6, 8, 8).double()))
    models = copied(target), None
    plain = flops_of(
        lambda: take(MODES["baseline2"], Options(LAM, GAMMA), *models, {}, batches, index, flipped)
    )
    variables, _ = made_variables("ours1", "online")
    options = Options(LAM, GAMMA)
    ours = flops_of(lambda: take(MODES["ours1"], options, target, None, variables, batches, index, flipped))
    assert ours - plain == forward + 2 * last


@PARTS
def test_validation_passes_keep_only_the_activations_of_the_part(layers):
    made, batch = learner(warm=1, layers=layers), as_batch(*small_batches()["validation"])

    def saved(model):
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: (sizes.append(t.numel()), t)[1], lambda t: t):
            gradient, _ = validation_gradient(model, model.parameters, batch)
        return sum(sizes), gradient

    kept, gradient = saved(made)
    whole, expected = saved(learner(warm=1))
    torch.testing.assert_close(gradient, made.select_direction(expected), rtol=1e-12, atol=1e-15)
    assert kept < whole / (2 if layers == FINAL else 1.2)
    assert all(parameter.requires_grad for parameter in made.parameters)


def test_unknown_layers_are_refused():
    made = learner(layers=("finale",))
    with pytest.raises(ValueError, match="finale"):
        _ = made.in_direction
