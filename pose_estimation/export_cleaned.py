"""Write the source's annotation file without the labels that a run holds to be wrong.

    python pose_estimation/export_cleaned.py output/coco_to_mpii/pose_resnet_10/people/ours1 --share 0.05 --output cleaned.json

By default, these are the labels that are wrong with a probability above 0.5; in runs that have no probabilities, those
with a weight below 0.5. First it shows the run's warnings, how many labels of each joint are concerned and of which
kinds they are, and how many of them are wrong by its own estimate. If they are too many (--allow-share), nothing is
written and the exit code is 2: labels that are doubted everywhere say that the training did not work, not that
all of them are wrong. Labels that nothing is known about (of no batch, outside of the crop) are kept.
Weights and probabilities refer to the labels that the run was trained on: for a run with LBI.INJECT_NOISE, the output
contains the injected labels (without the ignored ones) instead of the labels on disk.
"""

import argparse
import json
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.cli import arguments as shared
from lib.config.loader import with_settings
from lib.config.schema import Config
from lib.dataset.annotations import Annotations, read_json
from lib.dataset.layouts import ObjectFileLayout, layout_of
from lib.ignoring.cleaned_annotations import (
    IGNORED,
    WEIGHTS_KEY,
    Selection,
    add_weights,
    delete_keypoints,
    excess,
    hide_keypoints,
    summary,
    write_trained_labels,
)
from lib.ignoring.suspects import THRESHOLD
from lib.ignoring.weight_doubts import doubts_about_weights
from lib.ignoring.weight_table import WeightTable, read_weight_table
from lib.label_noise.source import read_source, source_file, source_of_run
from lib.report.learned import refuse_baseline
from lib.utils.errors import InputError
from lib.utils.files import write_text

ALLOWED_SHARE = 0.3
ACTIONS = ("delete", "hide", "weight")


def warnings_of(run: Path, annotations: Annotations, table: WeightTable) -> list[str]:
    """The warnings that the run in ``run`` recorded about its weights; without a record, what the weights tell."""
    results = run / "results.json"
    recorded = read_json(results) if results.exists() else None
    recorded = recorded.get("warnings") if isinstance(recorded, dict) else None
    if isinstance(recorded, list):
        return [str(warning) for warning in recorded]
    return doubts_about_weights(table.weights[annotations.visible > 0])


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="output folder of a run that learned weights")
    parser.add_argument("--output", type=Path, help="annotation file to write")
    which = parser.add_argument_group("which labels, one of").add_mutually_exclusive_group()
    which.add_argument(
        "--probability",
        type=float,
        metavar="P",
        help=f"wrong with a higher probability (default: {THRESHOLD}, if the run has probabilities)",
    )
    which.add_argument(
        "--threshold",
        type=float,
        metavar="W",
        help=f"with a lower weight (default for other runs: {IGNORED})",
    )
    which.add_argument("--share", type=float, metavar="S", help="this share of all labels, the most suspect")
    which.add_argument("--count", type=int, metavar="N", help="this many labels, the most suspect")
    parser.add_argument(
        "--action",
        choices=ACTIONS,
        default="delete",
        help="delete: x, y and v become 0; hide: only v becomes 0; weight: all labels stay, and every annotation gets "
        f"{WEIGHTS_KEY}, a list of one weight for each of its keypoints (default: %(default)s)",
    )
    parser.add_argument(
        "--allow-share",
        type=float,
        default=ALLOWED_SHARE,
        metavar="S",
        help="refuse to take more than this share of all labels, or more than half of one joint's "
        "(S if that is more; default: %(default)s)",
    )
    parser.add_argument("--dry-run", action="store_true", help="show the counts, and write nothing")
    parser.add_argument(
        "--weights",
        default="ignoring_weights.csv",
        metavar="FILE",
        help="name of the weight table in the run's folder (default: %(default)s)",
    )
    return parser


def command(argv: list[str] | None) -> str:
    """Show the counts, write the annotation file, and return its path (or that nothing was written)."""
    arguments = build_parser().parse_args(argv)
    selection = _selection(arguments)
    refuse_baseline(arguments.run)
    config, annotations, _ = source_of_run(arguments.run)
    path = _exportable_file(arguments, config)
    table = read_weight_table(arguments.run / arguments.weights, annotations)
    if config.lbi.inject_noise:
        print(f"labels: {path} with LBI.INJECT_NOISE {config.lbi.inject_noise}, as in the run")
    if selection is None:
        selected = np.zeros(annotations.visible.shape, bool)
        heading = f"every annotation gets {WEIGHTS_KEY}; no label is deleted or hidden"
    else:
        selection = selection.with_default(table)
        selected = selection.select(table, annotations)
        heading = (
            f"{arguments.action}: {selected.sum()} of {(annotations.visible > 0).sum()} labelled keypoints "
            f"of {len(annotations)} instances ({selection})"
        )
    for warning in warnings_of(arguments.run, annotations, table):
        print(f"warning: {warning}")
    print(summary(heading, annotations, table, selected), flush=True)
    if too_many := excess(selected, annotations, arguments.allow_share):
        raise InputError(
            f"{arguments.run}: nothing written: this would take {too_many}; look at the report and the joints above, "
            "take fewer (--probability, --share, --count), keep all with --action weight, or allow it with --allow-share"
        )
    if arguments.dry_run:
        return "nothing written (--dry-run)"
    content = read_json(path)
    if config.lbi.inject_noise:
        on_disk, _ = read_source(with_settings(config, {"LBI.INJECT_NOISE": ""}))
        content = write_trained_labels(content, on_disk, annotations)
    if arguments.action == "weight":
        content = add_weights(content, annotations, table)
    else:
        change = delete_keypoints if arguments.action == "delete" else hide_keypoints
        content = change(content, annotations, selected)
    write_text(arguments.output, json.dumps(content))
    return str(arguments.output)


def _selection(arguments: argparse.Namespace) -> Selection | None:
    """Which labels the arguments select, None with --action weight; InputError for values that make no sense."""
    given = {field.name: getattr(arguments, field.name) for field in fields(Selection)}
    for name in ("probability", "threshold", "share", "allow_share"):
        value = getattr(arguments, name)
        if value is not None and not 0 <= value <= 1:
            raise InputError(f"--{name.replace('_', '-')} is {value}, expected a number in [0, 1]")
    if arguments.count is not None and arguments.count < 0:
        raise InputError(f"--count is {arguments.count}, expected a number of labels")
    if arguments.output is None and not arguments.dry_run:
        raise InputError("--output is missing; expected the annotation file to write (or --dry-run)")
    if arguments.action == "weight":
        if name := next((name for name, value in given.items() if value is not None), None):
            raise InputError(f"--{name}: has no effect with --action weight, which keeps all labels")
        return None
    return Selection(**given)


def _exportable_file(arguments: argparse.Namespace, config: Config) -> Path:
    """The source's annotation file; InputError if it cannot be exported, or is the output."""
    source, path = config.dataset_src, source_file(config)
    if not isinstance(layout_of(source), ObjectFileLayout):
        raise InputError(
            f"{arguments.run}: DATASET_SRC.DATASET is {source.dataset}, expected coco or coco_format: "
            "only sources in COCO's format can be exported"
        )
    if arguments.output is not None and arguments.output.resolve() == path.resolve():
        raise InputError(f"--output {arguments.output}: is the source's own annotation file; choose another")
    return path


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return shared.run_command(command, argv)


if __name__ == "__main__":
    sys.exit(main())
