"""Arguments that name a trained network, for the commands that use one."""

import argparse

from lib.models.trained import TrainedPose, load_trained
from lib.utils.errors import InputError


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that `trained_of` reads."""
    parser.add_argument("--model-file", required=True, metavar="CHECKPOINT",
                        help="checkpoint of main.py or train.py, or a published one; the network's shape is read from it")  # fmt: skip
    parser.add_argument("--image-size", metavar="WIDTHxHEIGHT",
                        help="input size in pixels (default: as trained; the names of published files contain it)")  # fmt: skip
    parser.add_argument("--color", choices=("rgb", "bgr"),
                        help="channel order that it was trained with (default: from the checkpoint; published ones: bgr)")  # fmt: skip


def trained_of(arguments: argparse.Namespace) -> TrainedPose:
    """Load the network that the flags of `add_model_arguments` name.

    Raises:
        InputError: for an invalid size, or a file that cannot be used.
    """
    size = None
    if arguments.image_size is not None:
        sides = arguments.image_size.lower().split("x")
        if len(sides) != 2 or not all(side.isascii() and side.isdecimal() for side in sides):
            raise InputError(f"--image-size {arguments.image_size}: expected WIDTHxHEIGHT, such as 192x256")
        size = (int(sides[0]), int(sides[1]))
    color_rgb = None if arguments.color is None else arguments.color == "rgb"
    return load_trained(arguments.model_file, size, color_rgb)
