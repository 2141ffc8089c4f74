"""How many trusted instances are enough to find wrong labels.

    python benchmarks/trusted.py --out output/trusted [--data FOLDER] [--counts 20,40,80,160,320] [--seeds 100,101]

Built-in people (--seeds), with the mix `low`: `find_labels` with the first N of 320 trusted people, for each N.
Real poses, if --data is given (annot and preds of MPII, see benchmarks/predictions.py; --pose-seeds): the predictions of a
published network, N trusted people, and the same 2,638 others judged; the seed draws who is trusted, and the noise.

AUROC and average precision of the scores against the truth; "off" is how far the estimated number of wrong labels is from
theirs, as a share of it. What is in --out is not run again. --out/trusted.md,
trusted.json and trusted.svg have the results.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.evidence.cases import MIXTURES
from benchmarks.evidence.summary import interval
from benchmarks.modes import seeds_of
from benchmarks.predictions import read_people, write_results
from benchmarks.tables import rows as table
from benchmarks.timing import machine
from benchmarks.trusted_curve import curve
from lib.dataset.annotations import Annotations, read_json
from lib.dataset.mpii_truth import read_mpii_predictions
from lib.label_noise.injection import inject
from lib.review.find import PLACE, find_labels
from lib.review.inputs import TRAINING
from lib.review.labels_run import USUAL, LabelledImages
from lib.synthetic.generate import PeopleConfig, make_people
from lib.utils.errors import InputError
from lib.utils.files import write_text
from lib.wrong_labels.metrics import auroc, average_precision
from lib.wrong_labels.predictions import Predicted, judge_predictions

COUNTS = (20, 40, 80, 160, 320)
NOISE = "low"
NETWORK = "newell_hourglass"
DRAWN, POSES = "built-in people", "MPII's poses"


@dataclass(frozen=True)
class Row:
    """What one run found.

    ground: DRAWN or POSES.
    trusted: number of trusted instances.
    off: (estimated - true number of wrong labels) / true number.
    """

    ground: str
    trusted: int
    seed: int
    auroc: float
    average_precision: float
    off: float
    seconds: float


def subset(data: Path, count: int, folder: Path) -> Path:
    """The first ``count`` people of MPII's layout in ``data``, as a data set of its own; its annotation file."""
    people = read_json(data / "annot" / "train.json")
    if count > len(people):
        raise InputError(f"{data}: has {len(people)} trusted people, expected {count}")
    write_text(folder / "annot" / "train.json", json.dumps(people[:count]))
    if not (folder / "images").exists():
        (folder / "images").symlink_to((data / "images").resolve())
    return folder / "annot" / "train.json"


def drawn_row(count: int, seed: int, out: Path, effort: str) -> Row:
    """Train with ``count`` trusted people of the built-in data that ``seed`` draws."""
    data = out / f"people-{seed}"
    make_people(data, PeopleConfig(seed=seed, noise=MIXTURES[NOISE], target_train_people=max(COUNTS)))
    source = LabelledImages(data / "coco/annotations/person_keypoints_train2017.json")
    trusted = LabelledImages(subset(data / "mpii", count, out / f"trusted-{seed}-{count}"))
    folder, started = out / f"found-{seed}-{count}", time.monotonic()
    find_labels(source, trusted, folder, effort, {"SEED": seed})
    seconds = time.monotonic() - started
    (results,) = (folder / TRAINING).glob("**/results.json")
    found = read_json(results)["weights"][PLACE]["wrong_labels"]
    wrong = read_json(data / "people.json")["made"]["wrong"]
    off = found["wrong"] / wrong - 1
    return Row(DRAWN, count, seed, found["auroc"], found["average_precision"], off, seconds)


class Poses:
    """MPII's validation people with a network's predictions: the last ones trusted, the others judged."""

    def __init__(self, data: Path, seed: int):
        self.seed = seed
        self.predicted = read_mpii_predictions(data / "preds" / f"{NETWORK}.mat") - 1
        self.people = read_people(data)
        self.order = np.random.default_rng(seed).permutation(len(self.people))

    def row(self, count: int) -> Row:
        """Judge the first people of the order with ``count`` trusted ones."""
        judged = self.order[: len(self.order) - max(COUNTS)]
        noisy, truth = inject(self.people.subset(_chosen(self.people, judged)), MIXTURES[NOISE], self.seed)
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            doubtful = Predicted(noisy, self._results(noisy, folder / "doubtful.json"))
            trusted = None
            if count:
                known = self.people.subset(_chosen(self.people, self.order[-count:]))
                trusted = Predicted(known, self._results(known, folder / "trusted.json"))
            found = judge_predictions(doubtful, trusted, self.seed).found
        labelled = noisy.visible > 0
        wrong, scores = truth.corrupted[labelled], found.scores[labelled]
        off = found.estimate.wrong / wrong.sum() - 1
        seconds = time.monotonic() - started
        return Row(POSES, count, self.seed, auroc(scores, wrong), average_precision(scores, wrong), off, seconds)  # fmt: skip

    def _results(self, people: Annotations, path: Path) -> Path:
        write_results(path, people, self.predicted[people.ids])
        return path


