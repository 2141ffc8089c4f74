"""Write the source's annotation file without the keypoints that a run has learned to ignore.

    python pose_estimation/export_cleaned.py output/coco_to_mpii/pose_resnet_10/people/ours1 --output cleaned.json

Keypoints with a weight below the threshold get x, y and v 0; all else stays as it is in the source.
The weights are about the labels that the run was trained on. So where the run had LBI.INJECT_NOISE, the
file holds those injected labels, less the ignored ones, and not the labels on disk.
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
from lib.ignoring.cleaned_annotations import cleaned, ignored
from lib.ignoring.weight_table import read_weight_table
from lib.label_noise.source import source_of_run
from lib.utils.errors import InputError
from lib.utils.files import write_text


def summary(people: Annotations, dropped: np.ndarray, threshold: float) -> str:
    """How many of how many keypoints were dropped, of all joints and of each."""
    labelled = people.visible > 0
    lines = [
        f"dropped {dropped.sum()} of {labelled.sum()} labelled keypoints of {len(people)} people, "
        f"those with a weight below {threshold:g}"
    ]
    for j, (name, native) in enumerate(zip(people.mapping.names, people.mapping.native)):
        called = name if name == native else f"{name} ({native or 'not in the source'})"
        lines.append(f"  {called:16}{dropped[:, j].sum():8} of {labelled[:, j].sum()}")
    return "\n".join(lines)


def command(words: list[str] | None) -> Path:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="output folder of a run that learned weights")
    parser.add_argument("--output", type=Path, required=True, help="annotation file to write")
    parser.add_argument(
        "--threshold", type=float, default=0.5, help="smallest weight that is kept (default: 0.5)"
    )
    parser.add_argument(
        "--weights", default="ignoring_weights.csv", metavar="FILE", help="which of the run's tables"
    )
    arguments = parser.parse_args(words)
    if not 0 <= arguments.threshold <= 1:
        raise InputError(f"--threshold is {arguments.threshold}, expected a weight in [0, 1]")

    config, people, _ = source_of_run(arguments.run)
    source = config.dataset_src
    layout = layout_of(source)
    if not layout.in_coco_format:
        raise InputError(f"{arguments.run}: its source is in the layout of {layout.name}, expected coco")
    path = layout.annotation_files(source.train_set)[0]
    if arguments.output.resolve() == path.resolve():
        raise InputError(f"--output {arguments.output} is the source's own annotation file; name another")
    dropped = ignored(
        read_weight_table(arguments.run / arguments.weights, people), people.visible, arguments.threshold
    )
    write_text(arguments.output, json.dumps(cleaned(read_json(path), people, dropped)))
    if config.lbi.inject_noise:
        print(f"labels: those of {path} with LBI.INJECT_NOISE {config.lbi.inject_noise}, as the run had them")
    print(summary(people, dropped, arguments.threshold))
    return arguments.output


def main(words: list[str] | None = None) -> int:
    return shared.run_command(command, words)


if __name__ == "__main__":
    sys.exit(main())
