"""Names of tensors as wrappers and toolboxes write them."""

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from lib.models.network_names import network_names
from lib.models.pose_resnet import DeconvHead, PoseResNet
from lib.utils.errors import InputError
from lib.utils.log import captured_messages

NETWORK = PoseResNet(10, 17, width=4, head=DeconvHead((8, 8, 8)))
STATE = NETWORK.state_dict()
HEAD = ("deconv_layers", "final_layer")


def prefixed(prefix, state=STATE):
    return {prefix + name: value for name, value in state.items()}


def as_mmpose(head, prefix=""):
    """backbone.* and keypoint_head.* of TopdownHeatmapSimpleHead (0.x), or head.* of HeatmapHead (1.x)."""
    return {prefix + (head if name.startswith(HEAD) else "backbone.") + name: v for name, v in STATE.items()}


def assert_restored(named):
    assert set(named.tensors) == set(STATE)
    assert all(torch.equal(named.tensors[name], STATE[name]) for name in STATE)


@pytest.mark.parametrize(
    "prefix",
    ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "model.", "net.", "network.",
     "model.module._orig_mod.", "_fsdp_wrapped_module._orig_mod.", "state.pose_net.model."],
)  # fmt: skip
def test_any_prefix_of_all_names_is_stripped(prefix):
    named = network_names(prefixed(prefix), "c.pth")
    assert_restored(named)
    assert not named.from_mmpose


@pytest.mark.parametrize("head", ["keypoint_head.", "head."])
@pytest.mark.parametrize("prefix", ["", "module.", "model.module."])
def test_backbone_and_head_of_mmpose(head, prefix):
    tensors = as_mmpose(head, prefix) | {"data_preprocessor.mean": torch.zeros(3, 1, 1)}
    named = network_names(tensors, "c.pth")
    assert_restored(named)
    assert named.from_mmpose


def test_names_that_wrappers_themselves_write():
    """Against torch's own wrappers."""
    compiled_part = nn.Module()
    compiled_part.model = nn.Module()
    compiled_part.model.conv1, compiled_part.model.layer1 = torch.compile(NETWORK.conv1), NETWORK.layer1
    named = network_names(compiled_part.state_dict(), "c.pth").tensors
    assert set(named) == {name for name in STATE if name.startswith(("conv1", "layer1"))}
    assert_restored(network_names(torch.compile(NETWORK).state_dict(), "c.pth"))
    assert_restored(network_names(nn.DataParallel(NETWORK).state_dict(), "c.pth"))


def test_what_lies_beside_the_wrapped_network_is_left_out_with_a_note():
    averaged = AveragedModel(NETWORK).state_dict()
    assert "n_averaged" in averaged
    with captured_messages() as messages:
        named = network_names(averaged | {"loss.weight": torch.ones(1)}, "c.pth")
    assert set(named.tensors) == set(STATE)
    assert "2 tensors" in messages[0] and "n_averaged" in messages[0] and "loss.weight" in messages[0]


def test_counters_of_flops_are_no_weights():
    assert_restored(
        network_names(STATE | {"layer1.0.total_ops": torch.zeros(1), "total_params": torch.zeros(1)}, "")
    )


def test_a_part_of_the_network_is_never_left_out():
    """A neck changes what the head sees, so it must stay, for the network to be refused."""
    named = network_names(as_mmpose("head.") | {"neck.conv.weight": torch.ones(1)}, "c.pth")
    assert "neck.conv.weight" in named.tensors
    assert (
        "stage2.conv.weight"
        in network_names(prefixed("model.", STATE | {"stage2.conv.weight": torch.ones(1)}), "").tensors
    )


@pytest.mark.parametrize(
    "tensors, message",
    [
        (prefixed("student.") | prefixed("teacher."), "2 networks.*student.conv1.*teacher.conv1"),
        (STATE | prefixed("ema."), "2 networks"),
        (as_mmpose("head.") | {"aux.final_layer.bias": torch.ones(1)}, "2 heads.*aux.*head"),
        (STATE | prefixed("_orig_mod."), "same name"),
    ],
)
def test_several_networks_are_refused(tensors, message):
    with pytest.raises(InputError, match=f"^c.pth: .*{message}"):
        network_names(tensors, "c.pth")


def test_other_networks_keep_their_names():
    tensors = {"encoder.stage1.conv1.weight": torch.ones(1), "encoder.stage2.conv1.weight": torch.ones(1)}
    assert network_names(tensors, "c.pth").tensors == tensors
