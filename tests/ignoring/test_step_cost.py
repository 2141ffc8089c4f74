"""What a training step computes, in multiplications, and that it never waits for the device."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu_waits import Waits
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


def test_what_waits_is_noted():
    values = torch.ones(2, 3)
    for call in (lambda: float(values.sum()), lambda: values[:, [1, 0, 2]], lambda: values[values > 0]):
        with Waits() as waits:
            call()
        assert waits.counts.total() == 1


@pytest.mark.parametrize("layers", [(), ("final",)], ids=["all", "final"])
@pytest.mark.parametrize("through_optimizer", [True, False], ids=["through Adam", "plain"])
@pytest.mark.parametrize("kind", ["online", "persistent", "loss_aware"])
@pytest.mark.parametrize("name", ["ours1", "ours2", "ours5"])
def test_the_host_waits_for_nothing(name, kind, through_optimizer, layers):
    made = learners(name, layers=layers)
    for one in made:
        if one:
            one.optimizer.param_groups[0]["fused"] = (
                True  # as built for training; plain Adam reads its step count
            )
    variables, _ = made_variables(name, kind)
    options = Options(LAM, GAMMA, through_optimizer=through_optimizer)
    with Waits() as waits:
        take(MODES[name], options, *made, variables, *material(0))
    assert not waits.counts
