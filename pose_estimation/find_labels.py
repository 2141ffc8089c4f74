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

With --predictions nothing is trained: the labels are judged by the poses that any network predicted on the images
(mmpose, ViTPose, YOLO and others write them in COCO's format of keypoint results), in seconds and without a report.
Trusted labels are optional then; with them it takes the same network's results on their images.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.cli import arguments as shared
from lib.config.loader import describe_settings, parse_overrides
from lib.config.run_paths import RunPaths
from lib.config.schema import Config
from lib.dataset.annotations import Annotations, read_json
from lib.dataset.layouts import training_set
from lib.doctor.examine import examine
from lib.doctor.findings import Finding, Level
from lib.doctor.request import Request, Trial
from lib.ignoring.modes import MODES, Place
from lib.ignoring.weight_table import read_weight_table
from lib.label_noise.source_record import check_ids
from lib.report.estimates import read_estimate
from lib.report.page import write_report
from lib.review.found import FoundLabels, LabelFile, write_found
from lib.review.inputs import TRAINING, record_inputs
from lib.review.labels_run import EFFORTS, LabelledImages, LabelsRun
from lib.review.predictions_run import PredictedImages, judge_by_predictions, table_of
from lib.training.data import build_data
from lib.training.run_spec import RunSpec
from lib.training.trainer import train
from lib.training.weight_tables import TABLE
from lib.utils.distributed import ALONE
from lib.utils.errors import InputError, StoppedError

MODE = MODES["ours1"]
USUAL = "normal"  # effort
PLACE: Place = "B"  # of the weights in the target's own loss
TRIAL = Trial(steps=4, seconds=30)
SHOWN = (Level.WARNING, Level.ERROR)
TIME = "the whole run"  # subject of the finding that is shown although all is well
# T, V and the test set are all of the trusted labels on purpose; nothing is claimed about the network's accuracy.
OVERLAPS = ("validation V and target T", "test and target T", "test and validation V")
GALLERY_ROWS = 4


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
    flags = {"--labels": arguments.labels, "--trusted": arguments.trusted, "--predictions": arguments.predictions, "--trusted-predictions": arguments.trusted_predictions}  # fmt: skip
    record_inputs(arguments.output, {flag: path for flag, path in flags.items() if path is not None})
    doubtful, trusted, folder = (
        LabelledImages(arguments.labels, arguments.images, "--labels"),
        None,
        arguments.output,
    )
    if arguments.trusted is not None:
        trusted = LabelledImages(arguments.trusted, arguments.trusted_images, "--trusted")
    given = parse_overrides(arguments.overrides)
    if arguments.predictions is None:
        lines = by_training(LabelsRun(doubtful, trusted, arguments.effort or USUAL, given), folder)
    else:
        known = PredictedImages(trusted, arguments.trusted_predictions) if trusted is not None else None
        lines = by_predictions(PredictedImages(doubtful, arguments.predictions), known, given, folder)
    return "\n".join(lines)


def _check_arguments(arguments: argparse.Namespace) -> None:
    """InputError unless they say one of the ways to find labels."""
    trusted, of_trusted = arguments.trusted is not None, arguments.trusted_predictions is not None
    if arguments.predictions is None and (of_trusted or not trusted):
        raise InputError("expected --trusted, to train with, or --predictions")
    if arguments.predictions is not None and arguments.effort is not None:
        raise InputError("--effort is about a training, and with --predictions there is none")
    if arguments.trusted_images is not None and not trusted:
        raise InputError("--trusted-images: there is no --trusted whose images they could be")
    if arguments.predictions is not None and trusted != of_trusted:
        raise InputError("with --predictions, --trusted and --trusted-predictions belong together")


def by_training(run: LabelsRun, folder: Path) -> list[str]:
    """Train, and write what was found into ``folder``; the lines to print at the end."""
    config = run.configuration()
    paths = RunPaths(folder / TRAINING, folder / "tensorboard")
    print(plan(config), flush=True)
    check(Request(config, "main", MODE, paths, (), folder / "check", TRIAL))
    data = build_data(config, uses_source=True)
    annotations = data.source.annotations
    check_ids(annotations, data.source_record.file)
    try:
        results = train(RunSpec(config, MODE, data, paths, ALONE))
    except StoppedError as stopped:
        raise StoppedError(
            stopped.signal, f"stopped and saved in {folder}; the same command goes on"
        ) from None
    table = read_weight_table((paths.output / TABLE).with_suffix(".npz"), annotations)
    write_found(folder, label_file(config, annotations), FoundLabels.of(annotations, table))
    report = write_report([paths.output], folder / "report.html", GALLERY_ROWS)
    found = read_estimate(results, read_json(results)["weights"][PLACE])
    return [*found.lines(), f"look at them: {report}; {_next(folder)}"]


def by_predictions(
    doubtful: PredictedImages, trusted: PredictedImages | None, given: dict[str, Any], folder: Path
) -> list[str]:
    """Judge by predictions, and write what was found into ``folder``; the lines to print at the end."""
    config, judged = judge_by_predictions(doubtful, trusted, given)
    annotations = judged.annotations
    check_ids(annotations, doubtful.labelled.labels)
    write_found(folder, label_file(config, annotations), FoundLabels.of(annotations, table_of(judged)))
    return [*judged.matched.lines(), *judged.found.estimate.lines(), _next(folder)]


def label_file(config: Config, annotations: Annotations) -> LabelFile:
    """The file of the labels in doubt, DATASET_SRC."""
    source = training_set(config.dataset_src)
    (path, *_), images = source.layout.annotation_files(source.name), source.layout.image_folder(source.name)
    return LabelFile.of(path, source.layout.name, images, annotations)


def _next(folder: Path) -> str:
    return f"review them: python pose_estimation/review.py {folder}"


def plan(config: Config) -> str:
    """What was chosen, in words."""
    model, train_config = config.model, config.train
    steps = train_config.end_epoch * train_config.steps_per_epoch
    width, height = model.image_size
    return (
        f"{MODE.name}: ResNet-{model.extra.num_layers} of width {model.extra.width}, images of {width} x {height} pixels, "
        f"{model.num_joints} joints, batches of {train_config.batch_size} trusted and {train_config.src_batch_size} "
        f"other instances, {steps:,} steps (--effort, KEY VALUE change it)"
    )


def check(request: Request) -> None:
    """What doctor.py checks; only what may be wrong, and the time, is shown.

    Raises:
        InputError: the run would stop or be worthless.
    """
    findings = [item for item in examine(request) if isinstance(item, Finding)]
    for finding in findings:
        if finding.subject == TIME or (finding.level in SHOWN and finding.subject not in OVERLAPS):
            print(finding, flush=True)
    if errors := sum(finding.level is Level.ERROR for finding in findings):
        raise InputError(f"{errors} of the checks above must be mended first; nothing was trained")


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code."""
    return shared.run_command(command, argv)


if __name__ == "__main__":
    sys.exit(main())
