from types import SimpleNamespace

import pytest
import torch

from lib.dataset.keypoint_dataset import Sample
from lib.ignoring.bilevel_step import Weighting
from lib.ignoring.variables import FixedWeights, PersistentWeights
from lib.training.batches import as_source_batch
from lib.training.state import State
from lib.training.step import weighting_of_step
from lib.utils.errors import NonFiniteError
from tests.factories.setups import learner


def test_a_spoiled_model_is_never_saved():
    state = State("ours2", learner(), learner(seed=1), {}, step=7)
    state.raise_if_nonfinite()
    state.source.model.bn1.running_var[2] = float("inf")
    with pytest.raises(NonFiniteError, match="the source model's weights are not finite at step 7"):
        state.raise_if_nonfinite()


@pytest.mark.parametrize("use_target_weight", [True, False])
def test_the_keypoints_with_variables_are_those_in_the_loss(use_target_weight):
    weight = torch.tensor([[1.0, 0.0]])
    sample = Sample(
        torch.zeros(1, 3, 8, 8),
        torch.ones(1, 2, 4, 4),
        weight,
        torch.tensor([0]),
        torch.tensor([False]),
        [""],
    )
    batch = as_source_batch(sample, use_target_weight)
    in_loss = batch.losses(torch.zeros(1, 2, 4, 4)) > 0
    assert torch.equal(batch.loss_weights > 0, in_loss)
    assert in_loss.tolist() == [[True, not use_target_weight]]


def test_where_the_weights_of_a_step_come_from():
    lbi = SimpleNamespace(warmup=5, hypergrad_interval=3, freeze_weights_epoch=3)
    state = State("ours1", learner(), None, {"B": PersistentWeights(4, (1, 0), 0.7)})
    found = []
    for state.step in range(16):  # epochs of 4 steps
        found.append(weighting_of_step(lbi, state, state.step // 4, state.step))
    learned = [step for step, weighting in enumerate(found) if weighting is Weighting.UPDATE]
    assert found[:5] == [Weighting.UNIFORM] * 5 and found[12:] == [Weighting.CURRENT] * 4
    assert learned == [6, 9]
    # The warm-up of a second phase counts from its own beginning, whatever was before.
    state.step = 30
    assert weighting_of_step(lbi, state, 1, 4) is Weighting.UNIFORM
    assert weighting_of_step(lbi, state, 1, 5) is Weighting.UPDATE


def test_weights_known_beforehand_hold_in_the_warm_up():
    lbi = SimpleNamespace(warmup=5, hypergrad_interval=1, freeze_weights_epoch=0)
    state = State("ours1", learner(), None, {"B": FixedWeights(torch.ones(4, 2), (1, 0))})
    assert weighting_of_step(lbi, state, 0, 0) is Weighting.CURRENT
