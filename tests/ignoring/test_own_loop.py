"""The ignoring variables in a loop of one's own, against unrolled autodiff in float64."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.func import functional_call

from lib.ignoring.own_loop import IgnoringWeights, directional_derivative
from lib.ignoring.variables import OnlineWeights, PersistentWeights, SourceSamples
from lib.utils.errors import NonFiniteError
from tests.factories.setups import PARTNER, copied, learner, small_batches
from tests.reference import unrolled

GAMMA = 0.7


def losses_of(model, batch):
    images, heatmaps, weight = batch
    return unrolled.keypoint_losses(model(images), heatmaps, weight)


def ignoring(made, variables=None, layers=(), follows_optimizer=True):
    along = [p for layer in layers for p in getattr(made.model, layer).parameters()] or None
    variables = variables or PersistentWeights(5, PARTNER, 0.7).double()
    return IgnoringWeights(variables, made.model, made.optimizer, along, follows_optimizer)


def begin(made, batches):
    """The backward pass of the trusted loss, and the doubtful losses; the number of keypoints in both."""
    target = losses_of(made.model, batches["target"])
    elements = 2 * target.numel()
    made.optimizer.zero_grad()
    (target.sum() / elements).backward()
    return losses_of(made.model, batches["source"]), elements


def samples_of(batch, losses, flipped=None):
    count = len(losses)
    flipped = torch.zeros(count, dtype=torch.bool) if flipped is None else flipped
    return SourceSamples(torch.arange(count), flipped, batch[2], losses)


@pytest.mark.parametrize("layers", [(), ("final",), ("deconv", "final")], ids=str)
@pytest.mark.parametrize("warm", [0, 3], ids=["fresh", "warm"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "momentum", "nesterov"])
def test_the_hypergradient_is_that_of_the_unrolled_step(optimizer, warm, layers):
    batches, made = small_batches(), learner(optimizer, 1e-2, warm)
    reference = copied(made)
    _, expected = unrolled.hypergradient(
        "ours1", 0.0, GAMMA, (reference.model, reference.optimizer), None, batches, eps_b=torch.zeros(5, 4).double(), layers=layers
    )  # fmt: skip
    losses, elements = begin(made, batches)
    found = ignoring(made, layers=layers).hypergradient(
        losses, lambda: losses_of(made.model, batches["validation"]).mean()
    )
    assert expected.norm() > 0
    torch.testing.assert_close(
        found * GAMMA / elements, expected, rtol=1e-6, atol=1e-6 * float(expected.norm())
    )


def test_without_the_optimizer_it_is_that_of_plain_sgd():
    batches, made = small_batches(), learner("sgd")
    losses, _ = begin(made, batches)

    def validation():
        return losses_of(made.model, batches["validation"]).mean()

    plain = ignoring(made, follows_optimizer=False).hypergradient(losses, validation)
    torch.testing.assert_close(plain * 1e-2, ignoring(made).hypergradient(losses, validation))


def test_any_loss_will_do():
    """Cross entropy over places, as keypoint R-CNN's, against a loop over the losses."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Conv2d(4, 2, 1)).double()
    images, places = torch.randn(3, 3, 6, 6).double(), torch.randint(0, 16, (6,))
    losses = nn.functional.cross_entropy(model(images).reshape(6, 16), places, reduction="none").reshape(3, 2)
    parameters = list(model[2].parameters())
    direction = [torch.randn_like(p) for p in parameters]
    found = directional_derivative(losses, parameters, direction)
    for i in range(3):
        for j in range(2):
            gradient = torch.autograd.grad(losses[i, j], parameters, retain_graph=True)
            expected = sum((g * d).sum() for g, d in zip(gradient, direction))
            torch.testing.assert_close(found[i, j], expected)
    losses.sum().backward()  # its graph is still there


def test_a_step_is_as_if_the_weights_had_been_known():
    """learn() leaves parameters, gradients, optimizer and BatchNorm as they were."""
    batches, made = small_batches(), learner("adam", warm=3)
    reference = copied(made)
    losses, elements = begin(made, batches)
    weights = ignoring(made, OnlineWeights(5, PARTNER).double()).learn(
        samples_of(batches["source"], losses), lambda: losses_of(made.model, batches["validation"]).mean()
    )
    (GAMMA / elements * (weights * losses).sum()).backward()
    made.optimizer.step()

    oracle = copied(reference)
    expected = unrolled.online_step("ours1", 0.0, GAMMA, (oracle.model, oracle.optimizer), None, batches)["B"]
    torch.testing.assert_close(weights, expected * (batches["source"][2] > 0))
    plain, _ = begin(reference, batches)
    (GAMMA / elements * (weights * plain).sum()).backward()
    reference.optimizer.step()
    for (name, found), known in zip(made.model.state_dict().items(), reference.model.state_dict().values()):
        assert torch.equal(found, known), name


