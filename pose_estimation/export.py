"""Export a trained network: ONNX (MODEL.onnx), TorchScript (MODEL.ts) or torch.export (MODEL.pt2).

    python pose_estimation/export.py --model-file best.pth --output pose.onnx

The file includes a description of the input and of how to decode the heatmaps, as ONNX metadata or as
description.json. The exported network is run on crops of images and must give the same heatmaps, to 1e-4
of the highest peak.
"""

import argparse
import itertools
import json
import sys
from pathlib import Path

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from torch import Tensor

from lib.cli.arguments import run_command
from lib.cli.model_arguments import add_model_arguments, trained_of
from lib.dataset.annotations import padded_crops
from lib.models.export import TOLERANCE, can_run, describe, expect_ending, export, largest_difference
from lib.models.trained import TrainedPose
from lib.predict.people import whole_images
from lib.predict.poses import person_crop
from lib.predict.sources import Frame, FrameReader, Source, find_sources
from lib.synthetic.appearance import ROUGH
from lib.synthetic.drawing import draw_image
from lib.utils.errors import InputError
from lib.utils.files import path_atomically
from lib.utils.log import open_terminal

CHECK_IMAGES = 4


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_model_arguments(parser)
    parser.add_argument(
        "--output", required=True, type=Path, metavar="MODEL", help="file to write: .onnx, .ts or .pt2"
    )
    parser.add_argument(
        "--check",
        action=argparse.BooleanOptionalAction,
        help="run the exported network and compare its heatmaps (default: if the runtime is installed)",
    )
    parser.add_argument(
        "--images",
        nargs="+",
        metavar="PATH",
        help=f"images, folders or videos to check with; the first {CHECK_IMAGES} images are used "
        "(default: people drawn as in make_people.py)",
    )
    # The flag's former name.
    parser.add_argument("--pictures", nargs="+", dest="images", help=argparse.SUPPRESS)
    parser.add_argument(
        "--describe", action="store_true", help="print the description that the file includes"
    )
    return parser


def images_to_check(paths: list[str] | None) -> list[Frame]:
    """The first ``CHECK_IMAGES`` images of ``paths``; drawn people if it is None.

    Raises:
        InputError: A path does not exist, or one of these images cannot be read.
    """
    if paths is None:
        rng = np.random.default_rng(0)
        images = [draw_image(rng, ROUGH, 1)[0] for _ in range(CHECK_IMAGES)]
        return [Frame(Source(Path(f"drawn {i}")), image) for i, image in enumerate(images)]

    reader = FrameReader(find_sources(paths))
    frames = list(itertools.islice(reader, CHECK_IMAGES))
    if reader.problems:
        raise InputError(reader.problems[0])
    return frames


def make_crops(trained: TrainedPose, frames: list[Frame]) -> Tensor:
    """The network's input [N, 3, H, W] for one person per frame, whose box is the whole image."""
    width, height = trained.codec.image_size
    boxes = np.concatenate([people.boxes for people in whole_images(frames)])
    centers, sizes = padded_crops(boxes, width / height)
    return torch.stack([person_crop(trained, f.image, c, s) for f, c, s in zip(frames, centers, sizes)])


def command(argv: list[str] | None) -> str:
    """Write the exported network and return a line on the result of the check.

    Raises:
        InputError: An argument cannot be used, a package is missing, or the check fails.
    """
    arguments = build_parser().parse_args(argv)
    path = arguments.output
    open_terminal()
    trained = trained_of(arguments)
    expect_ending(path)
    frames = images_to_check(arguments.images)
    if arguments.describe:
        print(json.dumps(describe(trained), indent=2))
    try:
        with path_atomically(path) as unchecked:
            export(trained, unchecked)
            return f"{path}: {_check(trained, unchecked, frames, arguments.check)}"
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error


def _check(trained: TrainedPose, exported: Path, frames: list[Frame], check: bool | None) -> str:
    """Compare the exported network with ``trained`` and describe the result.

    check: The flag --check; None: check if the runtime is installed. Raises InputError for a difference.
    """
    if check is False:
        return "not checked"
    if check is None and not can_run(exported):
        return "not checked: onnxruntime is not installed"
    difference = largest_difference(trained, exported, make_crops(trained, frames))
    if not difference <= TOLERANCE:
        raise InputError(
            f"the exported heatmaps differ by {difference:.1g} of the highest peak, more than {TOLERANCE:g}: "
            "nothing written"
        )
    return f"checked on {len(frames)} crops; heatmaps differ by at most {difference:.1g} of the highest peak"


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(command, argv)


if __name__ == "__main__":
    sys.exit(main())
