"""Weights that look at the keypoint's own loss, against plain loops."""

import math

import pytest
import torch

from lib.ignoring.loss_aware import LEVEL_LIMIT, TRUSTED_KAPPA, LossAwareWeights, kappa, trust_of
from lib.ignoring.variables import LIMIT
from tests.factories.visits import COUNT, FLOOR, JOINTS, LR, random_visits, variables, visit
from tests.reference.plain_step import plain_loss_aware


def test_constants_are_those_of_the_experiments():
    """A change of one of these changes every result with loss-aware weights."""
    kind = LossAwareWeights
    assert (kind.AVERAGE_DECAY, kind.STATISTICS_RATE) == (0.6, 0.05)
    assert (kind.INSTANCE_LR, kind.LINEAR_LR) == (0.43, 0.043)
    assert (TRUSTED_KAPPA, LEVEL_LIMIT, kind.PAIRS_DECAY) == (0.2, 3.0, 0.98)
    assert (kind.BETAS, kind.EPS) == ((0.9, 0.99), 1e-8)
    assert LIMIT == 6


def test_loss_aware_weights_equal_plain_loops():
    found = variables("loss_aware").double()
    plain = plain_loss_aware(found, LR, FLOOR)
    for step, (gradient, batch) in enumerate(random_visits(seed=1, batches=12)):
        if step % 3 == 2:
            weights = found.current(batch)
            expected = plain.current(batch.losses, batch.index, batch.flipped, batch.labelled)
        else:
            weights = found.update(gradient, batch)
            expected = plain.weigh(
                gradient, batch.losses, batch.index, batch.flipped, batch.labelled, commit=True
            )
        torch.testing.assert_close(weights, expected, rtol=1e-9, atol=1e-9)
        assert found.linear.tolist() == pytest.approx(plain.linear, abs=1e-9)
    logits = [[plain.theta(i, j) for j in range(JOINTS)] for i in range(COUNT)]
    expected = torch.tensor(logits, dtype=torch.float64).sigmoid()
    torch.testing.assert_close(found.all_weights(), expected, rtol=1e-9, atol=1e-9)
    # Nothing of it is idle: all of its parts have moved.
    assert all(abs(value) > 1e-5 for value in plain.linear)
    assert all(abs(plain.u[i]) > 1e-3 for i in range(COUNT)) and len(plain.v) > COUNT * JOINTS / 2


def test_loss_aware_weights_stay_within_the_limits():
    """Hundreds of visits that all say the same."""
    found = variables("loss_aware").double()
    plain = plain_loss_aware(found, LR, FLOOR)
    gradient = torch.ones(2, JOINTS).double()
    gradient[1] = -1
    batch = visit([3, 5], losses=torch.stack([torch.full((JOINTS,), loss).double() for loss in (5.0, 0.1)]))
    for _ in range(300):
        weights = found.update(gradient, batch)
        expected = plain.weigh(
            gradient, batch.losses, batch.index, batch.flipped, batch.labelled, commit=True
        )
    torch.testing.assert_close(weights, expected, rtol=1e-9, atol=1e-9)
    assert weights[0].max() < 0.02 and weights[1].min() > 0.98
    assert found.all_weights().logit().abs().max() <= 6 + 1e-9


def test_the_step_of_an_instance_goes_no_further_than_two():
    """All keypoints of one instance of four help alike: q = 2 for each, whose sum / sqrt(13) is 7.2."""
    found = variables("loss_aware").double()
    gradient = torch.zeros(4, JOINTS).double()
    gradient[0] = -1
    found.update(gradient, visit([0, 1, 2, 3], losses=torch.ones(4, JOINTS).double()))
    torch.testing.assert_close(found.logits[0], torch.full((JOINTS,), 2 * LR).double())
    assert found.person[0].item() == pytest.approx(2 * 0.43 * LR)
    assert (found.person[1:] == 0).all()


def test_loss_aware_weights_learn_to_distrust_large_losses():
    """Where the hypergradient speaks against all keypoints of large loss, one never visited since falls too."""
    found = variables("loss_aware").double()
    rng = torch.Generator().manual_seed(0)
    large = torch.rand(COUNT, JOINTS, generator=rng) < 0.4
    losses = torch.where(large, 5.0, 0.5).double()
    found.current(visit(list(range(COUNT)), losses=losses))
    for step in range(40):
        rows = [(step + k) % (COUNT - 1) for k in range(4)]
        gradient = torch.where(large[rows], 1.0, -1.0).double()
        found.update(gradient, visit(rows, losses=losses[rows]))
    unseen = found.all_weights()[-1]
    assert unseen[large[-1]].max() < 0.5 < unseen[~large[-1]].min()
    assert found.linear[0] < -0.1


def test_a_joint_that_is_met_late_is_compared_with_its_own_losses_from_the_start():
    found = variables("loss_aware").double()
    losses = torch.tensor([0.001, 0.01, 0.1, 1.0]).double()[:, None].expand(4, JOINTS)
    labelled = torch.ones(4, JOINTS)
    labelled[:, 2] = 0
    for _ in range(3):
        found.current(visit([0, 1, 2, 3], labelled=labelled, losses=losses))
    assert not found.met[:, 2].any()
    found.current(visit([0, 1, 2, 3], losses=losses))
    torch.testing.assert_close(found.average[:, 2], found.average[:, 3], rtol=1e-9, atol=1e-9)


