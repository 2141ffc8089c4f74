"""Time and memory of one training step: modes against baseline2, and against the original's way.

    python benchmarks/step.py --json output/step.json --repeat 5

ResNet-50, 256x192, 8 people in each batch, Adam. ``unrolled`` is ours2 with second-order graphs through
the look-ahead, as the original does it (tests/reference/unrolled.py). ``ours2_every4`` is the mean of 4 steps of
which one has a hypergradient. ``baseline2_usual`` has both batches in one graph and one backward pass, as such
training is usually written; baseline2 here goes through one after the other: the same gradient, half the
activations. Memory is that of fresh processes, at most.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.pose_case import PoseCase, config_of
from benchmarks.timing import benchmark_parser, median_times, peak_memory, print_peak_memory, write_numbers
from tests.reference import unrolled

EVERY = 4


def mode_step(mode: str) -> Callable[[], object]:
    """A mode's step."""
    return PoseCase(mode, config_of()).step


def parts_of(case: PoseCase) -> tuple:
    """The arguments of unrolled.py's steps after the mode."""
    lbi, models = case.config.lbi, (case.state.target, case.state.source)
    target, source = (model and (model.model, model.optimizer) for model in models)
    samples = {"target": case.target, "source": case.source, "validation": case.validation}
    batches = {
        name: (sample.image, sample.heatmaps, sample.target_weight) for name, sample in samples.items()
    }
    return lbi.lam, lbi.gamma, target, source, batches


def unrolled_step() -> Callable[[], object]:
    """A step of ours2 with second-order graphs, as in the original."""
    parts = parts_of(PoseCase("ours2", config_of()))
    return lambda: unrolled.online_step("ours2", *parts)


def usual_step() -> Callable[[], object]:
    """A step of baseline2 with both batches in one graph."""
    parts = parts_of(PoseCase("baseline2", config_of()))
    return lambda: unrolled.real_steps("baseline2", *parts, {})


def every_step() -> Callable[[], object]:
    """EVERY steps of ours2, of which one has a hypergradient."""
    case = PoseCase("ours2", config_of(LBI__HYPERGRAD_INTERVAL=EVERY, LBI__VARIABLES="persistent"))
    return lambda: [case.step() for _ in range(EVERY)]


# name: (function that returns its step, training steps per call)
VARIANTS = {
    "baseline2": (lambda: mode_step("baseline2"), 1),
    "ours2": (lambda: mode_step("ours2"), 1),
    "ours1": (lambda: mode_step("ours1"), 1),
    "ours5": (lambda: mode_step("ours5"), 1),
    "baseline4": (lambda: mode_step("baseline4"), 1),
    "ours2_every4": (every_step, EVERY),
    "unrolled": (unrolled_step, 1),
    "baseline2_usual": (usual_step, 1),
}
RATIOS = [
    ("ours2", "baseline2"),
    ("ours1", "baseline2"),
    ("ours5", "baseline2"),
    ("ours5", "baseline4"),
    ("ours2", "unrolled"),
    ("ours2", "baseline2_usual"),
    ("ours2_every4", "baseline2"),
]
MEMORY_RATIOS = [pair for pair in RATIOS if "ours2_every4" not in pair] + [("baseline4", "baseline2")]


def main() -> None:
    """Run the command."""
    parser = benchmark_parser(__doc__, repeat=5)
    parser.add_argument(
        "--only", choices=VARIANTS, help="only print the memory of three calls of this variant"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.only:
        take = VARIANTS[arguments.only][0]()
        for _ in range(3):
            take()
        print_peak_memory()
        return

    measured = {name for pair in MEMORY_RATIOS for name in pair}
    threads = ["--threads", str(arguments.threads)]
    memory = {
        name: peak_memory([__file__, "--only", name, *threads]) for name in VARIANTS if name in measured
    }
    calls = median_times({name: make() for name, (make, _) in VARIANTS.items()}, arguments.repeat)
    seconds = {name: taken / VARIANTS[name][1] for name, taken in calls.items()}
    ratios = {f"{a}/{b}": seconds[a] / seconds[b] for a, b in RATIOS}
    ratios |= {f"memory {a}/{b}": memory[a] / memory[b] for a, b in MEMORY_RATIOS}
    for name, ratio in ratios.items():
        print(f"{name:28} {ratio:6.3f}")
    write_numbers(arguments.json, {"ratios": ratios, "seconds": seconds, "peak MiB": memory})


if __name__ == "__main__":
    main()
