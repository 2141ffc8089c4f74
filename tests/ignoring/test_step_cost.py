"""What a training step computes, in multiplications."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lib.ignoring.bilevel_step import Options
from lib.ignoring.modes import MODES, SourceUse
from tests.factories.setups import as_batch
from tests.factories.step_cases import GAMMA, LAM, OURS, learners, made_variables, material, take


def flops_of(call):
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


@pytest.mark.parametrize("meta_loop", [1, 2])
@pytest.mark.parametrize("name", OURS)
def test_every_pass_is_used_once(name, meta_loop):
    """In multiplications of convolutions: 11 forward passes for ours1 and ours2, of which baseline2 has 6."""
    target, source = learners(name)
    batches, index, flipped = material(0)
    images, batch = batches["target"][0], as_batch(*batches["target"])
    with torch.no_grad():
        forward, first = flops_of(lambda: target.model(images)), flops_of(lambda: target.model.conv1(images))
    both = flops_of(lambda: target.local_gradient(target.losses(batch).sum()))
    tangent = 2 * forward - first  # the images have no tangent
    variables, _ = made_variables(name, "online")
    found = flops_of(
        lambda: take(
            MODES[name], Options(LAM, GAMMA, meta_loop), target, source, variables, batches, index, flipped
        )
    )
    mode = MODES[name]
    learned = [mode.joint_loss, mode.anchor].count(SourceUse.WEIGHTED)
    plain = [mode.joint_loss, mode.anchor].count(SourceUse.UNIFORM)
    # Target, the validation batch in each loop; the source once with and maybe once without weights.
    assert found == both * (1 + plain) + meta_loop * (both + learned * (both + tangent))
