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
from dataclasses import dataclass
from pathlib import Path

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
from benchmarks.timing import benchmark_parser, write_numbers
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
from lib.ignoring.trainable_model import TrainableModel, frozen_batchnorm
from lib.ignoring.weight_table import auroc
from lib.label_noise.corruptions import parse_noise
from lib.training.batches import TrainingBatches, as_batch, as_step_batches
from lib.training.phases import Phase
from lib.training.run_spec import RunSpec
from lib.training.trainer import FinishedStep, Trainer

ROOT = Path(__file__).resolve().parents[1]
NOISES = "exchange:0.6,jitter:0.6,person_swap:0.4,offset:0.5"
GROUPS = ("stem", "layer1", "layer2", "layer3", "layer4", "deconv1", "deconv2", "deconv3", "final_layer")
# The values of LBI.HYPERGRAD_LAYERS: groups that the direction keeps.
SETTINGS = {"head": GROUPS[5:], "all": GROUPS}
QUANTITIES = ("share", "norm", "rank", "auroc")


def group_of(parameter: str) -> str:
    """The group of layers that a parameter of PoseResNet belongs to, by the parameter's name."""
    layer, *rest = parameter.split(".")
    if layer in ("conv1", "bn1"):
        return "stem"
    # Each transposed convolution is followed by its BatchNorm and ReLU.
    return f"deconv{int(rest[0]) // 3 + 1}" if layer == "deconv_layers" else layer


def next_directions(model: TrainableModel, batches: StepBatches) -> dict[str, Direction]:
    """The unit directions of ours1's next step, by value of LBI.HYPERGRAD_THROUGH; leaves no trace."""
    elements = batches.target.element_count + batches.source.element_count
    with frozen_batchnorm(model.model):
        gradient = model.gradient(model.losses(batches.target).sum() / elements)
    ahead = model.look_ahead(gradient)
    gradient, _ = validation_gradient(model, ahead.parameters, batches.validation)
    u = normalized(gradient)
    return {"sgd": u, "optimizer": through_optimizer(u, ahead.derivative)}


@torch.no_grad()
def products_by_group(
    model: TrainableModel, direction: list[Tensor], batches: Iterable[Batch]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The keypoint losses l, and < v, grad l_ij > for the part of ``direction`` in each group, all [N, J]."""
    owners = [group_of(name) for name, _ in model.model.named_parameters()]
    losses, products = [], {group: [] for group in GROUPS}
    with frozen_batchnorm(model.model):
        for batch in batches:
            for group in GROUPS:
                part = [v if owner == group else torch.zeros_like(v) for v, owner in zip(direction, owners)]
                values, product = losses_and_jvp(model, batch, part)
                products[group].append(product.double().cpu().numpy())
            losses.append(values.double().cpu().numpy())
    return np.concatenate(losses), {group: np.concatenate(parts) for group, parts in products.items()}


def norm_shares(model: TrainableModel, direction: list[Tensor]) -> dict[str, float]:
    """The share of each group in |v|^2."""
    shares = dict.fromkeys(GROUPS, 0.0)
    for (name, _), v in zip(model.model.named_parameters(), direction):
        shares[group_of(name)] += float(v.double().square().sum())
    total = sum(shares.values())
    return {group: value / total for group, value in shares.items()}


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
            "auroc": auroc(part, wrong),
        }
    return found


class WatchedTrainer(Trainer):
    """Training as usual, except that the layers are examined where ``steps`` steps have been taken.

    Args:
        people: number of source people that are examined, the first ones.
    """

    def __init__(self, spec: RunSpec, steps: Iterable[int], people: int):
        super().__init__(spec)
        self.steps = set(steps)
        self.people = people
        self.rows: list[dict] = []

    def run_step(self, phase: Phase, epoch: int) -> FinishedStep:
        """Examine the layers if it is time, then take the step."""
        if self.state.step in self.steps:
            self.rows += self._examine(phase)
        return super().run_step(phase, epoch)

    def _examine(self, phase: Phase) -> list[dict]:
        model, use_weight = self.state.target, self.config.loss.use_target_weight
        # The batches that the coming step will have; its source batch only counts, for the size of the mean.
        with TrainingBatches(self.spec, phase, self.state) as batches:
            samples = batches.next(self.state.step, Weighting.UPDATE)
        directions = next_directions(model, as_step_batches(samples, use_weight))

        source = self.data.source
        people = source.annotations.subset(np.arange(self.people))
        plain = KeypointDataset(people, source.codec, None, self.config.dataset.color_rgb)
        size = self.config.train.src_batch_size or self.config.train.batch_size
        read = [sample.to(self.state.device) for sample in evaluation_batches(plain, size, 0, False)]
        labelled = torch.cat([sample.target_weight for sample in read]).cpu().numpy() > 0
        wrong = self.data.source_truth.corrupted[: self.people][labelled]

        rows = []
        for through, direction in directions.items():
            held = [as_batch(sample, use_weight) for sample in read]
            losses, products = products_by_group(model, direction.tensors, held)
            scale = np.sqrt(losses + loss_floor(self.config))
            parts = {group: (product / scale)[labelled] for group, product in products.items()}
            norms = norm_shares(model, direction.tensors)
            norms |= {name: sum(norms[group] for group in groups) for name, groups in SETTINGS.items()}
            rows += [
                {
                    "step": self.state.step,
                    "through": through,
                    "layers": layers,
                    "norm": norms[layers],
                    **found,
                }
                for layers, found in findings(parts, wrong).items()
            ]
        rows.append({"step": self.state.step, "layers": "loss", "auroc": auroc(-losses[labelled], wrong)})
        return rows


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
        trial = Trial(arguments.cfg, "ours1", people.folder, case.injected, job.seed, {}, Path(folder))
        settings = parse_overrides(arguments.overrides)
        trainer = WatchedTrainer(trial.spec("ours1", settings), arguments.steps, arguments.people)
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
    along = [row for row in rows if row.get("through") != "optimizer"]
    through = [row for row in rows if row.get("through") == "optimizer"]
    found = {f"{value}, validation gradient": pivot(along, value, "step") for value in QUANTITIES}
    found["auroc by noise, validation gradient"] = pivot(along, "auroc", "noise")
    columns = {value: pivot(through, value, "through") for value in QUANTITIES}
    found["through the optimizer's derivative"] = {
        layers: {value: columns[value][layers]["through optimizer"] for value in QUANTITIES}
        for layers in (*GROUPS, *SETTINGS)
    }
    return found


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = benchmark_parser(__doc__, repeat=1)
    parser.add_argument("--noise", default=NOISES, metavar="KIND:SHARE,...", help=f"default: {NOISES}")
    parser.add_argument("--seeds", default="2,3", metavar="SEED,...", help="default: 2,3")
    parser.add_argument("--steps", type=int, nargs="+", default=[50, 200, 400, 600], help="default: 50 200 400 600")  # fmt: skip
    parser.add_argument("--people", type=int, default=256, help="source people to examine; default: 256")
    parser.add_argument("--cfg", type=Path, default=ROOT / "experiments/demo/people.yaml", metavar="FILE", help="default: the demo's")  # fmt: skip
    parser.add_argument("--data", type=Path, default=ROOT / "data/evidence", metavar="DIR", help="folder of the generated data; default: data/evidence")  # fmt: skip
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="any setting of the training")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code is 1 if a run failed."""
    arguments = build_parser().parse_intermixed_args(argv)
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
