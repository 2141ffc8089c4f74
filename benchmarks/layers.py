"""Which layers carry the hypergradient: what each one adds to it, and how well each finds wrong labels alone.

    python benchmarks/layers.py --json output/layers.json

Trains ours1 on the built-in data, with the whole hypergradient, for each of --noise and --seeds. Where --steps
steps have been taken, the hypergradient of --people source people is computed layer by layer, in batches as in
training: that of keypoint ij is the inner product < v, grad l_ij > with a direction v, so it is the sum of its
parts in the groups of layers, each a JVP along v restricted to that group. Along both of LBI.HYPERGRAD_THROUGH's
directions, and as the loss-aware variables see it, g = < v, grad l_ij > / sqrt(l_ij + floor).

share: covariance of a group's part of g with g, over g's variance, over all labels; shares sum to one.
norm: the group's share of |v|^2.   rank: Spearman's correlation of a group's part with g.
auroc: of a group's part as a detector of the wrong labels, which are known; "loss" is the label's own loss.
head is deconv1 to final_layer, final is final_layer, all is everything: the values of LBI.HYPERGRAD_LAYERS.
"""

import argparse
import contextlib
import io
import statistics
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.evidence.cases import Case
from benchmarks.evidence.jobs import draw
from benchmarks.evidence.ranking import loss_floor
from benchmarks.evidence.runner import run_side_by_side
from benchmarks.evidence.trial import Trial
from benchmarks.modes import seeds_of
from benchmarks.tables import tables
from benchmarks.timing import write_numbers
from lib.config.loader import parse_overrides
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.dataset.loader import evaluation_batches
from lib.ignoring.batch import Batch, StepBatches
from lib.ignoring.bilevel_step import Weighting
from lib.ignoring.hypergradient import (
    Direction,
    losses_and_jvp,
    normalized,
    through_optimizer,
    validation_gradient,
)
from lib.ignoring.lookahead import norm
from lib.ignoring.trainable_model import TrainableModel, frozen_batchnorm
from lib.label_noise.corruptions import parse_noise
from lib.training.batches import TrainingBatches, as_batch, as_step_batches
from lib.training.phases import Phase
from lib.training.run_spec import RunSpec
from lib.training.trainer import FinishedStep, Trainer
from lib.wrong_labels.metrics import auroc

ROOT = Path(__file__).resolve().parents[1]
WHOLE = {"LBI.HYPERGRAD_LAYERS": "all"}  # of the training that is watched
NOISES = "exchange:0.6,jitter:0.6,person_swap:0.4,offset:0.5"
# Groups of layers, by the names of their modules in PoseResNet; each BatchNorm goes with its convolution.
GROUPS = {
    "stem": ("conv1", "bn1"),
    **{name: (name,) for name in ("layer1", "layer2", "layer3", "layer4")},
    **{f"deconv{i + 1}": (f"deconv_layers.{3 * i}", f"deconv_layers.{3 * i + 1}") for i in range(3)},
    "final_layer": ("final_layer",),
}
# The groups that other values of LBI.HYPERGRAD_LAYERS than final consist of.
SETTINGS = {"head": ("deconv1", "deconv2", "deconv3", "final_layer"), "all": tuple(GROUPS)}
QUANTITIES = ("share", "norm", "rank", "auroc")


def next_directions(model: TrainableModel, batches: StepBatches) -> dict[str, Direction]:
    """The unit directions of ours1's next step, by value of LBI.HYPERGRAD_THROUGH; leaves no trace."""
    elements = batches.target.element_count + batches.source.element_count
    with frozen_batchnorm(model.model):
        gradient = model.gradient(model.losses(batches.target).sum() / elements)
    ahead = model.look_ahead(gradient)
    gradient, _ = validation_gradient(model, ahead.parameters, batches.validation)
    u = normalized(gradient)
    return {"sgd": u, "optimizer": through_optimizer(u, ahead.derivative)}


def along(model: TrainableModel, layers: tuple[str, ...]) -> TrainableModel:
    """The same model, with hypergradients along the modules ``layers`` only; none: along all of it."""
    return replace(model, hypergradient_layers=layers)


