"""Effect of mixed precision, memory layout and torch.compile on the time of a step and on its hypergradients.

    python benchmarks/precision.py --json output/precision.json --repeat 5

Times are ratios to float32's of the same mode. The errors are of ours2's hypergradients and online weights in
one step from the same state, reached in float32 by --warm steps on the same batch: the norm of the difference
over float32's norm, and Spearman's rank correlation over the labelled keypoints. Both of LBI.HYPERGRAD_THROUGH's
directions: through Adam's derivative, in which nearly equal numbers are subtracted, small errors grow.
Images are of noise, so a network trained on people has other numbers.
"""

import argparse
import copy
import sys
from pathlib import Path

import torch
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.pose_case import PoseCase, config_of
from benchmarks.tables import tables
from benchmarks.timing import benchmark_parser, median_times, write_numbers
from lib.ignoring.bilevel_step import StepOutput, Weighting

VARIANTS = {
    "float32": {},
    "channels_last": {"TRAIN__CHANNELS_LAST": True},
    "bf16": {"TRAIN__AMP": "bf16"},
    "bf16+channels_last": {"TRAIN__AMP": "bf16", "TRAIN__CHANNELS_LAST": True},
    "compile": {"TRAIN__COMPILE": True},
}
MODES = ("baseline2", "ours2")
LOOKAHEADS = ("sgd", "optimizer")


def warmed(mode: str, steps: int) -> dict:
    """The state after ``steps`` in float32 with uniform weights."""
    case = PoseCase(mode, config_of())
    for _ in range(steps):
        case.step(Weighting.UNIFORM)
    return case.state.state_dict()


def case_of(mode: str, variant: str, state: dict, **settings: object) -> PoseCase:
    """The step of ``mode`` in a variant of ``VARIANTS``, from a copy of the given state."""
    case = PoseCase(mode, config_of(**VARIANTS[variant], **settings))
    case.state.load_state_dict(copy.deepcopy(state), "the first steps")
    return case


def difference(actual: torch.Tensor, expected: torch.Tensor, labelled: torch.Tensor) -> dict[str, float]:
    """Relative error and rank correlation over the labelled keypoints."""
    actual, expected = (values.double().cpu()[labelled] for values in (actual, expected))
    return {
        "relative error": float((actual - expected).norm() / expected.norm()),
        "rank correlation": float(spearmanr(actual, expected).statistic),
    }


def errors(lookahead: str, records: dict[str, StepOutput], labelled: torch.Tensor) -> list[dict]:
    """Errors of each variant's hypergradients and weights against float32's, a row for each."""
    exact = records["float32"]
    return [
        {"direction": lookahead, "variant": name, "of": of} | difference(actual["A"], expected["A"], labelled)
        for name, record in records.items()
        for of, actual, expected in (
            ("hypergradients", record.hypergradients, exact.hypergradients),
            ("weights", record.weights, exact.weights),
        )
    ]


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = benchmark_parser(__doc__, repeat=5)
    parser.add_argument("--warm", type=int, default=30, help="steps before the comparison; default: 30")
    parser.add_argument(
        "--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="default: all"
    )
    return parser


def main() -> None:
    """Run the command."""
    arguments = build_parser().parse_args()
    torch.set_num_threads(arguments.threads)
    variants = list(dict.fromkeys(["float32", *arguments.variants]))
    ratios, error_rows = {}, []
    state = warmed("ours2", arguments.warm)
    for lookahead in LOOKAHEADS:
        records = {}
        for name in variants:
            case = case_of("ours2", name, state, LBI__HYPERGRAD_THROUGH=lookahead)
            records[name], labelled = case.step(), case.source.target_weight.cpu() > 0
        error_rows += errors(lookahead, records, labelled)
    del state
    for mode in MODES:
        cases = {name: PoseCase(mode, config_of(**VARIANTS[name])) for name in variants}
        seconds = median_times({name: case.step for name, case in cases.items()}, arguments.repeat)
        ratios |= {f"{mode} {name}/float32": seconds[name] / seconds["float32"] for name in variants}
    numbers = {"ratios": ratios, "errors against float32": error_rows}
    print(tables(numbers))
    write_numbers(arguments.json, numbers)


if __name__ == "__main__":
    main()
