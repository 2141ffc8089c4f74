"""The state of a run: shared by several processes, and checked before it is saved."""

import pytest
import torch

from lib.training.state import State
from lib.utils.errors import NonFiniteError
from tests.factories.setups import learner


def test_processes_agree_on_the_mean_statistics_and_on_the_firsts_weights(together):
    weight = learner().model.conv1.weight
    for size, processes in together.items():
        for found in processes:
            one = found["agreed"]
            mean = torch.full_like(one["statistics"], sum(range(size)) / size)
            torch.testing.assert_close(one["statistics"], mean, rtol=0, atol=1e-12)
            assert torch.equal(one["weight"], weight)
            assert one["told"] == [
                "then",
                "target model: differs between ranks; using rank 0's copy",
            ]


def test_a_spoiled_model_is_never_saved():
    state = State("ours2", learner(), learner(seed=1), {}, step=7)
    state.raise_if_nonfinite()
    state.source.model.bn1.running_var[2] = float("inf")
    with pytest.raises(NonFiniteError, match="source model.* 7"):
        state.raise_if_nonfinite()
