"""The scores that rank keypoints: the order of the weights, going on where weights are clipped."""

import numpy as np
import pytest
import torch

from lib.ignoring.ranking import ranked_keypoints
from lib.ignoring.variables import FixedWeights
from tests.factories.visits import COUNT, JOINTS, PARTNER, random_visits, variables, visit
from tests.reference.plain_step import plain_loss_aware


@pytest.mark.parametrize("kind", ["online", "persistent", "loss_aware"])
def test_a_lower_weight_has_a_higher_score(kind):
    found = variables(kind).double()
    for gradient, batch in random_visits(batches=12):
        found.update(gradient, batch)
    weights, scores = found.all_weights().numpy().ravel(), found.all_scores().numpy().ravel()
    assert scores.dtype == np.float64 and found.all_scores().shape == (COUNT, JOINTS)
    lower = weights[:, None] < weights[None] - 1e-8
    assert lower.sum() > 1000 and (scores[:, None] > scores[None])[lower].all()


def test_scores_of_online_and_persistent_weights():
    online, persistent = variables("online"), variables("persistent")
    gradient = torch.zeros(1, JOINTS)
    gradient[0, 2], gradient[0, 3] = -1.0, 1.0
    for found in (online, persistent):
        found.update(gradient, visit([4]))
    assert torch.equal(online.all_scores(), 1 - online.all_weights().double())
    assert torch.equal(persistent.all_scores(), -persistent.logits.double())
    assert persistent.all_scores()[4, 3] > persistent.all_scores()[4, 0] > persistent.all_scores()[4, 2]


def clipped():
    """Loss-aware variables with three keypoints at the lowest weight, and two at the highest."""
    found = variables("loss_aware").double()
    found.logits[0, :3] = torch.tensor([-5.0, -6.0, -5.5])
    found.logits[1, :3] = torch.tensor([4.0, 5.0, 2.0])
    found.person[0], found.person[1] = -3.0, 3.5
    return found


def test_scores_go_on_with_the_keypoints_own_logit_where_weights_are_clipped():
    found = clipped()
    weights, scores = found.all_weights(), found.all_scores()
    assert weights[0, 0] == weights[0, 1] == weights[0, 2] < weights[0, 3]
    assert scores[0, :4].tolist() == [6 + 6 + 5, 6 + 6 + 6, 6 + 6 + 5.5, 3]
    assert weights[1, 0] == weights[1, 1] > weights[1, 2]
    assert scores[1, :4].tolist() == [-6 - 6 - 4, -6 - 6 - 5, -5.5, -3.5]


def test_other_scores_of_loss_aware_weights_are_minus_the_theta_of_plain_loops():
    found = variables("loss_aware").double()
    plain = plain_loss_aware(found, 0.7, 0.02)
    for gradient, batch in random_visits(batches=12):
        found.update(gradient, batch)
        plain.weigh(gradient, batch.losses, batch.index, batch.flipped, batch.labelled, commit=True)
    theta = torch.tensor([[plain.theta(i, j) for j in range(JOINTS)] for i in range(COUNT)])
    inside = theta.abs() < 6 - 1e-6
    assert inside.sum() > COUNT * JOINTS / 2
    torch.testing.assert_close(-found.all_scores()[inside], theta[inside].double(), rtol=0, atol=1e-6)
    assert (found.all_scores()[~inside].abs() > 6 - 1e-6).all()


def test_between_equal_logits_the_larger_remembered_loss_is_more_suspect():
    """Before anything is learned, all weights are 1/2."""
    found = variables("loss_aware").double()
    losses = torch.rand(COUNT, JOINTS, generator=torch.Generator().manual_seed(2)).double() + 0.1
    found.current(visit(list(range(COUNT)), losses=losses))
    assert (found.all_weights() == 0.5).all()
    order = ranked_keypoints(found.all_scores().numpy(), np.ones((COUNT, JOINTS), bool), np.arange(COUNT))
    ranked = found.average.numpy().ravel()[order]
    assert len(set(ranked.tolist())) > 50 and (np.diff(ranked) <= 0).all()


def test_scores_change_nothing():
    found = variables("loss_aware")
    for gradient, batch in random_visits():
        before = {name: buffer.clone() for name, buffer in found.named_buffers()}
        found.all_scores()
        assert all(torch.equal(buffer, before[name]) for name, buffer in found.named_buffers())
        found.update(gradient, batch)


def test_fixed_weights_leave_the_scores_to_the_variables_that_learned():
    learned = clipped()
    kept = learned.all_weights() >= 0.5
    assert torch.equal(FixedWeights(kept, PARTNER, learned).all_scores(), learned.all_scores())
    assert torch.equal(FixedWeights(kept, PARTNER).all_scores(), 1 - kept.double())
