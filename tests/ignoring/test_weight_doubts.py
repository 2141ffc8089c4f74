"""Weights that say nothing, and weights that do."""

import numpy as np
import pytest
import torch

from lib.config.schema import settings
from lib.ignoring.variables import FixedWeights
from lib.ignoring.weight_doubts import (
    LEAST_INSTANCES,
    LEAST_LABELS,
    LEAST_PAIRS,
    Agreement,
    doubts_about_direction,
    doubts_about_trusted,
    doubts_about_variables,
    doubts_about_weights,
)
from tests.factories.annotations import make_annotations
from tests.factories.visits import COUNT, JOINTS, PARTNER, random_visits, variables, visit


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        (np.full(100, 0.1), "mean weight 0.10"),
        (np.full(100, 0.99), "mean weight 0.99"),
        (np.full(100, 0.5), "between 0.50 and 0.50"),
        (np.r_[np.full(96, 0.5), 0.0, 0.0, 1.0, 1.0], "between 0.50 and 0.50"),  # a few do not make a ranking
        (np.linspace(0.03, 0.97, 100), None),
        (np.r_[np.full(60, 0.95), np.full(40, 0.02)], None),
        (np.r_[np.full(93, 0.99), np.full(7, 0.1)], None),  # few wrong labels
        (np.zeros(0), None),
    ],
)
def test_weights_by_themselves(weights, says):
    doubts = doubts_about_weights(weights)
    assert len(doubts) == (says is not None)
    assert says is None or says in doubts[0]


def trusted(count, missing=0):
    """``count`` instances, of which ``missing`` have no label for their second joint, right_eye."""
    annotations = make_annotations(count)
    annotations.visible[:missing, 1] = 0
    return annotations


@pytest.mark.parametrize(
    ("annotations", "says"),
    [
        (trusted(LEAST_INSTANCES), None),
        (trusted(LEAST_INSTANCES, LEAST_INSTANCES - LEAST_LABELS), None),
        (trusted(LEAST_INSTANCES - 1), f"{LEAST_INSTANCES - 1} trusted instances"),
        (trusted(30, 30 - LEAST_LABELS + 1), f"right_eye ({LEAST_LABELS - 1})"),
    ],
)
def test_trusted_instances(annotations, says):
    doubts = doubts_about_trusted(annotations)
    assert len(doubts) == (says is not None)
    assert says is None or says in doubts[0]


def test_variables_of_single_batches_are_no_ranking():
    found = {kind: len(doubts_about_variables(kind)) for kind in settings()["LBI.VARIABLES"].choices}
    assert found == {"online": 1, "persistent": 0, "loss_aware": 0}


@pytest.mark.parametrize(
    ("same", "pairs", "labels", "says"),
    [
        (620, 1000, 400, None),
        (500, 1000, 400, "50 %"),
        (380, 1000, 400, "38 %"),
        (500, 1000, 1001, "had no time"),
        (0, 0, 10, "had no time"),
        (LEAST_PAIRS // 2, LEAST_PAIRS - 1, 10, None),  # too few to tell
    ],
)
def test_direction(same, pairs, labels, says):
    doubts = doubts_about_direction(Agreement(same, pairs), labels)
    assert len(doubts) == (says is not None)
    assert says is None or says in doubts[0]


@pytest.mark.parametrize("kind", ["online", "persistent", "loss_aware"])
def test_agreement_is_counted_per_keypoint_in_annotation_order(kind):
    found, last, same, pairs = variables(kind), {}, 0, 0
    for gradient, samples in random_visits(batches=12):
        found.update(gradient, samples)
        for row, index in enumerate(samples.index.tolist()):
            for joint in range(JOINTS):
                if not samples.labelled[row, joint]:
                    continue
                keypoint = index, PARTNER[joint] if samples.flipped[row] else joint
                sign = gradient[row, joint] > 0
                pairs += keypoint in last
                same += last.get(keypoint) == sign
                last[keypoint] = sign
    assert found.agreement.tolist() == [same, pairs] and pairs > 50


@pytest.mark.parametrize(("real", "least", "most"), [(1.0, 0.75, 1.0), (0.0, 0.45, 0.55)])
def test_a_real_direction_agrees_with_itself_and_noise_does_not(real, least, most):
    """Each label has its own sign of the hypergradient, seen through noise of the same size, or not at all."""
    rng = torch.Generator().manual_seed(0)
    wrong = torch.where(torch.rand(COUNT, JOINTS, generator=rng) < 0.3, 1.0, -1.0)
    found = variables("loss_aware")
    for _ in range(200):
        rows = torch.randperm(COUNT, generator=rng)[:5]
        common = torch.randn((), generator=rng)  # a step's direction moves all losses of a batch
        noise = 0.5 * torch.randn(5, JOINTS, generator=rng) + 0.5 * common
        found.update(real * wrong[rows] + noise, visit(rows.tolist()))
    agreement = Agreement(*found.agreement.tolist())
    assert least < agreement.share < most
    assert bool(doubts_about_direction(agreement, COUNT * JOINTS)) == (real == 0)


def test_checkpoints_of_earlier_versions_are_read():
    before = variables("loss_aware")
    for gradient, samples in random_visits():
        before.update(gradient, samples)
    after, state = (
        FixedWeights(torch.ones(COUNT, JOINTS), PARTNER, variables("loss_aware")),
        before.state_dict(),
    )
    assert state["agreement"][1] > 0
    old = {f"ranking.{key}": value for key, value in state.items() if key not in ("signs", "agreement")}
    own = {"seen": torch.zeros_like(after.seen), "weights": after.weights}
    after.load_state_dict(old | own)
    assert torch.equal(after.all_weights(), before.all_weights())
    assert after.ranking.agreement.tolist() == [0, 0]
