"""Draw the most ignored source keypoints of a run on their images.

    python pose_estimation/show_ignored.py output/coco_to_mpii/pose_resnet_10/people/ours1 --output ignored.png

Thin skeleton: labels of the person. Red ring: the ignored label, with its joint and weight.
Green cross: true joint position, if it is known.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.cli.arguments import run_command
from lib.ignoring.weight_table import read_weight_table
from lib.label_noise.source import source_of_run
from lib.report.gallery import lowest_weights
from lib.utils.errors import InputError
from lib.visualization.labels import CELL, draw_keypoint
from lib.visualization.skeletons import contact_sheet


def write_caption(drawing: np.ndarray, text: str) -> None:
    """Draw ``text`` into ``drawing`` [CELL, CELL, 3], on a black bar at the lower edge."""
    cv2.rectangle(drawing, (0, CELL - 20), (CELL, CELL), (0, 0, 0), -1)
    cv2.putText(drawing, text, (6, CELL - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="output folder of a run that learned weights")
    parser.add_argument(
        "--output", type=Path, default=Path("ignored.png"), help="image to write (default: %(default)s)"
    )
    parser.add_argument("--rows", type=int, default=2, metavar="N", help="rows (default: %(default)s)")
    parser.add_argument("--columns", type=int, default=6, metavar="N", help="columns (default: %(default)s)")
    return parser


def command(argv: list[str] | None) -> Path:
    """Write the image and return its path.

    Raises:
        InputError: The folder is not that of a run with weights, or an image cannot be read.
    """
    arguments = build_parser().parse_args(argv)
    _, annotations, truth = source_of_run(arguments.run)
    weights = read_weight_table(arguments.run / "ignoring_weights.csv", annotations).weights
    cells = [np.zeros((CELL, CELL, 3), np.uint8)] * (arguments.rows * arguments.columns)
    for cell, (i, j) in enumerate(lowest_weights(weights, annotations.visible > 0, len(cells))):
        drawing = draw_keypoint(annotations, i, j, None if truth is None else truth.clean_joints[i, j])
        if drawing is None:
            path = annotations.image_paths[annotations.image_index[i]]
            raise InputError(f"{path}: cannot be read as an image")
        write_caption(drawing, f"{annotations.mapping.names[j].replace('_', ' ')}: {weights[i, j]:.2f}")
        cells[cell] = drawing
    rows = [cells[i : i + arguments.columns] for i in range(0, len(cells), arguments.columns)]
    cv2.imwrite(str(arguments.output), contact_sheet(rows)[..., ::-1])
    return arguments.output


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(command, argv)


if __name__ == "__main__":
    sys.exit(main())
