"""Weights files of this and other programs: what is read, and what the errors say."""

import argparse
import io

import numpy as np
import pytest
import torch

from lib.models.pose_resnet import DeconvHead, PoseResNet
from lib.models.weights_file import read_state_dict, read_weights
from lib.utils.errors import InputError
from lib.utils.log import captured_messages

NETWORK = PoseResNet(10, 17, width=4, head=DeconvHead((8, 8, 8)))
STATE = {name: torch.rand(value.shape).to(value.dtype) for name, value in NETWORK.state_dict().items()}


def saved(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def scripted():
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(torch.nn.Linear(1, 1), torch.zeros(1)), buffer)
    return buffer.getvalue()


def assert_same(tensors, expected):
    assert tensors.keys() == expected.keys()
    for name in expected:
        torch.testing.assert_close(tensors[name], expected[name], rtol=0, atol=0)


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize(
    "key", [None, "state_dict", "model", "best_state_dict", "model_state_dict", "net", "ema"]
)
@pytest.mark.parametrize("legacy", [False, True])
def test_state_dicts_are_read_however_they_are_wrapped(tmp_path, prefix, key, legacy):
    content = {prefix + name: tensor for name, tensor in STATE.items()}
    if key:
        # as training code leaves it: a counter, the network's name, a score that is a tensor as well
        content = {"epoch": 3, "model": "pose_resnet", "perf": torch.tensor(0.7), key: content}
    path = tmp_path / "model.pth.tar"
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    assert_same(read_state_dict(path), STATE)


def test_the_last_weights_are_used_rather_than_averaged_ones_and_the_log_says_so(tmp_path):
    other = {name: torch.zeros_like(value) for name, value in STATE.items()}
    torch.save({"ema": other, "best_state_dict": other, "state_dict": STATE}, tmp_path / "c.pth")
    with captured_messages() as messages:
        assert_same(read_state_dict(tmp_path / "c.pth"), STATE)
    assert "'state_dict'" in messages[0] and "ema" in messages[0] and "best_state_dict" in messages[0]


def test_a_state_dict_in_a_nested_dict(tmp_path):
    torch.save({"model": {"state_dict": STATE, "name": "r10"}, "step": 3}, tmp_path / "c.pth")
    assert_same(read_state_dict(tmp_path / "c.pth"), STATE)


def test_a_score_of_numpy_beside_the_weights(tmp_path):
    # As SimpleBaseline's and HRNet's trainers write checkpoint.pth.tar.
    content = {
        "epoch": 140,
        "model": "pose_resnet",
        "state_dict": {f"module.{name}": value for name, value in STATE.items()},
        "best_state_dict": STATE,
        "perf": np.float64(0.704),
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": []},
    }
    torch.save(content, tmp_path / "checkpoint.pth.tar")
    weights = read_weights(tmp_path / "checkpoint.pth.tar")
    assert_same(weights.tensors, STATE)
    assert weights.other["perf"] == 0.704 and type(weights.other["perf"]) is float


def test_parameters_come_as_plain_tensors(tmp_path):
    torch.save(dict(NETWORK.named_parameters()), tmp_path / "model.pth")
    assert not any(tensor.requires_grad for tensor in read_state_dict(tmp_path / "model.pth").values())


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "cannot be read as a weights file"),
        (b"<html>not found</html>", "not a weights file.*web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n", "Git LFS"),
        (b"\x08\x07onnx", "not a weights file"),
        (scripted(), "TorchScript"),
        (saved({"w": torch.zeros(1000)})[:-100], "cannot be read as a weights file"),
        (saved({"w": torch.zeros(3), "cfg": argparse.Namespace()}), r"argparse\.Namespace"),
        (saved(torch.nn.Linear(1, 1)), r"torch\.nn\.modules\.linear\.Linear"),
        (saved({"w": torch.zeros(3), "labels": np.array([{}])}), "NumPy value of type 'O8'"),
        (saved({"epoch": 3, "model": "pose_resnet"}), "holds no tensors.*'epoch', 'model'"),
        (saved([1, 2]), "holds no tensors"),
    ],
)
def test_unusable_files_are_named(tmp_path, content, message):
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        read_state_dict(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_the_error_on_an_object_tells_how_to_save_the_weights_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": STATE, "args": argparse.Namespace(lr=1)}, "run.ckpt")
    with pytest.raises(InputError) as error:
        read_state_dict("run.ckpt")
    code = str(error.value).split("`")[1]
    exec(code)
    assert_same(read_state_dict("weights.pth"), STATE)


def test_missing_file_is_named_and_the_command_that_fetches_it(tmp_path):
    with pytest.raises(InputError, match="elsewhere.pth: there is no such weights file$"):
        read_state_dict(tmp_path / "elsewhere.pth")
    path = tmp_path / "models" / "pytorch" / "imagenet" / "resnet50-19c8e357.pth"
    with pytest.raises(InputError, match="`python pose_estimation/fetch_weights.py`"):
        read_state_dict(path)
