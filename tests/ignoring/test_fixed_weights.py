"""Weights that are known beforehand."""

import copy

import pytest
import torch

from lib.ignoring.loss_aware import LossAwareWeights
from lib.ignoring.variables import FixedWeights
from tests.factories.visits import COUNT, JOINTS, LR, PARTNER, random_visits, variables, visit


def test_fixed_weights_are_those_of_the_row_mirrored_or_not():
    table = torch.rand(COUNT, JOINTS, generator=torch.Generator().manual_seed(1))
    found = FixedWeights(table, PARTNER)
    labelled = torch.ones(3, JOINTS)
    labelled[0, 4] = 0
    weights = found.current(visit([4, 0, 7], [False, True, False], labelled))
    expected = [
        [table[row, PARTNER[j] if flipped else j] for j in range(JOINTS)]
        for row, flipped in ((4, False), (0, True), (7, False))
    ]
    assert torch.equal(weights, torch.tensor(expected))
    assert torch.equal(found.all_weights(), table)
    assert found.seen.sum() == 3 * JOINTS - 1 and found.seen[4, 4] == 0


def test_fixed_weights_do_not_learn():
    found = FixedWeights(torch.ones(COUNT, JOINTS), PARTNER)
    assert not found.learned and all(
        variables(kind).learned for kind in ("online", "persistent", "loss_aware")
    )
    for ask in (found.update, found.preview):
        with pytest.raises(TypeError, match="fixed weights do not learn"):
            ask(torch.ones(1, JOINTS), visit([0]))


def test_fixed_weights_of_labels_that_are_kept_or_not_are_one_or_zero():
    kept = torch.tensor([[True, False], [False, True]])
    weights = FixedWeights(kept, (1, 0)).current(visit([1, 0], joints=2))
    assert weights.tolist() == [[0, 1], [1, 0]] and weights.dtype == torch.float32


def test_fixed_weights_leave_the_ranking_to_variables_that_look_at_the_losses():
    (gradient, first), (_, second), *_ = random_visits()
    learned = LossAwareWeights(COUNT, PARTNER, LR, 0.02).double()
    learned.update(gradient, first)
    before, alone = learned.all_weights(), copy.deepcopy(learned)
    fixed = FixedWeights(before >= 0.5, PARTNER, learned)
    found = fixed.current(second)
    annotated = fixed.to_annotation_order(found, second.flipped)
    assert torch.equal(annotated, (before >= 0.5)[second.index].to(annotated.dtype))
    alone.current(second)
    assert torch.equal(fixed.all_weights(), alone.all_weights()) and not torch.equal(
        fixed.all_weights(), before
    )


@pytest.mark.parametrize("kind", ["online", "persistent", "loss_aware"])
def test_labels_that_are_known_to_be_right_have_the_weight_one(kind):
    known = torch.zeros(COUNT, JOINTS, dtype=torch.bool)
    known[4, 1] = known[0, 2] = True
    plain, trusting = variables(kind), variables(kind)
    trusting.trust(known)
    for (gradient, samples), at in zip(random_visits(), range(3)):
        ask = ("update", "preview", "current")[at]
        arguments = (samples,) if ask == "current" else (gradient, samples)
        expected, found = (getattr(each, ask)(*arguments) for each in (plain, trusting))
        of_sample = trusting.to_sample_order(known[samples.index], samples.flipped)
        torch.testing.assert_close(found, torch.where(of_sample, 1.0, expected))
    assert torch.equal(plain.all_weights(), trusting.all_weights()) and "known" not in trusting.state_dict()
