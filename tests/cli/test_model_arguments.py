"""The network that a command line names."""

import argparse

import pytest
import torch

from lib.cli.model_arguments import add_model_arguments, trained_of
from lib.models.pose_resnet import DeconvHead, PoseResNet
from lib.utils.errors import InputError


@pytest.fixture
def checkpoint(tmp_path):
    model = PoseResNet(18, 16, width=4, head=DeconvHead((8, 8, 8)))
    torch.save(model.state_dict(), tmp_path / "model.pth")
    return tmp_path / "model.pth"


def trained(*argv):
    parser = argparse.ArgumentParser()
    add_model_arguments(parser)
    return trained_of(parser.parse_args(list(map(str, argv))))


def test_size_and_colours(checkpoint):
    pose = trained("--model-file", checkpoint, "--image-size", "64X96", "--color", "rgb")
    assert pose.codec.image_size == (64, 96) and pose.color_rgb is True
    pose = trained("--model-file", checkpoint, "--image-size", "64x96")
    assert pose.color_rgb is False  # a file that does not say is a published one


@pytest.mark.parametrize("size", ["64", "64x", "64x96x3", "ax96", "-64x96", "6.5x96"])
def test_an_invalid_size(checkpoint, size):
    with pytest.raises(InputError, match="--image-size " + size):
        trained("--model-file", checkpoint, f"--image-size={size}")
