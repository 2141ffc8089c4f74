"""How well wrong labels are found with the predictions of a published network alone: real MPII poses, our noise.

    python benchmarks/predictions.py --data FOLDER [--network newell_hourglass] [--noise low] [--seeds 0,1,2,3,4]

FOLDER holds MPII's annot/valid.json, annot/gt_valid.mat and preds/NETWORK.mat, as its evaluation has them; no image
is read, and nothing is known about which labels are right. Labels are corrupted, and then ranked

    judged     by `judge_predictions` (find_labels.py --predictions)
    distance   by the distance to the prediction, in head sizes
    geometry   by the shape of the person alone, learned from the predicted poses

AUROC / average precision / AUROC within a joint are means over the seeds of the noise with their 95 % intervals.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.evidence.cases import MIXTURES
from benchmarks.evidence.summary import interval
from benchmarks.tables import Cell, rows
from lib.dataset.annotations import PADDING, Annotations, read_json
from lib.dataset.keypoints import MPII_KEYPOINTS, joint_mapping
from lib.dataset.mpii_truth import read_mpii_predictions, read_mpii_truth
from lib.ignoring.suspects import THRESHOLD, Suspects
from lib.label_noise.injection import inject
from lib.label_noise.truth import Truth
from lib.utils.files import write_text
from lib.wrong_labels.metrics import Detection, detection
from lib.wrong_labels.predicted_readings import Belief, readings_of, shapes_of
from lib.wrong_labels.predictions import Predicted, judge_predictions
from lib.wrong_labels.renamings import Renamings

FIGURES = ("auroc", "ap", "auroc_within")


def read_people(data: Path) -> Annotations:
    """The validation split as lib.dataset.mpii reads it, but without its images; bounds are those of the labels."""
    people, truth = read_json(data / "annot" / "valid.json"), read_mpii_truth(data / "annot" / "gt_valid.mat")
    names = [person["image"] for person in people]
    images = list(dict.fromkeys(names))
    scales = np.array([person["scale"] for person in people])
    centers = np.array([person["center"] for person in people], np.float64) - 1
    centers[:, 1] += 15 * scales
    sides = 200 * scales * PADDING
    joints = truth.joints - 1
    return Annotations(
        mapping=joint_mapping("mpii", MPII_KEYPOINTS),
        ids=np.arange(len(people)),
        image_paths=images,
        image_index=np.array([images.index(name) for name in names], np.int32),
        joints=joints,
        visible=truth.visible.astype(np.float32),
        centers=centers.astype(np.float32),
        sizes=np.stack([sides, sides], axis=1).astype(np.float32),
        head_sizes=truth.head_sizes,
        bounds=np.maximum(centers + sides[:, None] / 2, joints.max(axis=1)) + 1,
    )


def write_results(path: Path, people: Annotations, predicted: np.ndarray) -> None:
    """``predicted`` [N, J, 2] in COCO's results format; MPII's predictions have no scores."""
    results = [
        {"image_id": people.image_paths[image], "annotation_id": number, "keypoints": points}
        for number, image, points in zip(people.ids.tolist(), people.image_index, predicted.tolist())
    ]
    write_text(path, json.dumps(results))


@dataclass(frozen=True)
class Rankings:
    """Labels that were made wrong, and how suspect each ranking finds them.

    noisy, truth: the labels as they are ranked, and which are wrong.
    scores: {ranking: [N, J]}, higher is more suspect.
    suspects: what ``judged`` says of them.
    seconds: that judging took.
    """

    noisy: Annotations
    truth: Truth
    scores: dict[str, np.ndarray]
    suspects: Suspects
    seconds: float


def rankings(people: Annotations, results: Path, noise: str, seed: int) -> Rankings:
    """Make labels of ``people`` wrong, and rank them by the predictions in ``results``."""
    noisy, truth = inject(people, noise, seed)
    started = time.monotonic()
    judged = judge_predictions(Predicted(noisy, results), None, seed)
    seconds = time.monotonic() - started
    matched = judged.matched
    readings = readings_of(noisy, matched, Belief.of(noisy, matched), seed)
    geometry = shapes_of(readings, Renamings.of(noisy.mapping.skeleton)).seen_in(readings).shape_odds
    distance = np.linalg.norm(matched.points - noisy.joints, axis=-1) / people.head_sizes[:, None]
    scores = {"judged": judged.found.scores, "distance": distance, "geometry": geometry}
    return Rankings(noisy, truth, scores, judged.found.suspects, seconds)


def trial(people: Annotations, results: Path, noise: str, seed: int) -> tuple[dict[str, Detection], float]:
    """The figures of each ranking, and the seconds that judging took."""
    ranked = rankings(people, results, noise, seed)
    labelled = ranked.noisy.visible > 0
    wrong = ranked.truth.corrupted & labelled
    flagged = ranked.suspects.probability > THRESHOLD
    found = {name: detection(values, wrong, labelled, flagged) for name, values in ranked.scores.items()}
    return found, ranked.seconds


def trials(arguments: argparse.Namespace) -> Iterator[list[Cell]]:
    """A row of the table for each noise and ranking."""
    people = read_people(arguments.data)
    predicted = read_mpii_predictions(arguments.data / "preds" / f"{arguments.network}.mat") - 1
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        write_results(results, people, predicted)
        for noise in arguments.noise.split(","):
            runs = []
            for seed in map(int, arguments.seeds.split(",")):
                found, seconds = trial(people, results, MIXTURES.get(noise, noise), seed)
                runs.append(found)
                for name, of_name in found.items():
                    figures = " / ".join(f"{getattr(of_name, figure):.4f}" for figure in FIGURES)
                    print(f"{noise}, seed {seed}, {name}: {figures}", flush=True)
                print(f"judged in {seconds:.0f} s", flush=True)
            for name in runs[0]:
                figures = [interval(getattr(run[name], figure) for run in runs) for figure in FIGURES]
                yield [noise, name, *(figure.text(3) for figure in figures), len(runs)]


def main(argv: list[str] | None = None) -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="annot and preds of MPII")
    parser.add_argument("--network", default="newell_hourglass", help="name of a file in preds")
    parser.add_argument("--noise", default="low", help="kinds of noise, with commas between")
    parser.add_argument("--seeds", default="0,1,2,3,4", help="of the noise, with commas between")
    header = ["noise", "ranking", "AUROC", "average precision", "AUROC within a joint", "seeds"]
    print(rows(header, list(trials(parser.parse_args(argv)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
