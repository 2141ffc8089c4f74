"""Export a trained network: ONNX (MODEL.onnx), TorchScript (MODEL.ts) or torch.export (MODEL.pt2).

    python pose_estimation/export.py --model-file best.pth --output pose.onnx

How to make its input and how to read its heatmaps is kept in the file, as ONNX metadata or as description.json.
The exported network is run on crops of images and must give the same heatmaps, to 1e-4 of the highest.
"""

import argparse
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
from lib.predict.sources import Frame, Source, find_sources, read_frames
from lib.synthetic.appearance import ROUGH
from lib.synthetic.drawing import draw_image
from lib.utils.errors import InputError
from lib.utils.files import path_atomically

CROPS = 4  # to check with


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_model_arguments(parser)
    parser.add_argument(
        "--output", required=True, type=Path, metavar="MODEL", help="file to write: .onnx, .ts or .pt2"
    )
    parser.add_argument("--check", action=argparse.BooleanOptionalAction,
                        help="run the exported network and compare (default: where what runs it is installed)")  # fmt: skip
    parser.add_argument("--pictures", nargs="+", metavar="PATH",
                        help=f"to check with: the first {CROPS} of them (default: people drawn as in make_people.py)")  # fmt: skip
    parser.add_argument("--describe", action="store_true", help="print what is kept beside the network")
    return parser


def images_to_check(paths: list[str] | None) -> list[Frame]:
    """Raises InputError where the first of ``paths`` can't be read."""
    if paths is None:
        rng = np.random.default_rng(0)
        return [Frame(Source(Path(f"drawn {i}")), draw_image(rng, ROUGH, 1)[0]) for i in range(CROPS)]

    def stop(problem: str) -> None:
        raise InputError(problem)

    return [frame for frame, _ in zip(read_frames(find_sources(paths), stop), range(CROPS))]


def crops_of(trained: TrainedPose, frames: list[Frame]) -> Tensor:
    width, height = trained.codec.image_size
    boxes = np.concatenate([people.boxes for people in whole_images(frames)])
    centers, sizes = padded_crops(boxes, width / height)
    return torch.stack([person_crop(trained, f.image, c, s) for f, c, s in zip(frames, centers, sizes)])


def command(words: list[str] | None) -> str:
    arguments = build_parser().parse_args(words)
    path = arguments.output
    trained = trained_of(arguments)
    expect_ending(path)
    frames = images_to_check(arguments.pictures)
    print(*trained.notes, sep="\n", flush=True)
    if arguments.describe:
        print(json.dumps(describe(trained), indent=2))
    try:
        with path_atomically(path) as unchecked:
            export(trained, unchecked)
            return f"{path}: {_check(trained, unchecked, frames, arguments.check)}"
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error


def _check(trained: TrainedPose, exported: Path, frames: list[Frame], asked: bool | None) -> str:
    """How the exported network compares, in words. Raises InputError where it is another."""
    if asked is False:
        return "not checked"
    if asked is None and not can_run(exported):
        return "not checked, for onnxruntime is not installed"
    difference = largest_difference(trained, exported, crops_of(trained, frames))
    if not difference <= TOLERANCE:
        raise InputError(
            f"the exported heatmaps differ by {difference:.1g} of the highest, more than {TOLERANCE:g}: nothing written"
        )
    return f"checked on {len(frames)} crops, heatmaps differ by at most {difference:.1g} of the highest"


def main(words: list[str] | None = None) -> int:
    return run_command(command, words)


if __name__ == "__main__":
    sys.exit(main())
