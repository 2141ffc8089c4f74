"""Estimate the poses of people in images and videos with a trained network.

    python pose_estimation/predict.py photo.jpg --model-file best.pth --output poses
    python pose_estimation/predict.py 'clips/*.mp4' images/ --model-file best.pth --output poses --detect

PATH is an image, a folder of images and videos, a glob pattern (in quotes) or a video. People are taken from
--boxes, --box or --detect; otherwise one person, or one object of what the network was trained on, fills each
image. Output: drawn/ (images with skeletons, videos as mp4), predictions.jsonl (one object per image) and
keypoints_results.json (COCO results format, with the category that the checkpoint names).
Files that cannot be read are listed at the end; the exit code is then 1.
"""

import argparse
import sys
from pathlib import Path

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from lib.cli.arguments import add_terminal_flags, run_command, show_on_terminal
from lib.cli.model_arguments import add_model_arguments, trained_of
from lib.config.schema import settings
from lib.dataset.coco_file import PERSON
from lib.models.category import Category
from lib.predict.detector import DETECTORS, Detector
from lib.predict.people import BoxesFile, FindPeople, GivenBoxes, People, parse_box, whole_images
from lib.predict.poses import PoseEstimator, estimate_poses
from lib.predict.progress import Progress
from lib.predict.sources import FrameReader, Source, count_frames, find_sources
from lib.predict.writing import RESULTS, open_predictions
from lib.utils.device import pick_device
from lib.utils.errors import InputError, PartlyDoneError
from lib.utils.log import LOG


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="image, folder, glob pattern or video")
    add_model_arguments(parser)
    add_terminal_flags(parser)
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="folder to write to")
    parser.add_argument("--no-drawing", action="store_true", help="write only the JSON files")
    parser.add_argument(
        "--flip-test",
        action="store_true",
        help="average with the mirrored image: more accurate, half as fast",
    )

    people = parser.add_argument_group("boxes of the people (at most one of these)")
    people = people.add_mutually_exclusive_group()
    people.add_argument(
        "--boxes",
        metavar="FILE",
        help="JSON file: COCO detection results, or {file name: [[x, y, width, height], ...]}, "
        "where NAME#12 is frame 12 of a video",
    )
    people.add_argument(
        "--box",
        action="append",
        metavar="X,Y,W,H",
        help="this box in every image; may be repeated (--box=-5,... for a negative X)",
    )
    people.add_argument("--detect", action="store_true", help="detect people with torchvision's Faster R-CNN")
    parser.add_argument("--detector", choices=DETECTORS, default=DETECTORS[0], help="default: %(default)s")
    parser.add_argument(
        "--min-score",
        type=float,
        default=0.5,
        metavar="S",
        help="drop detections with a lower score (default: %(default)s)",
    )
    parser.add_argument(
        "--max-overlap",
        type=float,
        default=0.7,
        metavar="IOU",
        help="of detections with a higher IoU, keep only the best (1: keep all; default: %(default)s)",
    )

    parser.add_argument(
        "--batch-size",
        type=int,
        default=32,
        metavar="N",
        help="people per batch, from several images (default: %(default)s)",
    )
    for flag, key in (("--device", "DEVICE"), ("--gpus", "GPUS"), ("--threads", "THREADS")):
        setting = settings()[key]
        parser.add_argument(
            flag,
            type=type(setting.default),
            default=setting.default,
            choices=setting.choices or None,
            help=f"{setting.meaning} (default: %(default)s)",
        )
    return parser


def choose_people(
    arguments: argparse.Namespace, sources: list[Source], category: Category, device: torch.device
) -> FindPeople:
    """The function that returns the people, or objects of ``category``, of frames, as the arguments select it.

    Raises:
        InputError: A file or a value of the arguments cannot be used.
    """
    if arguments.boxes:
        return BoxesFile(arguments.boxes, sources, category, arguments.min_score, arguments.max_overlap)
    if arguments.box:
        return GivenBoxes(People.from_boxes([parse_box(text) for text in arguments.box]))
    if arguments.detect:
        if category.ids and PERSON not in category.ids:
            LOG.warning(f"--detect finds people, but the network was trained on {category}")
        return Detector(arguments.detector, device, arguments.min_score, arguments.max_overlap)
    LOG.info(
        f"no boxes are given (--boxes, --box, --detect): one {category.noun} is taken to fill each image"
    )
    return whole_images


def command(argv: list[str] | None) -> str:
    """Write the predictions and return a summary line.

    Raises:
        InputError: An argument or a file it names cannot be used.
        PartlyDoneError: Some of the images or videos could not be read; lists them.
    """
    arguments = build_parser().parse_args(argv)
    show_on_terminal(arguments)
    if arguments.batch_size < 1:
        raise InputError(f"--batch-size is {arguments.batch_size}, expected 1 or more")
    if arguments.threads < 0:
        raise InputError(f"--threads is {arguments.threads}, expected 0 or more")
    if not 0 <= arguments.max_overlap <= 1:
        raise InputError(f"--max-overlap is {arguments.max_overlap}, expected 0 to 1")
    sources = find_sources(arguments.paths)
    trained = trained_of(arguments)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device, device_description = pick_device(arguments.device, arguments.gpus)
    category = trained.category
    find_people = choose_people(arguments, sources, category, device)
    LOG.info(device_description)

    estimator = PoseEstimator(trained, device, arguments.flip_test, arguments.batch_size)
    reader = FrameReader(sources)
    try:
        with (
            Progress(count_frames(sources), "people" if category.noun == "person" else "objects") as progress,
            open_predictions(arguments.output, sources, category, not arguments.no_drawing) as writer,
        ):
            for frame, poses in estimate_poses(reader, find_people, estimator):
                writer.add(frame, poses)
                progress.add(len(poses.joints))
    except OSError as error:
        raise InputError(f"{arguments.output}: cannot be written ({error.strerror or error})") from error
    if not category.ids:
        LOG.warning(
            f"{arguments.model_file} does not say what its objects are: they are category {category.number} in "
            f"{arguments.output / RESULTS}, unless the boxes have one"
        )
    summary = f"{progress.summary()}; written to {arguments.output} as {category}"
    if reader.problems:
        print(summary)
        raise PartlyDoneError(
            "\n".join(
                [
                    f"{len(reader.problems)} of {len(sources)} files could not be read completely:",
                    *reader.problems,
                ]
            )
        )
    return summary


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(command, argv)


if __name__ == "__main__":
    sys.exit(main())
