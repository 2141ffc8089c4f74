"""Draw the most ignored source keypoints of a run on their images.

    python pose_estimation/show_ignored.py output/coco_to_mpii/pose_resnet_10/people/ours1 --output ignored.png

Thin skeleton: the person's labels. Red ring: the ignored label, with its joint and weight.
Green cross: where the joint really is, for data whose truth is known.
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


def write_below(drawing: np.ndarray, text: str) -> None:
    """Put ``text`` on a black bar at the drawing's lower edge."""
    cv2.rectangle(drawing, (0, CELL - 20), (CELL, CELL), (0, 0, 0), -1)
    cv2.putText(drawing, text, (6, CELL - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)


def command(words: list[str] | None) -> Path:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="output folder of a run that learned weights")
    parser.add_argument("--output", type=Path, default=Path("ignored.png"), help="image to write")
    parser.add_argument("--rows", type=int, default=2)
    parser.add_argument("--columns", type=int, default=6)
    arguments = parser.parse_args(words)
    _, people, truth = source_of_run(arguments.run)
    weights = read_weight_table(arguments.run / "ignoring_weights.csv", people).weights
    cells = [np.zeros((CELL, CELL, 3), np.uint8)] * (arguments.rows * arguments.columns)
    for place, (i, j) in enumerate(lowest_weights(weights, people.visible > 0, len(cells))):
        drawing = draw_keypoint(people, i, j, None if truth is None else truth.right[i, j])
        if drawing is None:
            raise InputError(f"{people.image_paths[people.image_index[i]]}: cannot be read as an image")
        write_below(drawing, f"{people.mapping.names[j].replace('_', ' ')}: {weights[i, j]:.2f}")
        cells[place] = drawing
    rows = [cells[i : i + arguments.columns] for i in range(0, len(cells), arguments.columns)]
    cv2.imwrite(str(arguments.output), contact_sheet(rows)[..., ::-1])
    return arguments.output


def main(words: list[str] | None = None) -> int:
    return run_command(command, words)


if __name__ == "__main__":
    sys.exit(main())
