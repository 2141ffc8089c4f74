"""Draw the most suspect source keypoints of a run on their images.

    python pose_estimation/show_ignored.py output/coco_to_mpii/pose_resnet_10/people/ours1

writes ignored.png into the run's folder. Thin skeleton: labels of the person. Red ring: the suspect label; below it the
joint, how probably the label is wrong and in what way (in runs without probabilities: its weight), and the image.
Purple diamond: where the joint is thought to be. Green cross: true joint position, if it is known.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.cli.arguments import run_command
from lib.dataset.annotations import Annotations
from lib.ignoring.ranking import one_per_instance, ranked_keypoints
from lib.ignoring.suspects import known_labels
from lib.ignoring.weight_table import WeightTable, read_weight_table
from lib.label_noise.source import source_of_run
from lib.report.learned import refuse_baseline
from lib.utils.errors import InputError
from lib.utils.files import write_atomically
from lib.visualization.labels import CELL, draw_keypoint
from lib.visualization.skeletons import contact_sheet

LINE, LETTERS = 16, 36  # height of a caption's line in pixels, letters that fit into it
START = 12  # letters of a longer line that are kept before the gap


def with_caption(drawing: np.ndarray, lines: list[str]) -> np.ndarray:
    """``drawing`` [CELL, CELL, 3] with ``lines`` on a black bar below it; long ones lose their middle."""
    bar = np.zeros((LINE * len(lines) + 6, CELL, 3), np.uint8)
    for k, line in enumerate(lines, start=1):
        place = (6, LINE * k - 2)
        cv2.putText(
            bar, shortened(line), place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, cv2.LINE_AA
        )
    return np.vstack([drawing, bar])


def caption_of(table: WeightTable, annotations: Annotations, i: int, j: int) -> list[str]:
    """What is known of label ``j`` of instance ``i``: its joint and weight or, if it was judged, what is wrong with it."""
    names = annotations.mapping.names
    joint, image = names[j].replace("_", " "), annotations.image_names[annotations.image_index[i]]
    if table.suspects is None:
        return [f"{joint}: {table.weights[i, j]:.2f}", image]
    return [f"{joint}: {table.suspects.verdict(i, j)}", table.suspects.reason(i, j, names), image]


def shortened(line: str) -> str:
    """``line``, of at most LETTERS: the side of a joint is at its start, its weight and a file's name are at the end."""
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
    known = known_labels(annotations.visible > 0, table.seen, table.suspects)
    order = ranked_keypoints(table.scores, known, annotations.ids)
    if not len(order):
        raise InputError(
            f"{arguments.run}: nothing is known of any labelled keypoint, so there is none to draw"
        )
    cells = []
    for i, j in one_per_instance(order, known.shape[1], arguments.rows * arguments.columns):
        right = None if truth is None else truth.clean_joints[i, j]
        proposed = None if table.suspects is None else table.suspects.proposed[i, j]
        drawing = draw_keypoint(annotations, i, j, right, proposed=proposed)
        if drawing is None:
            path = annotations.image_paths[annotations.image_index[i]]
            raise InputError(f"{path}: cannot be read as an image")
        cells.append(with_caption(drawing, caption_of(table, annotations, i, j)))
    cells += [np.zeros_like(cells[0])] * (arguments.rows * arguments.columns - len(cells))
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
