"""The state of a run: shared by several processes, and checked before it is saved."""

import pytest
import torch

from lib.ignoring.trainable_model import TrainableModel
from lib.training.state import State
from lib.utils.errors import NonFiniteError
from tests.factories.setups import SmallPoseNet, learner

FORMATS = {False: torch.contiguous_format, True: torch.channels_last}


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


@pytest.mark.parametrize("saved, loaded", [(False, True), (True, False)])
def test_moments_get_the_memory_format_of_the_parameters(tmp_path, saved, loaded):
    """Fused Adam on CUDA refuses parameters and moments of different layouts."""

    def state(channels_last):
        model = SmallPoseNet().to(memory_format=FORMATS[channels_last]).train()
        parameters = list(model.parameters())
        optimizer = torch.optim.Adam(parameters)
        trained = TrainableModel(model, optimizer, parameters)
        trained.step([torch.randn_like(parameter) for parameter in parameters])
        return State("ours1", trained, None, {})

    old, new = state(saved), state(loaded)
    new.load_state_dict(old.state_dict(), "last.pth")
    for before, after in zip(old.target.parameters, new.target.parameters):
        expected, moments = old.target.optimizer.state[before], new.target.optimizer.state[after]
        for name in ("exp_avg", "exp_avg_sq"):
            assert moments[name].stride() == after.stride()
            assert torch.equal(moments[name], expected[name])
