"""Other directions for the hypergradient along the final layer: what they find, and what they cost.

    python benchmarks/directions.py --json benchmarks/results/directions.json

Trains ours1 on the built-in data for each of --variants, --noise and --seeds, and writes a row for each run; rows
that the file has already are not run again, whatever the other settings were. Beside the file, FILE.md has the
table. Weights are judged by AUROC and average precision (AP) of the wrong labels, the network by the test set's
PCKh. Then --repeat rounds of 16 training steps of every variant, in turn, for their times: medians, as ratios to
baseline2's. "n F" below is what the direction costs in forward passes of the validation batch.

whole             LBI.HYPERGRAD_LAYERS all: the validation gradient of all layers at the look-ahead (3 F, and 2 F of
                  the source batch for the tangent)
final             LBI.HYPERGRAD_LAYERS final: the same along the final layer alone (1 F)
present           the validation gradient at the present parameters, without a look-ahead (1 F)
running_mean      the running mean (0.9) of the training gradients of the target batches (none)
features_every_K  the inputs of the final layer for the validation batch are kept for K hypergradients; its own
                  gradient is new each time, at the look-ahead (1/K F)
direction_every_K the direction is kept for K hypergradients (1/K F)
interval_K        final, with LBI.HYPERGRAD_INTERVAL K; the others have the YAML file's
"""

import argparse
import contextlib
import io
import json
import math
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.direction_sources import (
    KeptDirection,
    KeptFeatures,
    Present,
    RunningMean,
    Source,
    direction_of,
)
from benchmarks.evidence.cases import Case
from benchmarks.evidence.jobs import draw
from benchmarks.evidence.methods import chosen
from benchmarks.evidence.runner import run_side_by_side
from benchmarks.evidence.summary import paired
from benchmarks.evidence.trial import Trial
from benchmarks.modes import seeds_of
from benchmarks.tables import rows as table
from benchmarks.timing import machine, median_times, write_numbers
from lib.config.loader import parse_overrides
from lib.label_noise.corruptions import parse_noise
from lib.training.batches import TrainingBatches
from lib.training.run_spec import RunSpec
from lib.training.state import initial_state
from lib.training.timed_steps import TimedSteps
from lib.training.trainer import Trainer
from lib.utils.errors import InputError
from lib.utils.files import write_text

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = "baseline2"  # of the times
TIMED_STEPS = 16  # a multiple of the steps after which the work of any variant repeats


@dataclass(frozen=True)
class Variant:
    """A mode and its settings; ``source`` makes what replaces the product's direction, None: nothing does."""

    mode: str
    settings: dict
    source: Callable[[], Source] | None = None


def ours1(source: Callable[[], Source] | None = None, **lbi: object) -> Variant:
    """ours1 along the final layer, with settings of the section LBI."""
    return Variant("ours1", {f"LBI.{key}": value for key, value in {"HYPERGRAD_LAYERS": "final", **lbi}.items()}, source)  # fmt: skip


VARIANTS = {
    "baseline2": Variant("baseline2", {}),
    "whole": ours1(HYPERGRAD_LAYERS="all"),
    "final": ours1(),
    "present": ours1(Present),
    "running_mean": ours1(RunningMean),
    **{f"features_every_{k}": ours1(partial(KeptFeatures, k)) for k in (2, 4, 8)},
    **{f"direction_every_{k}": ours1(partial(KeptDirection, k)) for k in (2, 4, 8)},
    **{f"interval_{k}": ours1(HYPERGRAD_INTERVAL=k) for k in (1, 4, 8)},
}


@dataclass(frozen=True)
class Job:
    """One training.   arguments: see `build_parser`."""

    variant: str
    noise: str
    seed: int
    arguments: argparse.Namespace

    def __str__(self) -> str:
        return f"{self.variant} {self.noise} seed {self.seed}"

    def spec(self, folder: str) -> RunSpec:
        """The input of the training, which writes below ``folder``; its data is drawn if it is not there."""
        variant, arguments = VARIANTS[self.variant], self.arguments
        case = Case("ours1", None, *parse_noise(self.noise), self.seed)
        people = case.people(arguments.data)
        draw(people)
        trial = Trial(arguments.cfg, variant.mode, people, case.injected, self.seed, {}, Path(folder))
        return trial.spec(variant.mode, parse_overrides(self.arguments.overrides) | variant.settings)


def train(job: Job) -> dict:
    """Run a training; its row."""
    variant = VARIANTS[job.variant]
    source = variant.source and variant.source()
    with (
        tempfile.TemporaryDirectory(prefix="directions") as folder,
        contextlib.redirect_stdout(io.StringIO()),
        direction_of(source),
    ):
        results = json.loads(Trainer(job.spec(folder)).train().read_text(encoding="utf-8"))
    row = {
        "variant": job.variant,
        "noise": job.noise,
        "seed": job.seed,
        "pckh": results["test"]["PCKh"]["Mean"],
    }
    for weights in results["weights"].values():
        row |= {"auroc": weights["auroc"], "ap": weights["average_precision"]}
    return row


