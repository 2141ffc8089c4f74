import pytest
import torch

from lib.core.errors import NonFiniteError
from lib.core.state import State
from lib.core.training import as_source_batch, stop_unless_sound
from lib.dataset.joints import Sample
from tests.oracle.setups import learner


def test_a_spoiled_model_is_never_saved():
    state = State("ours2", learner(), learner(seed=1), {}, step=7)
    stop_unless_sound(state)
    state.source.model.bn1.running_var[2] = float("inf")
    with pytest.raises(NonFiniteError, match="the source model's weights are not finite at step 7"):
        stop_unless_sound(state)


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
    assert torch.equal(batch.labelled > 0, in_loss)
    assert in_loss.tolist() == [[True, not use_target_weight]]