def test_without_labels_nothing_is_learned_from_losses():
    found = variables("loss_aware").double()
    nothing = visit([0, 1], labelled=torch.zeros(2, JOINTS), losses=torch.zeros(2, JOINTS).double())
    weights = found.update(torch.zeros(2, JOINTS).double(), nothing)
    assert (weights == 0.5).all() and not found.met.any() and (found.mean == 0).all()


def test_what_all_labels_have_in_common_is_left_to_the_level():
    """All labels help alike, and losses have fallen since the last visits: that says nothing of large losses."""
    found = variables("loss_aware").double()
    rng = torch.Generator().manual_seed(0)
    for _ in range(20):
        losses = 1 + torch.rand(4, JOINTS, generator=rng).double()
        found.average[:] = 1 + found.average.abs()  # e has a mean
        gradient = -(losses + FLOOR).sqrt()  # s is 1
        found.update(gradient, visit([0, 1, 2, 3], losses=losses))
    assert found.linear[2:].min() > 0.3 and found.linear[:2].abs().max() < 0.1 * found.linear[2:].min()


def test_the_level_is_bounded_and_a_single_label_can_still_be_ignored():
    """Every hypergradient speaks for the labels for a long time; then one label is found to hurt."""
    found = variables("loss_aware").double()
    losses = torch.ones(4, JOINTS).double()
    for _ in range(300):
        found.update(-(losses + FLOOR).sqrt(), visit([0, 1, 2, 3], losses=losses))
    assert found.linear[2:].tolist() == pytest.approx([LEVEL_LIMIT] * JOINTS)
    found.logits.zero_()  # what single labels have gathered is not what this is about
    found.person.zero_()
    before = found.all_weights()[0, 0]
    gradient = -(losses + FLOOR).sqrt()
    gradient[0, 0] *= -1
    for _ in range(30):
        after = found.update(gradient, visit([0, 1, 2, 3], losses=losses))
    assert before == pytest.approx(1 / (1 + math.exp(-LEVEL_LIMIT))) and after[0, 0] < 0.5 < after[1:].min()


def test_a_large_loss_is_no_evidence_for_a_label():
    """The mirror image of the test above: the hypergradient speaks for all keypoints of large loss."""
    found = variables("loss_aware").double()
    rng = torch.Generator().manual_seed(0)
    for _ in range(20):
        large = torch.rand(4, JOINTS, generator=rng) < 0.4
        gradient = torch.where(large, -1.0, 1.0).double()
        found.update(gradient, visit([0, 1, 2, 3], losses=torch.where(large, 5.0, 0.5).double()))
    assert found.linear[0] == 0


@pytest.mark.parametrize(
    ("agreeing", "positive", "pairs", "expected"),
    [
        (70, 50, 100, 0.4),
        (70, 80, 100, (0.7 - 0.68) / 0.32),
        (50, 50, 100, 0.0),
        (9, 4, 9, 1.0),
        (8, 8, 8, 0.0),
        (0, 0, 0, 1.0),
    ],
)
def test_kappa(agreeing, positive, pairs, expected):
    counts = [torch.tensor(float(count)) for count in (agreeing, positive, pairs)]
    assert kappa(*counts).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("repeats", "low", "high"), [(0.5, 0.0, 0.2), (0.55, 0.3, 0.7), (0.8, 1.0, 1.0)])
def test_single_labels_count_as_far_as_their_hypergradients_repeat(repeats, low, high):
    """Most labels are found useful in every visit: that alone is no repetition."""
    found = variables("loss_aware", count=400).double()
    rng = torch.Generator().manual_seed(0)
    useful = torch.rand(400, JOINTS, generator=rng) < 0.5
    for _ in range(4):
        same = torch.rand(400, JOINTS, generator=rng) < repeats
        gradient = torch.where(useful == same, -1.0, 1.0).double()
        useful = useful == same
        found.update(gradient, visit(list(range(400)), losses=torch.ones(400, JOINTS).double()))
    assert low <= trust_of(found.recent_pairs).item() <= high
    theta = found.all_weights().logit()
    expected = trust_of(found.recent_pairs) * (found.logits + found.person[:, None]) + found.linear[2:]
    losses = found.linear[0] * found.average + found.linear[1] * found.average.mean(1, keepdim=True)
    torch.testing.assert_close(theta, (expected + losses).clamp(-LIMIT, LIMIT), rtol=1e-5, atol=1e-5)


def test_single_labels_do_not_count_where_most_signs_agree_by_chance_alone():
    found = variables("loss_aware", count=400)
    rng = torch.Generator().manual_seed(0)
    for _ in range(4):
        gradient = torch.where(torch.rand(400, JOINTS, generator=rng) < 0.9, -1.0, 1.0)
        found.update(gradient, visit(list(range(400))))
    agreeing, _, pairs = found.recent_pairs
    assert agreeing / pairs > 0.8 and trust_of(found.recent_pairs) < 0.2


def test_weights_of_checkpoints_without_counted_pairs_are_as_they_were():
    found = variables("loss_aware").double()
    for gradient, batch in random_visits():
        found.update(gradient, batch)
    state = found.state_dict()
    del state["recent_pairs"]
    loaded = variables("loss_aware").double()
    loaded.load_state_dict(state)
    assert trust_of(loaded.recent_pairs) == 1
    full = loaded.logits + loaded.person[:, None] + loaded.linear[2:]
    own, mean = found._features(torch.arange(COUNT))
    theta = full + loaded.linear[0] * own + loaded.linear[1] * mean
    torch.testing.assert_close(loaded.all_weights(), theta.clamp(-LIMIT, LIMIT).sigmoid())
