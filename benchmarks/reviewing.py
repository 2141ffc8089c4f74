"""What reviewing is worth, in which order: wrong labels that are left after so many decisions, and what a network gains.

    python benchmarks/reviewing.py people --seeds 100,101 --jobs 2 --pckh ours1:1000,loss:1000
    python benchmarks/reviewing.py predictions --data FOLDER

A reviewer who sees the truth looks at labels in the order of their scores (benchmarks/simulated_reviewer.py). It is the
same one for every order; one decision is one review, however many labels it settles.

people        the built-in people. ours1: the order of find_labels.py; loss and distance: of baseline2; geometry: the shape
              of the pose alone. Trained once for each seed, and kept in --work.
predictions   MPII's validation people and a published network's predictions (benchmarks/predictions.py). judged: the
              order of find_labels.py --predictions; distance, geometry. Nothing is trained.
both          ours1_gain, judged_gain: by the number of labels that the decision is expected to settle, which is the
              probability of a mistake times the labels of its kind; random: any order; ideal: by the number that it
              does settle, about the best that an order can do.

--pckh ORDER:N,... trains baseline2 on the people's source as it is after N reviews in that order, for the test set's
PCKh; a number above that of the labels reviews them all. Rows that --out has already are not made again, whatever the
other settings were, and an interrupted training goes on. Beside --out, the tables (.md).
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.corrected_source import MODE, Training, train, write_corrected
from benchmarks.evidence.benchmark import Benchmark
from benchmarks.evidence.cases import MIXTURES, Case, parse_noise_or_mixture
from benchmarks.evidence.grounds import BUILT_IN, GROUNDS
from benchmarks.evidence.keeping import name_of, read_scores
from benchmarks.evidence.methods import chosen
from benchmarks.evidence.runner import run_side_by_side
from benchmarks.evidence.trial import Trial
from benchmarks.modes import seeds_of
from benchmarks.predictions import rankings, read_people, write_results
from benchmarks.review_tables import NONE, Row, markdown, read_rows, write_rows
from benchmarks.simulated_reviewer import Reviewed, expected_gain, review, true_gain
from lib.config.loader import current_names, load_config, parse_overrides
from lib.dataset.annotations import Annotations, read_json
from lib.dataset.mpii_truth import read_mpii_predictions
from lib.ignoring.ranking import ranked_keypoints
from lib.ignoring.weight_table import read_weight_table
from lib.label_noise.truth import Truth
from lib.utils.errors import InputError
from lib.utils.files import write_text

ROOT = Path(__file__).resolve().parents[1]
RANDOM, IDEAL, GAIN = "random", "ideal", "_gain"
ORDERS = {
    "people": ("ours1", "ours1_gain", "loss", "distance", "geometry", RANDOM, IDEAL),
    "predictions": ("judged", "judged_gain", "distance", "geometry", RANDOM, IDEAL),
}
SEEDS = {"people": "100,101,102,103,104", "predictions": "0,1,2,3,4"}
STREAM = 6_133  # second word of the seed of the random order


@dataclass(frozen=True)
class Labels:
    """Labels in doubt, and how suspect each order finds them.

    scores: {order: [N, J]}, higher is more suspect; all orders but RANDOM and IDEAL.
    """

    annotations: Annotations
    truth: Truth
    scores: dict[str, np.ndarray]

    @cached_property
    def _ideal(self) -> np.ndarray:
        return true_gain(self.annotations, self.truth)

    def reviewed(self, row: Row) -> Reviewed:
        """The labels after the reviews of a row."""
        labelled = self.annotations.visible > 0
        if row.order == RANDOM:
            order = np.random.default_rng([row.seed, STREAM]).permutation(np.flatnonzero(labelled))
        else:
            scores = self._ideal if row.order == IDEAL else self.scores[row.order]
            order = ranked_keypoints(scores, labelled, self.annotations.ids)
        return review(self.annotations, self.truth, order, row.reviews)

    def filled(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows with what their reviews come to."""
        wrong = int((self.truth.corrupted & (self.annotations.visible > 0)).sum())
        for row in rows:
            done = self.reviewed(row)
            yield replace(row, wrong=wrong, left=done.left, settled=int(done.settled.sum()))


