"""Write the source's annotation file without the keypoints that a run has learned to ignore.

    python pose_estimation/export_cleaned.py output/coco_to_mpii/pose_resnet_10/people/ours1 --output cleaned.json

Keypoints with a weight below the threshold get x, y and v = 0; everything else is copied from the source.
The weights refer to the labels that the run was trained on: for a run with LBI.INJECT_NOISE, the output
contains the injected labels (without the ignored ones) instead of the labels on disk.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.cli import arguments as shared
from lib.dataset.annotations import Annotations, read_json
from lib.dataset.layouts import layout_of
from lib.ignoring.cleaned_annotations import ignored_keypoints, remove_keypoints
from lib.ignoring.weight_table import read_weight_table
from lib.label_noise.source import source_of_run
from lib.utils.errors import InputError
from lib.utils.files import write_text


def summary(annotations: Annotations, dropped: np.ndarray, threshold: float) -> str:
    """How many keypoints were dropped in total (first line) and per joint; dropped: [N, J] bool."""
    labelled = annotations.visible > 0
    lines = [
        f"dropped {dropped.sum()} of {labelled.sum()} labelled keypoints of {len(annotations)} instances "
        f"(weight below {threshold:g})"
    ]
    for j, (name, native) in enumerate(zip(annotations.mapping.names, annotations.mapping.native)):
        title = name if name == native else f"{name} ({native or 'not in the source'})"
        lines.append(f"  {title:16}{dropped[:, j].sum():8} of {labelled[:, j].sum()}")
    return "\n".join(lines)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="output folder of a run that learned weights")
    parser.add_argument("--output", type=Path, required=True, help="annotation file to write")
    parser.add_argument(
        "--threshold", type=float, default=0.5, help="drop keypoints with a lower weight (default: 0.5)"
    )
    parser.add_argument(
        "--weights",
        default="ignoring_weights.csv",
        metavar="FILE",
        help="name of the weight table in the run's folder (default: %(default)s)",
    )
    return parser


def command(argv: list[str] | None) -> Path:
    """Write the cleaned annotation file, print a summary, and return the file's path."""
    arguments = build_parser().parse_args(argv)
    if not 0 <= arguments.threshold <= 1:
        raise InputError(f"--threshold is {arguments.threshold}, expected a weight in [0, 1]")

    config, annotations, _ = source_of_run(arguments.run)
    source = config.dataset_src
    layout = layout_of(source)
    if not layout.in_coco_format:
        raise InputError(
            f"{arguments.run}: DATASET_SRC.DATASET is {source.dataset}, expected coco: "
            "only COCO-layout sources can be exported"
        )
    path = layout.annotation_files(source.train_set)[0]
    if arguments.output.resolve() == path.resolve():
        raise InputError(f"--output {arguments.output}: is the source's own annotation file; choose another")

    weights = read_weight_table(arguments.run / arguments.weights, annotations).weights
    dropped = ignored_keypoints(weights, annotations.visible, arguments.threshold)
    cleaned = remove_keypoints(read_json(path), annotations, dropped)
    write_text(arguments.output, json.dumps(cleaned))
    if config.lbi.inject_noise:
        print(f"labels: {path} with LBI.INJECT_NOISE {config.lbi.inject_noise}, as in the run")
    print(summary(annotations, dropped, arguments.threshold))
    return arguments.output


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return shared.run_command(command, argv)


if __name__ == "__main__":
    sys.exit(main())
