"""Write the annotation file with the corrections that its reviewers decided on.

    python pose_estimation/apply_corrections.py DIR --output corrected.json

DIR is the folder of find_labels.py, with the decisions that review.py left there. Labels that were hidden become 0, 0, 0
(in MPII's layout -1, -1, 0), moved ones get their place and keep v (2, or 1 in MPII's layout, if there was no label),
exchanged ones x, y and v of each other. num_keypoints of annotations with changes is counted anew, and their attributes
get a note on each change (attributes.lbi: keypoint, was, verdict, reviewer). All other text of the file stays as it is, to
the character; so do boxes and areas. A file that is not the one whose labels were judged is refused.

Decisions are about the labels of the file as it was read. Of a reviewer's decisions about a label the last one counts. If
it gives a label of an exchange to another joint, or back to its own, then that part of the exchange is taken back: after
"exchange the wrists", "the left wrist is right" leaves the right wrist not reviewed. If it moves or hides one of them, the
other part stays. Two reviewers who say different things about a label (also: two places) disagree; its label stays as it
is unless --prefer names one of them, and so do the labels that would be exchanged with it.

--weights writes keypoint_weights instead, for trainers that weight their loss: a list of one weight for each keypoint of
an annotation. Labels reviewed as right have 1, as wrong (hidden, moved, exchanged) 0; others the estimated probability
that they are right or, where none was estimated, the weight that was learned, or 1. No label is changed.
With mmpose 1.x: in a subclass of CocoDataset, let parse_data_info multiply the keypoints_visible of its result [1, K]
by raw_data_info["raw_ann_info"]["keypoint_weights"], with 0 in place of weights below 0.5: its heatmap codecs take
keypoints_visible as the weight of a keypoint in the loss (use_target_weight=True), but draw no peak where it is below 0.5.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.cli import arguments as shared
from lib.review.apply import Reviewed, read_reviewed
from lib.review.corrected_file import weights_of
from lib.review.correction_summary import change_lines, change_table, count_lines, disagreement_lines
from lib.review.corrections import Corrections
from lib.utils.errors import InputError
from lib.utils.files import write_text

SHOWN = 20  # changes and disagreements, by default


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of find_labels.py, with decisions")
    parser.add_argument("--output", type=Path, metavar="NEW.json", help="annotation file to write")
    parser.add_argument(
        "--labels", type=Path, metavar="FILE", help="the annotation file, if it is not where it was"
    )
    parser.add_argument(
        "--prefer", metavar="REVIEWER", help="who is right where reviewers say different things"
    )
    parser.add_argument(
        "--weights", action="store_true", help="write keypoint weights instead of corrections"
    )
    parser.add_argument("--dry-run", action="store_true", help="show each change, and write nothing")
    parser.add_argument(
        "--show",
        type=int,
        default=SHOWN,
        metavar="N",
        help="show at most N changes and N disagreements (default: %(default)s)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the output if it exists")
    return parser


def command(argv: list[str] | None) -> str:
    """Show what is corrected, write the annotation file, and return its path (or that nothing was written)."""
    arguments = build_parser().parse_args(argv)
    if arguments.show < 0:
        raise InputError(f"--show is {arguments.show}, expected a number of changes")
    reviewed = read_reviewed(arguments.folder, arguments.prefer)
    _check_output(arguments, reviewed)
    if not arguments.weights:
        reviewed.check_decided()
    labels, corrections, judged = reviewed.labels, reviewed.corrections, reviewed.judged(arguments.labels)
    changes = judged.changes(corrections)
    if arguments.weights:
        weights = weights_of(labels, corrections)
        summary, text = [_weights_line(weights[labels.rank > 0], corrections)], judged.weighted(weights)
    else:
        summary, text = count_lines(changes, corrections, reviewed.reviews, labels), judged.corrected(changes)
    if arguments.dry_run and not arguments.weights:
        summary = [change_table(changes, corrections), *change_lines(changes, arguments.show), *summary]
    summary += disagreement_lines(corrections, arguments.show)
    print("\n".join(summary), flush=True)
    if arguments.dry_run:
        return "nothing written (--dry-run)"
    write_text(arguments.output, text)
    return str(arguments.output)


def _weights_line(weights: np.ndarray, corrections: Corrections) -> str:
    right = sum(outcome.label_of == joint for (_, joint), outcome in corrections.outcomes.items())
    return (
        f"weights of {len(weights)} labels, mean {weights.mean() if len(weights) else 1:.3f}; reviewed: {right} right, "
        f"{len(corrections.outcomes) - right} wrong"
    )


def _check_output(arguments: argparse.Namespace, reviewed: Reviewed) -> None:
    """InputError if the output is missing, or cannot be written; see `Reviewed.check_output`."""
    if arguments.output is not None:
        labels = arguments.labels or Path(reviewed.file.path)
        reviewed.check_output(arguments.output, [labels], arguments.overwrite)
    elif not arguments.dry_run:
        raise InputError("--output is missing; expected the annotation file to write (or --dry-run)")


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return shared.run_command(command, argv)


if __name__ == "__main__":
    sys.exit(main())