@dataclass(frozen=True)
class Plan:
    """What is to be done; see `build_parser`.

    trained: (order, reviews) after which a network is trained.
    rows: what there is, by key; added to.
    """

    arguments: argparse.Namespace
    noise: str
    seeds: list[int]
    orders: list[str]
    counts: list[int]
    trained: list[tuple[str, int]]
    rows: dict[tuple, Row]

    def wanted(self, ground: str, seed: int) -> list[Row]:
        """The rows of a seed, still without numbers."""
        reviews = [(order, count) for order in self.orders for count in self.counts]
        return [Row(ground, self.noise, seed, *each) for each in dict.fromkeys([*reviews, *self.trained])]

    def missing(self, ground: str, seed: int) -> list[Row]:
        """Those of them that are not there."""
        return [row for row in self.wanted(ground, seed) if row.key not in self.rows]

    def add(self, rows: Iterable[Row]) -> None:
        """Add rows, and write the file."""
        self.rows.update((row.key, row) for row in rows)
        write_rows(self.arguments.out, self.rows.values())


def review_people(plan: Plan) -> int:
    """Add the rows of the built-in people; the number of failed trainings."""
    benchmark = benchmark_of(plan)
    made, failed = benchmark.run({"choices": []})
    trainings = []
    for seed in plan.seeds:
        of_seed = {row["method"]: row for row in made if row["seed"] == seed}
        if not set(benchmark.methods) <= set(of_seed):
            continue  # a training failed
        case = Case(MODE, None, *benchmark.noises[0], seed, of_seed[MODE]["settings"])
        labels = people_labels(plan, case, of_seed)
        plan.add(labels.filled(plan.missing(BUILT_IN, seed)))
        unreviewed = next(labels.filled([Row(BUILT_IN, plan.noise, seed, plan.orders[0])]))
        plan.add([replace(unreviewed, order=NONE, pckh=of_seed[MODE]["pckh"])])
        trainings += trainings_of(plan, case, labels)

    def finished(row: Row) -> str:
        plan.add([row])
        return f"PCKh {row.pckh:.1f}"

    return failed + run_side_by_side(trainings, train, plan.arguments.jobs, finished)


def benchmark_of(plan: Plan) -> Benchmark:
    """The trainings whose scores are the orders, see benchmarks/modes.py; they are kept."""
    arguments, cfg = plan.arguments, plan.arguments.cfg
    work = arguments.work.resolve()
    return Benchmark(
        cfg=cfg,
        given=current_names(parse_overrides(arguments.overrides), "command line"),
        methods=list(
            dict.fromkeys(
                [*(order.removesuffix(GAIN) for order in plan.orders if order not in (RANDOM, IDEAL)), MODE]
            )
        ),  # fmt: skip
        variables=[load_config(cfg).lbi.variables],
        noises=[parse_noise_or_mixture(plan.noise)],
        seeds=plan.seeds,
        val_in_train=True,
        own=[],
        data=arguments.data or work / "data",
        out=work / "results.json",
        jobs=arguments.jobs,
        kept=work,
    )


def people_labels(plan: Plan, case: Case, rows: dict[str, dict]) -> Labels:
    """The labels of a seed, and the scores that the benchmark keeps; ``rows``: those of the benchmark, by method."""
    benchmark = benchmark_of(plan)
    trial = Trial(
        benchmark.cfg, MODE, case.people(benchmark.data), case.injected, case.seed, {}, benchmark.kept
    )
    data = trial.data(case.settings)
    annotations, truth = data.source.annotations, data.source_truth
    if truth is None:
        raise InputError(f"--noise {plan.noise}: nothing is wrong, so there is nothing to review")
    names, scores = annotations.mapping.names, {}
    for method, row in rows.items():
        if row["scores"] is not None:
            known = read_scores(benchmark.kept / row["scores"])
            of_all = [
                [known.get((number, name), np.nan) for name in names] for number in annotations.ids.tolist()
            ]
            scores[method] = np.array(of_all)
        if method + GAIN in plan.orders:
            run = benchmark.kept / row["run"]
            written = next(iter(read_json(run / "results.json")["weights"].values()))["file"]
            suspects = read_weight_table((run / written).with_suffix(".npz"), annotations).suspects
            if suspects is None:
                raise InputError(f"{method + GAIN}: needs LBI.FIND_WRONG_LABELS true")
            scores[method + GAIN] = expected_gain(annotations, suspects)
    return Labels(annotations, truth, scores)


