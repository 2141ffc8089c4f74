"""Draw the most ignored source keypoints of a run on their images.

    python pose_estimation/show_ignored.py output/coco_to_mpii/pose_resnet_10/people/ours1

writes ignored.png into the run's folder. Thin skeleton: labels of the person. Red ring: the ignored label, with
its joint, its weight and the image. Green cross: true joint position, if it is known.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.cli.arguments import run_command
from lib.ignoring.ranking import one_per_instance, ranked_keypoints
from lib.ignoring.weight_table import read_weight_table
from lib.label_noise.source import source_of_run
from lib.report.learned import refuse_baseline
from lib.utils.errors import InputError
from lib.utils.files import write_atomically
from lib.visualization.labels import CELL, draw_keypoint
from lib.visualization.skeletons import contact_sheet

LINE, LETTERS = 16, 36  # height of a caption's line in pixels, letters that fit into it
START = 12  # letters of a longer line that are kept before the gap


def write_caption(drawing: np.ndarray, lines: tuple[str, ...]) -> None:
    """Draw ``lines`` into ``drawing`` [CELL, CELL, 3], on a black bar at the lower edge; long ones lose their middle."""
    top = CELL - LINE * len(lines) - 4
    cv2.rectangle(drawing, (0, top), (CELL, CELL), (0, 0, 0), -1)
    for k, line in enumerate(lines, start=1):
        place = (6, top + LINE * k - 2)
        cv2.putText(
            drawing, shortened(line), place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, cv2.LINE_AA
        )


def shortened(line: str) -> str:
    """``line``, of at most LETTERS: the side of a joint is at its start, weight and file name are at the end."""
    return line if len(line) <= LETTERS else f"{line[:START]}...{line[START + 3 - LETTERS :]}"


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="output folder of a run that learned weights")
    parser.add_argument(
        "--output", type=Path, help="image to write (default: ignored.png in the run's folder)"
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
    output = arguments.output or arguments.run / "ignored.png"
    refuse_baseline(arguments.run)
    _, annotations, truth = source_of_run(arguments.run)
    table = read_weight_table(arguments.run / "ignoring_weights.csv", annotations)
    order = ranked_keypoints(table.scores, (annotations.visible > 0) & (table.seen > 0), annotations.ids)
    if not len(order):
        raise InputError(
            f"{arguments.run}: no labelled keypoint occurred in a batch, so there is none to draw"
        )
    cells = [np.zeros((CELL, CELL, 3), np.uint8)] * (arguments.rows * arguments.columns)
    for cell, (i, j) in enumerate(one_per_instance(order, annotations.visible.shape[1], len(cells))):
        drawing = draw_keypoint(annotations, i, j, None if truth is None else truth.clean_joints[i, j])
        image = annotations.image_index[i]
        if drawing is None:
            raise InputError(f"{annotations.image_paths[image]}: cannot be read as an image")
        joint = annotations.mapping.names[j].replace("_", " ")
        write_caption(drawing, (f"{joint}: {table.weights[i, j]:.2f}", annotations.image_names[image]))
        cells[cell] = drawing
    rows = [cells[i : i + arguments.columns] for i in range(0, len(cells), arguments.columns)]
    write_image(output, contact_sheet(rows))
    return output


def write_image(path: Path, image: np.ndarray) -> None:
    """Write [H, W, 3] uint8 RGB, atomically; InputError for a format that OpenCV does not know."""
    try:
        _, content = cv2.imencode(path.suffix, np.ascontiguousarray(image[..., ::-1]))
    except cv2.error:
        raise InputError(f"--output {path}: expected a name that ends in .png or .jpg") from None
    write_atomically(path, lambda file: file.write(content.tobytes()))


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(command, argv)


if __name__ == "__main__":
    sys.exit(main())
