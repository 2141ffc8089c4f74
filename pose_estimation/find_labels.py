"""Find the wrong labels of an annotation file, by training on it together with a few labels that are right.

    python pose_estimation/find_labels.py --labels doubtful.json --images photos --trusted right.json --output found
    python pose_estimation/find_labels.py --labels doubtful.json --images photos --predictions results.json --output found

Both files are in COCO's format (people, hands, animals, parts), or of MPII (annot/*.json). Joints are mapped by their
names, network and training are chosen for the data and the machine, everything is checked first, and the time it will
take is said. What was interrupted goes on when the command is repeated with the same files. In --output:

    labels.csv     every label, the most suspect first, with its probability of being wrong, kind and proposed place
    found.json     which file they are of
    report.html    the same to look at
    training, tensorboard    the run itself

Labels that were reviewed in the --output of earlier calls are trusted with --reviewed DIR [DIR ...], and not judged
again. --labels is the same file as then (what was decided goes into the new folder, too), or the corrected one.

With --predictions nothing is trained: the labels are judged by the poses that any network predicted on the images
(mmpose, ViTPose, YOLO and others write them in COCO's format of keypoint results), in seconds.
Trusted labels are optional then; with them it takes the same network's results on their images.
"""

import argparse
import sys
from pathlib import Path

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.cli import arguments as shared
from lib.config.loader import describe_settings, parse_overrides
from lib.review.find import Found, find_labels, judge_labels
from lib.review.labels_run import EFFORTS, USUAL, LabelledImages
from lib.review.predictions_run import PredictedImages
from lib.utils.errors import InputError


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="settings, as KEY VALUE pairs:\n" + describe_settings(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--labels", type=Path, required=True, metavar="FILE", help="the labels in doubt")
    parser.add_argument("--images", type=Path, metavar="DIR", help="their images (default: where the layout has them)")  # fmt: skip
    parser.add_argument("--trusted", type=Path, metavar="FILE", help="labels that are right, of the same joints, of some hundred instances if possible")  # fmt: skip
    parser.add_argument("--trusted-images", type=Path, metavar="DIR", help="their images (default: likewise)")
    parser.add_argument("--predictions", type=Path, metavar="FILE", help="results of any network on the images: judge by them, and train nothing")  # fmt: skip
    parser.add_argument("--trusted-predictions", type=Path, metavar="FILE", help="results of the same network on the images of --trusted")  # fmt: skip
    parser.add_argument("--reviewed", type=Path, nargs="+", action="extend", default=[], metavar="DIR", help="folders of earlier calls, whose reviewed labels are known now")  # fmt: skip
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder to write into")
    steps = ", ".join(f"{name} {factor:g}" for name, factor in EFFORTS.items())
    parser.add_argument("--effort", choices=EFFORTS, help=f"training steps, relative to what is usual for as much data: {steps} (default: {USUAL})")  # fmt: skip
    shared.add_terminal_flags(parser)
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="any setting; overrides what is chosen")  # fmt: skip
    return parser


def command(argv: list[str] | None) -> str:
    """Find the labels; what was found, and what to do next, in words."""
    arguments = build_parser().parse_intermixed_args(argv)
    shared.show_on_terminal(arguments)
    _check_arguments(arguments)
    found = _found(arguments)
    review = f"review them: python pose_estimation/review.py {found.folder}"
    last = f"look at them: {found.report}; {review}"
    return "\n".join([*found.summary, last])


def _found(arguments: argparse.Namespace) -> Found:
    """What is found in the way that the arguments say."""
    settings, trusted = parse_overrides(arguments.overrides), None
    doubtful = LabelledImages(arguments.labels, arguments.images, "--labels")
    if arguments.trusted is not None:
        trusted = LabelledImages(arguments.trusted, arguments.trusted_images, "--trusted")
    if arguments.predictions is None:
        return find_labels(
            doubtful, trusted, arguments.output, arguments.effort or USUAL, settings, arguments.reviewed
        )
    known = PredictedImages(trusted, arguments.trusted_predictions) if trusted is not None else None
    return judge_labels(
        PredictedImages(doubtful, arguments.predictions),
        known,
        arguments.output,
        settings,
        arguments.reviewed,
    )


def _check_arguments(arguments: argparse.Namespace) -> None:
    """InputError unless they say one of the ways to find labels."""
    trusted, of_trusted = arguments.trusted is not None, arguments.trusted_predictions is not None
    for folder in arguments.reviewed:
        if not folder.is_dir():
            raise InputError(
                f"--reviewed {folder}: is no folder; settings (KEY VALUE) come before --reviewed"
            )
    if arguments.predictions is None and (of_trusted or not trusted):
        raise InputError("expected --trusted, to train with, or --predictions")
    if arguments.predictions is not None and arguments.effort is not None:
        raise InputError("--effort is about a training, and with --predictions there is none")
    if arguments.trusted_images is not None and not trusted:
        raise InputError("--trusted-images: there is no --trusted whose images they could be")
    if arguments.predictions is not None and trusted != of_trusted:
        raise InputError("with --predictions, --trusted and --trusted-predictions belong together")


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code."""
    return shared.run_command(command, argv)


if __name__ == "__main__":
    sys.exit(main())