@torch.no_grad()
def products_by_group(
    model: TrainableModel, direction: list[Tensor], batches: list[Batch]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The keypoint losses l, and < v, grad l_ij > for the part of ``direction`` in each group, all [N, J]."""
    losses, products = [], {}
    with frozen_batchnorm(model.model):
        for group, layers in GROUPS.items():
            part = along(model, layers)
            found = [losses_and_jvp(part, batch, part.select_direction(direction)) for batch in batches]
            losses, products[group] = (torch.cat(values).double().cpu().numpy() for values in zip(*found))
    return losses, products


def norm_shares(model: TrainableModel, direction: list[Tensor]) -> dict[str, float]:
    """The share of |v|^2 in each group, and in head and all."""
    squares = {
        group: float(norm(along(model, layers).select_direction(direction))) ** 2
        for group, layers in GROUPS.items()
    }
    squares |= {name: sum(squares[group] for group in groups) for name, groups in SETTINGS.items()}
    return {name: square / squares["all"] for name, square in squares.items()}


def findings(parts: dict[str, np.ndarray], wrong: np.ndarray) -> dict[str, dict[str, float]]:
    """share, rank and auroc of each group and of head and all.

    Args:
        parts: {group: [K]}, whose sum is g.
        wrong: [K], true for a wrong label.
    """
    whole = sum(parts.values())
    sets = {group: (group,) for group in parts} | SETTINGS
    found = {}
    for name, groups in sets.items():
        part = sum(parts[group] for group in groups)
        found[name] = {
            "share": float(np.cov(part, whole)[0, 1] / whole.var(ddof=1)),
            "rank": float(spearmanr(part, whole).statistic),
            "auroc": auroc(-part, wrong),
        }
    return found


@dataclass(frozen=True)
class Examined:
    """The source people whose keypoints are examined, without augmentation.

    batches: as large as in training, since BatchNorm normalizes by the batch.
    labelled: [N, J] the keypoints that count.   wrong: [K] which of these K are wrong.
    """

    batches: list[Batch]
    labelled: np.ndarray
    wrong: np.ndarray

    @classmethod
    def first_of(cls, spec: RunSpec, count: int, device: torch.device) -> "Examined":
        """The first ``count`` people of the run's source."""
        source, train = spec.data.source, spec.config.train
        people = source.annotations.subset(np.arange(len(source))[:count])
        plain = KeypointDataset(people, source.codec, None, spec.config.dataset.color_rgb)
        read = evaluation_batches(plain, train.src_batch_size or train.batch_size, 0, False)
        batches = [as_batch(sample.to(device), spec.config.loss.use_target_weight) for sample in read]
        labelled = torch.cat([batch.loss_weights for batch in batches]).cpu().numpy() > 0
        return cls(batches, labelled, spec.data.source_truth.corrupted[:count][labelled])


class WatchedTrainer(Trainer):
    """Training as usual, except that the layers are examined where ``steps`` steps have been taken.

    Args:
        people: number of source people that are examined.
    """

    def __init__(self, spec: RunSpec, steps: Iterable[int], people: int):
        super().__init__(spec)
        self.steps = set(steps)
        self.examined = Examined.first_of(spec, people, self.state.device)
        self.rows: list[dict] = []

    def run_step(self, phase: Phase, epoch: int) -> FinishedStep:
        """Examine the layers if it is time, then take the step."""
        if self.state.step in self.steps:
            self.rows += self._examine(phase)
        return super().run_step(phase, epoch)

    def _examine(self, phase: Phase) -> list[dict]:
        model, examined = along(self.state.target, ()), self.examined
        # The batches of the coming step; its source batch only counts, for the size of the mean.
        with TrainingBatches(self.spec, phase, self.state) as batches:
            samples = batches.next(self.state.step, Weighting.UPDATE)
        coming = as_step_batches(samples, self.config.loss.use_target_weight)

        rows = []
        for through, direction in next_directions(model, coming).items():
            losses, products = products_by_group(model, direction.tensors, examined.batches)
            scale = np.sqrt(losses + loss_floor(self.config))
            parts = {group: (product / scale)[examined.labelled] for group, product in products.items()}
            norms = norm_shares(model, direction.tensors)
            for layers, found in findings(parts, examined.wrong).items():
                rows.append({"through": through, "layers": layers, "norm": norms[layers], **found})
        by_loss = auroc(losses[examined.labelled], examined.wrong)
        return [{"step": self.state.step, **row} for row in (*rows, {"layers": "loss", "auroc": by_loss})]


@dataclass(frozen=True)
class Run:
    """One training that is watched; see `build_parser` for the fields."""

    noise: str
    seed: int
    arguments: argparse.Namespace

    def __str__(self) -> str:
        return f"{self.noise} seed {self.seed}"


def run(job: Run) -> list[dict]:
    """Train and examine; a row for each moment, direction and group of layers."""
    arguments = job.arguments
    case = Case("ours1", None, *parse_noise(job.noise), job.seed)
    people = case.people(arguments.data)
    draw(people)
    with tempfile.TemporaryDirectory(prefix="layers") as folder, contextlib.redirect_stdout(io.StringIO()):
        trial = Trial(arguments.cfg, "ours1", people, case.injected, job.seed, {}, Path(folder))
        spec = trial.spec("ours1", WHOLE | parse_overrides(arguments.overrides))
        trainer = WatchedTrainer(spec, seeds_of(arguments.steps, "--steps"), arguments.people)
        trainer.train()
    return [{"noise": job.noise, "seed": job.seed, **row} for row in trainer.rows]


def pivot(rows: list[dict], value: str, column: str) -> dict[str, dict[str, float]]:
    """{layers: {value of ``column``: mean of ``value``}}, means over everything else."""
    cells: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        if value in row:
            cell = cells.setdefault(row["layers"], {}).setdefault(f"{column} {row[column]}", [])
            cell.append(row[value])
    return {
        layers: {name: statistics.mean(values) for name, values in columns.items()}
        for layers, columns in cells.items()
    }


def summary(rows: list[dict]) -> dict:
    """The tables: every quantity by step, the AUROC by noise, and the direction through the optimizer."""
    plain = [row for row in rows if row.get("through") != "optimizer"]
    through = [row for row in rows if row.get("through") == "optimizer"]
    found = {f"{value}, validation gradient": pivot(plain, value, "step") for value in QUANTITIES}
    found["auroc by noise, validation gradient"] = pivot(plain, "auroc", "noise")
    columns = {value: pivot(through, value, "through") for value in QUANTITIES}
    found["through the optimizer's derivative"] = {
        layers: {value: columns[value][layers]["through optimizer"] for value in QUANTITIES}
        for layers in (*GROUPS, *SETTINGS)
    }
    return found


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--noise", default=NOISES, metavar="KIND:SHARE,...", help=f"default: {NOISES}")
    parser.add_argument("--seeds", default="2,3", metavar="SEED,...", help="default: 2,3")
    parser.add_argument("--steps", default="50,200,400,600", metavar="STEP,...", help="default: 50,200,400,600")  # fmt: skip
    parser.add_argument("--people", type=int, default=256, help="source people to examine; default: 256")
    parser.add_argument("--cfg", type=Path, default=ROOT / "experiments/demo/people.yaml", metavar="FILE", help="default: the demo's")  # fmt: skip
    parser.add_argument("--data", type=Path, default=ROOT / "data/evidence", metavar="DIR", help="folder of the generated data; default: data/evidence")  # fmt: skip
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="any setting of the training")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code is 1 if a run failed."""
    arguments = build_parser().parse_intermixed_args(argv)
    cv2.setNumThreads(1)  # as torch, see ONE_THREAD of trial.py
    rows: list[dict] = []

    def finished(new: list[dict]) -> str:
        rows.extend(new)
        return f"{len(new)} rows"

    runs = [Run(n, s, arguments) for s in seeds_of(arguments.seeds, "--seeds") for n in arguments.noise.split(",")]  # fmt: skip
    failed = run_side_by_side(runs, run, 1, finished)
    if rows:
        print(tables(summary(rows)))
        write_numbers(arguments.json, summary(rows) | {"rows": rows})
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
