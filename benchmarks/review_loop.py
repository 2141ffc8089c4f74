"""What reviewed labels are worth in the next search: find_labels.py --reviewed against the corrected file alone.

    python benchmarks/review_loop.py --seeds 100,101 --reviews 300 --out output/review_loop

Labels of the built-in people are made wrong, and searched; a reviewer who sees the truth decides on the most suspect
ones (benchmarks/simulated_reviewer.py). Then they are searched again, and how well the other wrong labels are found
(average precision and AUROC of the labels that were not settled) is compared, as is the network, by the test set's PCKh:

first       the first search
corrected   the file with the corrections, as if nobody had reviewed anything
reviewed    with --reviewed: reviewed labels are trusted

Three trainings a seed. What is finished is not trained again. In --out: rows.json, table.md, and a folder for each seed.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.corrected_source import IMAGE_SET, write_corrected
from benchmarks.evidence.cases import Case, parse_noise_or_mixture
from benchmarks.evidence.grounds import BUILT_IN, GROUNDS, People
from benchmarks.evidence.jobs import draw
from benchmarks.evidence.summary import interval
from benchmarks.evidence.trial import Trial
from benchmarks.modes import seeds_of
from benchmarks.simulated_reviewer import Reviewed, review
from benchmarks.tables import rows as table
from lib.config.loader import parse_overrides
from lib.dataset.annotations import Annotations, read_json
from lib.dataset.coco_file import annotation_file
from lib.label_noise.truth import Truth
from lib.review.decisions import append_decision, decisions_path
from lib.review.find import find_labels
from lib.review.found import FoundLabels, read_found
from lib.review.inputs import TRAINING
from lib.review.labels_run import EFFORTS, LabelledImages
from lib.utils.errors import InputError
from lib.utils.files import write_text
from lib.wrong_labels.metrics import auroc, average_precision

REVIEWER = "simulated"
ROOT = Path(__file__).resolve().parents[1]
FIGURES = {"ap": "average precision", "auroc": "AUROC", "pckh": "PCKh"}


@dataclass(frozen=True)
class Loop:
    """The searches of a seed.

    people: the data set with wrong labels.
    folder: to write into.
    noisy, truth: its labels.
    arguments: see `build_parser`.
    """

    people: People
    folder: Path
    noisy: Annotations
    truth: Truth
    arguments: argparse.Namespace

    def search(self, name: str, people: People, reviewed: tuple[Path, ...] = ()) -> FoundLabels:
        """Search the labels of ``people`` in the folder ``name``."""
        source, target = (people.folder / root for root in GROUNDS[BUILT_IN].roots)
        doubtful = LabelledImages(annotation_file(source, IMAGE_SET))
        trusted = LabelledImages(target / "annot/train.json")
        settings = {
            "SEED": people.seed,
            "DATASET_TARGET.TEST_SET": "valid",
            **parse_overrides(self.arguments.overrides),
        }
        output = self.folder / name
        return find_labels(doubtful, trusted, output, self.arguments.effort, settings, reviewed).labels

    def review(self, found: FoundLabels) -> Reviewed:
        """Review the first labels ``found``, and write the decisions unless they are there."""
        order = np.flatnonzero(np.isfinite(self.scores(found, -np.inf)))
        order = order[np.argsort(self.scores(found, -np.inf).ravel()[order])[::-1]]
        done = review(self.noisy, self.truth, order, self.arguments.reviews)
        path, (file, _) = decisions_path(self.folder / "first", REVIEWER), read_found(self.folder / "first")
        if not path.exists():
            for decision in done.decisions:
                append_decision(path, file, decision)
        return done

    def scores(self, found: FoundLabels, otherwise: float) -> np.ndarray:
        """[N, J] minus the rank of each label ``found``."""
        instance_of = {number: i for i, number in enumerate(self.noisy.ids.tolist())}
        joint_of = {name: j for j, name in enumerate(self.noisy.mapping.names)}
        scores = np.full(self.noisy.visible.shape, otherwise)
        for number, joint, rank in zip(
            found.annotation_id.tolist(), found.joint.tolist(), found.rank.tolist()
        ):
            if rank:
                scores[instance_of[number], joint_of[joint]] = -rank
        return scores

    def row(self, name: str, found: FoundLabels, others: np.ndarray) -> dict:
        """The figures of a search, of the labels ``others`` (bool [N, J])."""
        scores, wrong = self.scores(found, -np.inf)[others], self.truth.corrupted[others]
        results = read_json(self.folder / name / TRAINING / "results.json")
        return {
            "search": name,
            "seed": self.people.seed,
            "reviews": self.arguments.reviews,
            "labels": int(others.sum()),
            "wrong": int(wrong.sum()),
            "ap": float(average_precision(scores, wrong)),
            "auroc": float(auroc(scores, wrong)),
            "pckh": results["test"]["PCKh"]["Mean"],
        }

    def rows(self) -> list[dict]:
        """Search, review, and search again; a row for each search."""
        first = self.search("first", self.people)
        done = self.review(first)
        others = (self.noisy.visible > 0) & ~done.settled
        corrected = write_corrected(self.people, done.annotations, self.folder / "corrected_data")
        searches = {
            "first": first,
            "corrected": self.search("corrected", corrected),
            "reviewed": self.search("reviewed", self.people, (self.folder / "first",)),
        }
        return [self.row(name, found, others) for name, found in searches.items()]


def loop_of(arguments: argparse.Namespace, seed: int) -> Loop:
    """The labels of a seed, made wrong and written as a file."""
    case = Case("ours1", None, *parse_noise_or_mixture(arguments.noise), seed)
    clean = case.people(arguments.data)
    draw(clean)
    folder = (arguments.out / f"{seed}-{arguments.reviews}").resolve()
    trial = Trial(GROUNDS[BUILT_IN].cfg, "ours1", clean, case.injected, seed, {}, folder)
    data = trial.data({})
    if data.source_truth is None:
        raise InputError(f"--noise {arguments.noise}: nothing is wrong, so there is nothing to review")
    people = write_corrected(clean, data.source.annotations, folder / "data")
    return Loop(people, folder, data.source.annotations, data.source_truth, arguments)


def markdown(rows: list[dict]) -> str:
    """The figures of each search and number of reviews: means over seeds, and their 95 % intervals."""
    lines = []
    for reviews, name in dict.fromkeys((row["reviews"], row["search"]) for row in rows):
        own = [row for row in rows if (row["reviews"], row["search"]) == (reviews, name)]
        digits = {"ap": 3, "auroc": 3, "pckh": 1}
        figures = [interval(row[figure] for row in own).text(digits[figure]) for figure in FIGURES]
        lines.append([reviews, name, *figures, len(own)])
    return table(["reviews", "search", *FIGURES.values(), "seeds"], lines)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", default="100,101", metavar="SEED,...", help="default: 100,101")
    parser.add_argument("--reviews", type=int, default=300, metavar="N", help="default: 300")
    parser.add_argument("--noise", default="low", metavar="KIND:SHARE", help="see benchmarks/modes.py; default: low")  # fmt: skip
    parser.add_argument("--effort", choices=EFFORTS, default="normal", help="of find_labels.py; default: normal")  # fmt: skip
    parser.add_argument("--data", type=Path, default=ROOT / "data/evidence", metavar="DIR", help="folder for the drawn sets; default: data/evidence")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="any setting of the trainings")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code is 2 for invalid input."""
    arguments = build_parser().parse_intermixed_args(argv)
    path = arguments.out / "rows.json"
    try:
        rows = read_json(path) if path.exists() else []
        for seed in seeds_of(arguments.seeds, "--seeds"):
            if not any((row["seed"], row["reviews"]) == (seed, arguments.reviews) for row in rows):
                rows += loop_of(arguments, seed).rows()
                write_text(path, json.dumps(rows, indent=1) + "\n")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    text = markdown(rows)
    write_text(path.with_name("table.md"), text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
