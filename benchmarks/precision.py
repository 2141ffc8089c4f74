"""What fewer digits, another memory layout and torch.compile do to the step's time, and to its hypergradients.

    python benchmarks/precision.py --json output/precision.json --repeat 5

Times are ratios to float32's of the same mode. The errors are of ours2's hypergradients and weights after
the same few steps: the norm of the difference over float32's norm, and Spearman's rank correlation over the
labelled keypoints. They tell of drawn numbers and a fresh network; a trained one has other numbers.
"""

import argparse
import sys
from pathlib import Path

import torch
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.pose_case import PoseCase, config_of
from benchmarks.timing import benchmark_parser, median_times, write_numbers
from lib.ignoring.step import Record

VARIANTS = {
    "float32": {},
    "channels_last": {"TRAIN__CHANNELS_LAST": True},
    "bf16": {"TRAIN__AMP": "bf16"},
    "bf16+channels_last": {"TRAIN__AMP": "bf16", "TRAIN__CHANNELS_LAST": True},
    "compile": {"TRAIN__COMPILE": True},
}
MODES = ("baseline2", "ours2")
WARM = 4  # steps before the comparison; on Adam's very first steps hypergradients are ill-conditioned


def cases(mode: str, variants: list[str]) -> dict[str, PoseCase]:
    """One for each variant, all at the state after float32's first steps."""
    first = PoseCase(mode, config_of())
    for _ in range(WARM):
        first.step()
    found = {}
    for name in variants:
        found[name] = PoseCase(mode, config_of(**VARIANTS[name]))
        found[name].state.load_state_dict(first.state.state_dict(), "the first steps")
    return found


def difference(found: torch.Tensor, expected: torch.Tensor, labelled: torch.Tensor) -> dict[str, float]:
    """Relative error, and rank correlation of what has a label."""
    found, expected = (values.double().cpu()[labelled] for values in (found, expected))
    return {
        "relative error": float((found - expected).norm() / expected.norm()),
        "rank correlation": float(spearmanr(found, expected).statistic),
    }


def errors(records: dict[str, Record], labelled: torch.Tensor) -> dict[str, dict]:
    exact = records["float32"]
    return {
        name: {
            "hypergradients": difference(record.gradients["A"], exact.gradients["A"], labelled),
            "weights": difference(record.weights["A"], exact.weights["A"], labelled),
        }
        for name, record in records.items()
    }


def build_parser() -> argparse.ArgumentParser:
    parser = benchmark_parser(__doc__, repeat=5)
    parser.add_argument(
        "--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="default: all"
    )
    return parser


def main() -> None:
    arguments = build_parser().parse_args()
    torch.set_num_threads(arguments.threads)
    variants = list(dict.fromkeys(["float32", *arguments.variants]))
    ratios, wrong = {}, {}
    for mode in MODES:
        made = cases(mode, variants)
        if mode == "ours2":
            labelled = made["float32"].source.target_weight.cpu() > 0
            wrong = errors({name: case.step() for name, case in made.items()}, labelled)
        seconds = median_times({name: case.step for name, case in made.items()}, arguments.repeat)
        ratios |= {f"{mode} {name}/float32": seconds[name] / seconds["float32"] for name in variants}
    for name, ratio in ratios.items():
        print(f"{name:36} {ratio:6.3f}")
    for name, of in wrong.items():
        for what, numbers in of.items():
            print(f"{name:20} {what:15} " + "  ".join(f"{key} {value:.2e}" if "error" in key else f"{key} {value:.4f}" for key, value in numbers.items()))  # fmt: skip
    write_numbers(arguments.json, {"ratios": ratios, "errors against float32": wrong})


if __name__ == "__main__":
    main()
