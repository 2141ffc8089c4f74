"""Time and memory of one training step: modes against baseline2, and against the original's way.

    python benchmarks/step.py --json output/step.json --repeat 5

ResNet-50, 256x192, 8 people in each batch, Adam. Variants, each the mean of all steps that it takes:

  ours1_final        the recommended way: hypergradients along the last layer (LBI.HYPERGRAD_LAYERS final)
  ours1_final_every2 of two steps, one has a hypergradient
  ours2_final        source first, on both sets: a step of the source model's phase and one of the target model's
  baseline3          the same without weights
  ours1, ours2, ours5  hypergradients along the whole network through Adam's derivative; both models at once
  ours2_every4       of four steps, one has a hypergradient
  unrolled           ours2 with second-order graphs through the look-ahead, as the original does it
                     (tests/reference/unrolled.py)
  baseline2_usual    both batches in one graph and one backward pass, as such training is usually written;
                     baseline2 goes through one after the other: the same gradient, half the activations

Memory is the peak of a fresh process that takes three steps and returns freed memory to the system at once.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.pose_case import RECOMMENDED, PoseCase, config_of
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


def recommended_steps(mode: str, interval: int = 1) -> Callable[[], object]:
    """``interval`` steps of every phase of a mode, in the recommended way; one has a hypergradient."""
    case = PoseCase(mode, config_of(**RECOMMENDED, LBI__HYPERGRAD_INTERVAL=interval))
    return lambda: [case.step(phase=phase) for phase in case.phases for _ in range(interval)]


# name: (function that returns its step, training steps per call)
VARIANTS = {
    "baseline2": (lambda: mode_step("baseline2"), 1),
    "ours1_final": (lambda: recommended_steps("ours1"), 1),
    "ours1_final_every2": (lambda: recommended_steps("ours1", 2), 2),
    "baseline3": (lambda: recommended_steps("baseline3"), 2),
    "ours2_final": (lambda: recommended_steps("ours2"), 2),
    "ours2": (lambda: mode_step("ours2"), 1),
    "ours1": (lambda: mode_step("ours1"), 1),
    "ours5": (lambda: mode_step("ours5"), 1),
    "baseline4": (lambda: mode_step("baseline4"), 1),
    "ours2_every4": (every_step, EVERY),
    "unrolled": (unrolled_step, 1),
    "baseline2_usual": (usual_step, 1),
}
RATIOS = [
    ("ours1_final", "baseline2"),
    ("ours1_final_every2", "baseline2"),
    ("ours2_final", "baseline3"),
    ("ours2_final", "baseline2"),
    ("ours1_final", "unrolled"),
    ("ours1_final", "ours1"),
    ("ours2", "baseline2"),
    ("ours1", "baseline2"),
    ("ours5", "baseline2"),
    ("ours5", "baseline4"),
    ("ours2", "unrolled"),
    ("ours2", "baseline2_usual"),
    ("ours2_every4", "baseline2"),
]
# In memory, a variant of another interval is like the one that has a hypergradient in every step.
MEMORY_RATIOS = [pair for pair in RATIOS if "every" not in pair[0]] + [("baseline4", "baseline2")]


def main() -> None:
    """Run the command."""
    parser = benchmark_parser(__doc__, repeat=5)
    parser.add_argument(
        "--only", choices=VARIANTS, help="only print the memory of three calls of this variant"
    )
    parser.add_argument(
        "--variants", default=",".join(VARIANTS), metavar="NAME,...", help="measure these; default: all"
    )
    arguments = parser.parse_args()
    names = arguments.variants.split(",")
    if unknown := set(names) - set(VARIANTS):
        parser.error(f"--variants: unknown {', '.join(sorted(unknown))}; known: {', '.join(VARIANTS)}")
    torch.set_num_threads(arguments.threads)
    if arguments.only:
        take = VARIANTS[arguments.only][0]()
        for _ in range(3):
            take()
        print_peak_memory()
        return

    in_memory = {name for pair in MEMORY_RATIOS for name in pair}
    threads = ["--threads", str(arguments.threads)]
    memory = {name: peak_memory([__file__, "--only", name, *threads]) for name in names if name in in_memory}
    calls = median_times({name: VARIANTS[name][0]() for name in names}, arguments.repeat)
    seconds = {name: taken / VARIANTS[name][1] for name, taken in calls.items()}
    ratios = {f"{a}/{b}": seconds[a] / seconds[b] for a, b in RATIOS if {a, b} <= set(names)}
    ratios |= {f"memory {a}/{b}": memory[a] / memory[b] for a, b in MEMORY_RATIOS if {a, b} <= set(names)}
    for name, ratio in ratios.items():
        print(f"{name:28} {ratio:6.3f}")
    write_numbers(arguments.json, {"ratios": ratios, "seconds": seconds, "peak MiB": memory})


if __name__ == "__main__":
    main()