def trainings_of(plan: Plan, case: Case, labels: Labels) -> list[Training]:
    """The trainings of a seed that have no accuracy yet; writes their data."""
    benchmark, trainings = benchmark_of(plan), []
    for order, count in plan.trained:
        row = plan.rows[Row(BUILT_IN, plan.noise, case.seed, order, count).key]
        if row.pckh is None:
            folder = benchmark.kept / "reviewed" / f"{name_of(order, case.seed, case.noise_text)}-{count}"
            people = write_corrected(
                case.people(benchmark.data), labels.reviewed(row).annotations, folder / "data"
            )
            trainings.append(Training(row, benchmark.cfg, case.settings, people, folder / "training"))
    return trainings


def review_predictions(plan: Plan) -> int:
    """Add the rows of MPII's people and a network's predictions; 0, since nothing can fail by itself."""
    data, network = plan.arguments.data, plan.arguments.network
    if data is None:
        raise InputError("--data is missing: the folder of MPII's annot and preds")
    ground, people = f"mpii {network}", read_people(data)
    predicted = read_mpii_predictions(data / "preds" / f"{network}.mat") - 1
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        write_results(results, people, predicted)
        for seed in plan.seeds:
            if missing := plan.missing(ground, seed):
                ranked = rankings(people, results, MIXTURES.get(plan.noise, plan.noise), seed)
                gain = expected_gain(ranked.noisy, ranked.suspects)
                scores = ranked.scores | {"judged" + GAIN: gain}
                plan.add(Labels(ranked.noisy, ranked.truth, scores).filled(missing))
                print(f"seed {seed}: reviewed", flush=True)
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ground", choices=ORDERS, help="whose labels, see above")
    parser.add_argument("--data", type=Path, metavar="DIR", help="people: folder for the drawn sets (default: data in --work); predictions: the folder of MPII's annot and preds")  # fmt: skip
    parser.add_argument("--network", default="newell_hourglass", help="predictions: name of a file in preds")
    parser.add_argument("--noise", default="low", metavar="KIND:SHARE", help="a noise or mixture, see benchmarks/modes.py; default: low")  # fmt: skip
    parser.add_argument("--seeds", metavar="SEED,...", help="default: " + ", ".join(f"{seeds} ({ground})" for ground, seeds in SEEDS.items()))  # fmt: skip
    parser.add_argument("--orders", default="all", metavar="NAME,...", help="default: all above")
    parser.add_argument("--reviews", default="100,300,1000", metavar="N,...", help="default: 100,300,1000")
    parser.add_argument("--pckh", default="", metavar="ORDER:N,...", help="people: train after these reviews")
    parser.add_argument("--work", type=Path, default=ROOT / "output/reviewing", metavar="DIR", help="people: folder of the trainings; default: output/reviewing")  # fmt: skip
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/reviewing.json", metavar="FILE.json", help="file of the results; default: benchmarks/results/reviewing.json")  # fmt: skip
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="people: trainings side by side")
    parser.add_argument("--cfg", type=Path, default=GROUNDS[BUILT_IN].cfg, metavar="FILE", help="people: default: the demo's")  # fmt: skip
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="people: any setting of the trainings")  # fmt: skip
    return parser


def plan_of(arguments: argparse.Namespace) -> Plan:
    """What the command line says; InputError if it cannot be done."""
    known = ORDERS[arguments.ground]
    orders = chosen(arguments.orders, known, "--orders")
    counts = seeds_of(arguments.reviews, "--reviews")
    trained = []
    for word in filter(None, arguments.pckh.split(",")):
        order, _, count = word.partition(":")
        if arguments.ground != "people" or order not in orders or not count.isdecimal():
            raise InputError(f"--pckh {word}: expected ORDER:N of people, an order of {', '.join(orders)}")
        trained.append((order, int(count)))
    if arguments.jobs < 1:
        raise InputError(f"--jobs is {arguments.jobs}, expected at least 1")
    noise, seeds = arguments.noise, seeds_of(arguments.seeds or SEEDS[arguments.ground], "--seeds")
    parse_noise_or_mixture(noise)
    rows = {row.key: row for row in read_rows(arguments.out)}
    return Plan(arguments, noise, seeds, orders, counts, trained, rows)


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code is 1 if a training failed, 2 for invalid input."""
    arguments = build_parser().parse_intermixed_args(argv)
    try:
        plan = plan_of(arguments)
        failed = (review_people if arguments.ground == "people" else review_predictions)(plan)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if plan.rows:
        text = markdown(list(plan.rows.values()))
        write_text(arguments.out.with_suffix(".md"), text)
        print(text)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