def step_times(jobs: list[Job], repeat: int) -> dict[str, float]:
    """Median seconds of a training step of each job's variant; the steps of all variants in turn."""
    calls = {}
    with contextlib.ExitStack() as stack:
        for job in jobs:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="directions"))
            with contextlib.redirect_stdout(io.StringIO()):
                spec = job.spec(folder)
                state, phase = initial_state(spec), spec.phases[0]
            batches = stack.enter_context(TrainingBatches(spec, phase, state))
            make = VARIANTS[job.variant].source
            calls[job.variant] = partial(
                _timed, make and make(), TimedSteps(spec, phase, state, batches), TIMED_STEPS
            )
        seconds = median_times(calls, repeat)
    return {name: value / TIMED_STEPS for name, value in seconds.items()}


def _timed(source: Source | None, steps: TimedSteps, count: int) -> None:
    with direction_of(source):
        steps.run(count)


def markdown(rows: list[dict], ratios: dict[str, float]) -> str:
    """The table: means over seeds, differences from ``final`` over all runs that both have, and step times."""
    noises = list(dict.fromkeys(row["noise"] for row in rows))
    names = [name for name in VARIANTS if any(row["variant"] == name for row in rows)]
    header = ["", "runs", *(f"{noise}: PCKh / AUROC / AP" for noise in noises), "PCKh - final", "AUROC - final", "AP - final", "step / baseline2"]  # fmt: skip
    cells = []
    for name in names:
        own = [row for row in rows if row["variant"] == name]
        means = [_means([row for row in own if row["noise"] == noise]) for noise in noises]
        differences = [_difference(rows, name, *column) for column in (("pckh", 1), ("auroc", 3), ("ap", 3))]
        cells.append([name, len(own), *means, *differences, f"{ratios[name]:.2f}" if name in ratios else "-"])
    on = ", ".join(f"{key} {value}" for key, value in machine().items())
    text = f"""\
# Directions of the hypergradient

    python benchmarks/directions.py --json FILE.json

On {on}. Its --help says what the variants are. Means over seeds; differences are paired over the noises and seeds
that both have, with 95 % intervals.
"""
    return f"{text}\n{table(header, cells)}"


def _means(rows: list[dict]) -> str:
    columns = [[row[name] for row in rows if name in row] for name in ("pckh", "auroc", "ap")]
    digits = (1, 3, 3)
    return " / ".join(f"{statistics.mean(c):.{d}f}" if c else "-" for c, d in zip(columns, digits))


def _difference(rows: list[dict], name: str, column: str, digits: int) -> str:
    """The paired difference of a variant from ``final`` in one column; "-" if there is none."""
    values, others = (
        {(row["noise"], row["seed"]): row[column] for row in rows if row["variant"] == v and column in row}
        for v in (name, "final")
    )
    found = paired(values, others)
    if name == "final" or found is None:
        return "-"
    text = f"{found.mean:+.{digits}f}"
    return text if math.isnan(found.half) else f"{text} ± {found.half:.{digits}f}"


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--repeat", type=int, default=7, help="rounds of the steps that are timed; default: 7")  # fmt: skip
    parser.add_argument("--only", choices=("trainings", "times"), help="default: both")
    parser.add_argument("--variants", default="all", metavar="NAME,...", help="default: all")
    parser.add_argument("--noise", default="exchange:0.6,offset:0.5", metavar="KIND:SHARE,...", help="default: exchange:0.6,offset:0.5")  # fmt: skip
    parser.add_argument("--seeds", default="2,3,4", metavar="SEED,...", help="default: 2,3,4")
    parser.add_argument("--cfg", type=Path, default=ROOT / "experiments/demo/people.yaml", metavar="FILE", help="default: the demo's")  # fmt: skip
    parser.add_argument("--data", type=Path, default=ROOT / "data/evidence", metavar="DIR", help="folder of the generated data; default: data/evidence")  # fmt: skip
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="any setting of the trainings")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code is 1 if a run failed, 2 for invalid input."""
    arguments = build_parser().parse_intermixed_args(argv)
    cv2.setNumThreads(1)  # as torch, see ONE_THREAD of trial.py
    try:
        variants = chosen(arguments.variants, VARIANTS, "--variants")
        seeds = seeds_of(arguments.seeds, "--seeds")
        noises = arguments.noise.split(",")
        for noise in noises:
            parse_noise(noise)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    path = arguments.json
    before = json.loads(path.read_text(encoding="utf-8")) if path and path.exists() else {}
    rows, ratios = before.get("rows", []), before.get("ratios", {})
    # Whole seeds first, so that an interruption leaves complete ones.
    jobs = [Job(v, n, s, arguments) for s in seeds for n in noises for v in variants]
    known = {(row["variant"], row["noise"], row["seed"]) for row in rows}

    def finished(row: dict) -> str:
        rows.append(row)
        write_numbers(path, {"rows": rows, "ratios": ratios})
        return f"PCKh {row['pckh']:.1f}"

    failed = 0
    if arguments.only != "times":
        missing = [job for job in jobs if (job.variant, job.noise, job.seed) not in known]
        failed = run_side_by_side(missing, train, 1, finished)
    if arguments.only != "trainings":
        names = list(dict.fromkeys([REFERENCE, *variants]))
        seconds = step_times([Job(v, noises[0], seeds[0], arguments) for v in names], arguments.repeat)
        ratios |= {name: value / seconds[REFERENCE] for name, value in seconds.items()}
        write_numbers(path, {"rows": rows, "ratios": ratios})
    text = markdown(rows, ratios)
    print(text)
    if path:
        write_text(path.with_suffix(".md"), text)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
