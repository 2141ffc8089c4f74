"""Find the poses of people in images and videos with a trained network.

    python pose_estimation/predict.py photo.jpg --model-file best.pth --output found
    python pose_estimation/predict.py 'clips/*.mp4' images/ --model-file best.pth --output found --detect

PATH is an image, a folder of them, a glob (in quotes) or a video. The people are those of --boxes, --box or
--detect; else one person fills each image. Written to --output: drawn/ (the images with their skeletons,
videos as mp4), predictions.jsonl (an object for each image) and keypoints_results.json (COCO's results).
Files that can't be read are listed at the end; the exit code is 1 then.
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
from lib.predict.detector import DETECTORS, Detector
from lib.predict.people import BoxesFile, FindPeople, GivenBoxes, People, parse_box, whole_images
from lib.predict.poses import PoseEstimator, estimate_poses
from lib.predict.progress import Progress
from lib.predict.sources import Source, count_frames, find_sources, read_frames
from lib.predict.writing import open_predictions
from lib.utils.device import pick_device
from lib.utils.errors import InputError, PartlyDoneError
from lib.utils.log import LOG


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="image, folder, glob or video")
    add_model_arguments(parser)
    add_terminal_flags(parser)
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="folder to write to")
    parser.add_argument("--no-drawing", action="store_true", help="write the JSON files alone")
    parser.add_argument("--flip-test", action="store_true",
                        help="average with the mirrored image: better, and half as fast")  # fmt: skip

    people = parser.add_argument_group("where the people are, at most one of")
    people = people.add_mutually_exclusive_group()
    people.add_argument("--boxes", metavar="FILE",
                        help="JSON: COCO's detection results, or {file name: [[x, y, width, height], ...]}; NAME#12 is image 12 of a video")  # fmt: skip
    people.add_argument(
        "--box",
        action="append",
        metavar="X,Y,W,H",
        help="this one, in every image; may repeat (--box=-5,... for a negative X)",
    )
    people.add_argument("--detect", action="store_true", help="those that a detector of torchvision finds")
    parser.add_argument("--detector", choices=DETECTORS, default=DETECTORS[0], help="default: %(default)s")
    parser.add_argument("--min-score", type=float, default=0.5, metavar="S",
                        help="leave out detections that score less (default: %(default)s)")  # fmt: skip
    parser.add_argument("--max-overlap", type=float, default=0.7, metavar="IOU",
                        help="of detections that overlap more, keep the best (1: keep all; default: %(default)s)")  # fmt: skip

    parser.add_argument("--batch-size", type=int, default=32, metavar="N",
                        help="people at once in the network, of several images (default: %(default)s)")  # fmt: skip
    for flag, key in (("--device", "DEVICE"), ("--gpus", "GPUS"), ("--threads", "THREADS")):
        setting = settings()[key]
        parser.add_argument(flag, type=type(setting.default), default=setting.default, choices=setting.choices or None,
                            help=f"{setting.meaning} (default: %(default)s)")  # fmt: skip
    return parser


def find_people_of(arguments: argparse.Namespace, sources: list[Source], device: torch.device) -> FindPeople:
    if arguments.boxes:
        return BoxesFile(arguments.boxes, sources, arguments.min_score, arguments.max_overlap)
    if arguments.box:
        return GivenBoxes(People.of([parse_box(text) for text in arguments.box]))
    if arguments.detect:
        return Detector(arguments.detector, device, arguments.min_score, arguments.max_overlap)
    return whole_images


def command(words: list[str] | None) -> str:
    arguments = build_parser().parse_args(words)
    show_on_terminal(arguments)
    if arguments.batch_size < 1 or arguments.threads < 0:
        raise InputError("--batch-size should be 1 or more, --threads 0 or more")
    if not 0 <= arguments.max_overlap <= 1:
        raise InputError(f"--max-overlap is {arguments.max_overlap}; expected 0 to 1")
    sources = find_sources(arguments.paths)
    trained = trained_of(arguments)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device, where = pick_device(arguments.device, arguments.gpus)
    find_people = find_people_of(arguments, sources, device)
    for line in (*trained.notes, where):
        LOG.info(line)

    estimator = PoseEstimator(trained, device, arguments.flip_test, arguments.batch_size)
    problems: list[str] = []
    progress = Progress(count_frames(sources))
    try:
        with open_predictions(arguments.output, sources, trained.joints, not arguments.no_drawing) as writer:
            for frame, poses in estimate_poses(read_frames(sources, problems.append), find_people, estimator):
                writer.add(frame, poses)
                progress.add(len(poses.joints))
    except OSError as error:
        raise InputError(f"{arguments.output}: cannot be written ({error.strerror or error})") from error
    done = f"{progress.close()}; written to {arguments.output}"
    if problems:
        print(done)
        raise PartlyDoneError(
            "\n".join([f"{len(problems)} of {len(sources)} files were not used:", *problems])
        )
    return done


def main(words: list[str] | None = None) -> int:
    return run_command(command, words)


if __name__ == "__main__":
    sys.exit(main())