def _chosen(people: Annotations, indices: np.ndarray) -> np.ndarray:
    return np.isin(np.arange(len(people)), indices)


def read_rows(path: Path) -> list[Row]:
    """What earlier calls measured."""
    return [Row(**row) for row in read_json(path)["rows"]] if path.exists() else []


def missing(rows: list[Row], ground: str, counts: Sequence[int], seeds: Sequence[int]) -> Iterator[tuple[int, int]]:  # fmt: skip
    """(count, seed) of the runs that there are none of."""
    known = {(row.ground, row.trusted, row.seed) for row in rows}
    for seed in seeds:
        for count in counts:
            if (ground, count, seed) not in known:
                yield count, seed


def page(rows: list[Row]) -> str:
    """A table for each ground: means over the seeds with their 95 % intervals."""
    text = ["# How many trusted instances are enough\n", f"Written by `benchmarks/trusted.py` on {machine()['processor']}.\n"]  # fmt: skip
    header = ["trusted instances", "AUROC", "average precision", "number of wrong labels is off by", "seeds", "seconds"]  # fmt: skip
    for ground in dict.fromkeys(row.ground for row in rows):
        cells = []
        for count in sorted({row.trusted for row in rows if row.ground == ground}):
            runs = [row for row in rows if (row.ground, row.trusted) == (ground, count)]
            figures = [interval(getattr(row, name) for row in runs).text(3) for name in ("auroc", "average_precision")]  # fmt: skip
            off = ", ".join(f"{100 * row.off:+.0f} %" for row in runs)
            cells.append([count, *figures, off, len(runs), max(row.seconds for row in runs)])
        text += [f"## {ground}\n", table(header, cells)]
    return "\n".join(text)


def measured(rows: list[Row]) -> dict[str, dict[int, list[float]]]:
    """{ground: {number of trusted instances: average precisions}}, of the runs that have trusted instances."""
    found: dict[str, dict[int, list[float]]] = {}
    for row in rows:
        if row.trusted:
            found.setdefault(row.ground, {}).setdefault(row.trusted, []).append(row.average_precision)
    return found


def write(rows: list[Row], out: Path) -> None:
    """Write trusted.json, trusted.md and trusted.svg."""
    write_text(out / "trusted.json", json.dumps({"rows": [asdict(row) for row in rows]}, indent=1) + "\n")
    write_text(out / "trusted.md", page(rows))
    if curves := measured(rows):
        write_text(out / "trusted.svg", curve(curves))


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="annot and preds of MPII, for real poses")
    parser.add_argument("--counts", default=",".join(map(str, COUNTS)), help=f"trusted instances, {max(COUNTS)} at most; default: %(default)s")  # fmt: skip
    parser.add_argument("--seeds", default="100,101", help="of the built-in people; default: %(default)s")
    parser.add_argument("--pose-seeds", default="0,1,2,3,4", help="of the real poses; default: %(default)s")
    parser.add_argument("--effort", default=USUAL, help="of find_labels.py; default: %(default)s")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run what is missing, and print the tables."""
    arguments = build_parser().parse_args(argv)
    out = arguments.out
    counts, seeds, pose_seeds = (
        seeds_of(text, flag)
        for text, flag in (
            (arguments.counts, "--counts"),
            (arguments.seeds, "--seeds"),
            (arguments.pose_seeds, "--pose-seeds"),
        )  # fmt: skip
    )
    if not 0 < min(counts) <= max(counts) <= max(COUNTS):
        print(f"error: --counts {arguments.counts}: expected 1 to {max(COUNTS)}", file=sys.stderr)
        return 2
    rows = read_rows(out / "trusted.json")
    for count, seed in missing(rows, DRAWN, counts, seeds):
        rows.append(drawn_row(count, seed, out, arguments.effort))
        write(rows, out)
    if arguments.data is not None:
        for count, seed in missing(rows, POSES, [0, *counts], pose_seeds):
            rows.append(Poses(arguments.data, seed).row(count))
            print(rows[-1], flush=True)
            write(rows, out)
    write(rows, out)
    print(page(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
