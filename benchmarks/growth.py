"""How the time of a training step grows with the batch, the joints and the network.

    python benchmarks/growth.py [--full] [--repeat 3] [--json FILE]

Takes steps on noise of baseline2, of ours1_final (hypergradients along the last layer) and of ours2 (along the
whole network, both models at once), around a base of ResNet-18, 96x128 pixels, batch 8 and 13 joints, or with
--full of ResNet-50 and 192x256 pixels. Straight lines fitted to the times give the fixed cost of a step and the
cost per sample (or joint), and how well a line fits; the parts of an ours1_final step, under torch's profiler,
show which of them grow.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.tables import tables
from benchmarks.timing import benchmark_parser, median_times, write_numbers
from lib.dataset.keypoint_dataset import Sample
from lib.ignoring.bilevel_step import Options, StepModels, TrainingStep
from lib.ignoring.modes import MODES
from lib.ignoring.trainable_model import TrainableModel
from lib.ignoring.variables import OnlineWeights
from lib.models.pose_resnet import RESNETS, PoseResNet
from lib.training.batches import StepSamples, as_step_batches
from lib.utils.profile import part_name, spans, totals

BATCHES = (1, 2, 4, 8, 16, 32)
JOINTS = (13, 17, 133)
NETWORKS = tuple(layers for layers in RESNETS if layers >= 18)
# {name: (mode, modules that the hypergradient is taken along; none: the whole network, options)}
VARIANTS = {
    "baseline2": ("baseline2", (), Options(lam=7e-3, gamma=1.0)),
    "ours1_final": ("ours1", ("final_layer",), Options(lam=7e-3, gamma=1.0, through_optimizer=False)),
    "ours2": ("ours2", (), Options(lam=7e-3, gamma=1.0)),
}
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True)
class Case:
    """The size of a step.   layers: of the ResNet.   image: width and height in pixels."""

    layers: int = 18
    image: tuple[int, int] = (96, 128)
    batch: int = 8
    joints: int = 13


class Steps:
    """Steps of all variants with one network, on noise batches of any size."""

    def __init__(self, case: Case):
        torch.manual_seed(0)
        self.case = case
        self.target, self.source = self._model(), self._model()

    def _model(self) -> TrainableModel:
        model = PoseResNet(self.case.layers, self.case.joints).to(DEVICE).train()
        parameters = list(model.parameters())
        return TrainableModel(model, torch.optim.Adam(parameters, lr=1e-4), parameters)

    def sample(self, batch: int) -> Sample:
        """``batch`` samples of noise."""
        (width, height), joints = self.case.image, self.case.joints
        return Sample(
            image=torch.randn(batch, 3, height, width),
            heatmaps=torch.rand(batch, joints, height // 4, width // 4),
            target_weight=torch.ones(batch, joints),
            index=torch.arange(batch),
            flipped=torch.zeros(batch, dtype=torch.bool),
            problem="",
        ).to(DEVICE)

    def of(self, name: str, batch: int) -> Callable[[], object]:
        """A function that takes a step of the variant ``name``."""
        mode_name, layers, options = VARIANTS[name]
        mode, sample = MODES[mode_name], self.sample(batch)
        weights = OnlineWeights(batch, tuple(range(self.case.joints))).to(DEVICE)
        target, source = (replace(model, hypergradient_layers=layers) for model in (self.target, self.source))
        variables = {place: weights for place in mode.weighted_places}
        models = StepModels(target, source if mode.has_source_model else None, variables)
        samples = StepSamples(sample, sample, sample if mode.ignores else None)
        batches = as_step_batches(samples, True)
        return lambda: TrainingStep(mode, options, models, batches).run()

    def parameters(self) -> int:
        """Number of parameters of a model."""
        return sum(p.numel() for p in self.target.parameters)

    def gigaflops(self, batch: int) -> float:
        """GFLOP of the convolutions of one forward pass."""
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            self.target.model(self.sample(batch).image)
        return counter.get_total_flops() / 1e9


def straight_line(sizes: list[int], seconds: list[float]) -> dict[str, float]:
    """Fit seconds = fixed + each * size, minimising relative errors.

    furthest: the largest distance of a time from the line, as a share of the time.
    """
    x, y = np.asarray(sizes, float), np.asarray(seconds)
    each, fixed = np.polyfit(x, y, 1, w=1 / y)
    return {
        "fixed": float(fixed),
        "each": float(each),
        "furthest": float(np.abs((fixed + each * x) / y - 1).max()),
    }


def against_batch(base: Case, sizes: tuple[int, ...], repeat: int) -> Iterator[dict]:
    """A row for each variant and batch size."""
    steps = Steps(base)
    variants = {(name, size): steps.of(name, size) for size in sizes for name in VARIANTS}
    for (name, size), seconds in median_times(variants, repeat).items():
        yield {"mode": name, "batch": size, "seconds": seconds, "seconds per sample": seconds / size}


def against_joints(base: Case, counts: tuple[int, ...], repeat: int) -> Iterator[dict]:
    """A row for each variant and number of joints."""
    by_count = {count: Steps(replace(base, joints=count)) for count in counts}
    variants = {(name, j): steps.of(name, base.batch) for j, steps in by_count.items() for name in VARIANTS}
    for (name, joints), seconds in median_times(variants, repeat).items():
        yield {"mode": name, "joints": joints, "seconds": seconds, "seconds per joint": seconds / joints}


def against_network(base: Case, depths: tuple[int, ...], repeat: int) -> Iterator[dict]:
    """A row for each variant and depth of the network."""
    by_depth = {depth: Steps(replace(base, layers=depth)) for depth in depths}
    variants = {(name, d): steps.of(name, base.batch) for d, steps in by_depth.items() for name in VARIANTS}
    for (name, depth), seconds in median_times(variants, repeat).items():
        work = by_depth[depth].gigaflops(base.batch)
        yield {
            "mode": name,
            "layers": depth,
            "million parameters": by_depth[depth].parameters() / 1e6,
            "GFLOP a forward pass": work,
            "seconds": seconds,
            "seconds per sample": seconds / base.batch,
            "seconds per GFLOP of a forward pass": seconds / work,
        }


def parts_against_batch(base: Case, sizes: tuple[int, ...]) -> Iterator[dict]:
    """Seconds of each part of an ours1_final step, under the profiler."""
    steps = Steps(base)
    for size in sizes:
        step = steps.of("ours1_final", size)
        step()
        activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (DEVICE.type == "cuda")
        with profile(activities=activities) as profiler:
            step()
        for path, total in totals(spans(profiler.events())).items():
            yield {"part": part_name(path), "batch": size, "seconds": total.seconds}


def lines_of(rows: list[dict], by: str, what: str = "mode") -> list[dict]:
    """Straight lines of the seconds over the column ``by``, one for each value of the column ``what``."""
    lines = []
    for name in dict.fromkeys(row[what] for row in rows):
        own = [row for row in rows if row[what] == name]
        fit = straight_line([row[by] for row in own], [row["seconds"] for row in own])
        lines.append(
            {
                what: name,
                "fixed seconds": fit["fixed"],
                f"seconds per {by}": fit["each"],
                "furthest from the line, share": fit["furthest"],
            }
        )
    return lines


def side_by_side(rows: list[dict], by: str, what: str) -> list[dict]:
    """One row for each value of ``what``, with the seconds in a column for each value of ``by``."""
    by_value: dict[str, dict] = {}
    for row in rows:
        by_value.setdefault(row[what], {what: row[what]})[f"{by} {row[by]}"] = row["seconds"]
    return list(by_value.values())


def measure(base: Case, repeat: int, batches=BATCHES, joints=JOINTS, networks=NETWORKS) -> dict:
    """All measurements, as written to the JSON file."""
    by_batch = list(against_batch(base, batches, repeat))
    parts = list(parts_against_batch(base, batches))
    by_joints = list(against_joints(base, joints, repeat))
    by_network = list(against_network(base, networks, repeat))

    def ratio(rows: list[dict], by: str) -> dict[str, float]:
        plain, *others = ({r[by]: r["seconds"] for r in rows if r["mode"] == name} for name in VARIANTS)
        return {
            f"step of {name} / baseline2, {by} {value}": ours[value] / plain[value]
            for name, ours in zip(list(VARIANTS)[1:], others)
            for value in ours
        }

    where = f"ResNet-{base.layers}, {base.image[0]}x{base.image[1]}, batch {base.batch}, {base.joints} joints"
    return {
        "base": where,
        "ratios": ratio(by_batch, "batch") | ratio(by_joints, "joints") | ratio(by_network, "layers"),
        "batch": by_batch,
        "batch, straight line": lines_of(by_batch, "batch"),
        "batch, parts of ours1_final, straight line": lines_of(parts, "batch", "part"),
        "batch, parts of ours1_final, seconds": side_by_side(parts, "batch", "part"),
        "joints": by_joints,
        "joints, straight line": lines_of(by_joints, "joints"),
        "network": by_network,
    }


def main() -> None:
    """Run the command."""
    parser = benchmark_parser(__doc__, repeat=3)
    parser.add_argument("--full", action="store_true", help="ResNet-50, 192x256 pixels: much longer")
    arguments: argparse.Namespace = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    base = Case(layers=50, image=(192, 256)) if arguments.full else Case()
    numbers = measure(base, arguments.repeat)
    print(tables(numbers))
    write_numbers(arguments.json, numbers)


if __name__ == "__main__":
    main()