def test_labels_that_are_not_there_take_no_part():
    batches, made = small_batches(), learner("adam", warm=3)
    labelled = batches["source"][2] > 0
    assert not labelled.all()
    found = []
    for noise in (0.0, 1e6, float("nan")):  # in losses without a label
        variables = PersistentWeights(5, PARTNER, 0.7).double()
        losses, _ = begin(made, batches)
        samples = samples_of(batches["source"], torch.where(labelled, losses, losses + noise))
        weights = ignoring(made, variables).learn(
            samples, lambda: losses_of(made.model, batches["validation"]).mean()
        )
        found.append((weights, variables.all_weights()))
        assert (weights[~labelled] == 0).all() and (weights[labelled] > 0).all()
        assert torch.equal(weights[labelled], variables.all_weights()[labelled])
        assert torch.equal(ignoring(made, variables).current(samples), weights)
    for weights, table in found[1:]:
        assert torch.equal(weights, found[0][0]) and torch.equal(table, found[0][1])


def test_mirrored_samples_teach_the_label_of_the_other_side():
    batches, made = small_batches(), learner("adam", warm=3)
    flipped = torch.tensor([True, False, True, False, False])
    losses, _ = begin(made, batches)
    tables = []
    for mirrored in (flipped, torch.zeros(5, dtype=torch.bool)):
        variables = PersistentWeights(5, PARTNER, 0.7).double()
        ignoring(made, variables).learn(
            samples_of(batches["source"], losses, mirrored),
            lambda: losses_of(made.model, batches["validation"]).mean(),
        )
        tables.append(variables.all_weights())
    assert torch.equal(tables[0][flipped], tables[1][flipped][:, list(PARTNER)])
    assert torch.equal(tables[0][~flipped], tables[1][~flipped])


def test_numbers_that_are_not_finite_teach_nothing():
    batches, made = small_batches(), learner("adam", warm=3)
    losses, _ = begin(made, batches)
    variables = PersistentWeights(5, PARTNER, 0.7).double()
    before = copy.deepcopy(variables.state_dict())
    with pytest.raises(NonFiniteError, match="not finite"):
        ignoring(made, variables).learn(
            samples_of(batches["source"], losses), lambda: losses_of(made.model, batches["validation"]).mean() * float("inf")
        )  # fmt: skip
    assert all(torch.equal(before[name], value) for name, value in variables.state_dict().items())
    assert all(torch.isfinite(p).all() for p in made.parameters)


def test_what_cannot_work_is_told():
    made, other = learner(), learner(seed=1)
    variables = PersistentWeights(5, PARTNER, 0.7)
    with pytest.raises(ValueError, match="does not train"):
        IgnoringWeights(variables, made.model, made.optimizer, other.model.final.parameters())
    parameters = list(made.model.final.parameters())
    for losses in (torch.zeros(2, 2), functional_call(nn.Linear(2, 2), {}, (torch.ones(2, 2),))):
        with pytest.raises(ValueError, match="no graph"):
            directional_derivative(losses, parameters, parameters)


def test_parameters_that_are_never_trained_are_told_of():
    model = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    optimizer = torch.optim.Adam(model.parameters())
    ignoring = IgnoringWeights(PersistentWeights(1, (0, 1), 0.7), model, optimizer, model[0].parameters())
    model[0](torch.ones(1, 2)).sum().backward()
    optimizer.step()
    with pytest.raises(ValueError, match="without gradients"):
        ignoring.hypergradient(model[0](torch.ones(1, 2)), lambda: model[0](torch.ones(1, 2)).sum())


@pytest.mark.parametrize(
    "reduced", [lambda losses: losses.mean(), lambda losses: losses.mean(1, keepdim=True)]
)
def test_losses_that_are_a_mean_are_told_of(reduced):
    """They would broadcast, and every keypoint would get the same hypergradient."""
    batches, made = small_batches(), learner()
    losses, _ = begin(made, batches)
    samples = samples_of(batches["source"], losses)
    samples = replace(samples, losses=reduced(losses))
    with pytest.raises(ValueError, match="one loss for each keypoint"):
        ignoring(made).learn(samples, lambda: losses_of(made.model, batches["validation"]).mean())
    with pytest.raises(ValueError, match="one loss for each keypoint"):
        ignoring(made).current(samples)


def test_no_parameters_are_not_all_of_them():
    made = learner()
    with pytest.raises(ValueError, match="along: has no parameters"):
        IgnoringWeights(
            PersistentWeights(5, PARTNER, 0.7), made.model, made.optimizer, nn.ReLU().parameters()
        )
