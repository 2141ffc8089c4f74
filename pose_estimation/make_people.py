"""Make the built-in demo data: drawn people, in the layouts of COCO (source) and MPII (target)."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.core.errors import InputError
from lib.dataset.noise import NOISE_KINDS
from lib.dataset.people import describe, make_people


def parse_arguments(arguments=None) -> argparse.Namespace:
    kinds = "".join(f"\n  {name:13} {kind.meaning}" for name, kind in NOISE_KINDS.items())
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=f"kinds of label noise:{kinds}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--output", default="data/people", help="folder to make (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same bytes (default: 0)")
    parser.add_argument(
        "--noise",
        default="mixed:0.5",
        metavar="KIND:SHARE",
        help="wrong source labels (default: %(default)s)",
    )
    parser.add_argument(
        "--mix", type=float, default=0.5, help="share of source pictures in the target's look (default: 0.5)"
    )
    for name, count, what in (
        ("--source-people", 1000, "source people with noisy labels"),
        ("--source-val-people", 50, "source people with right labels"),
        ("--target-train-people", 120, "target people to train on"),
        ("--test-people", 400, "target people to test on"),
    ):
        parser.add_argument(name, type=int, default=count, help=f"{what} (default: {count})")
    return parser.parse_args(arguments)


def main(arguments=None) -> int:
    """Make the data and say so in a line; the exit code."""
    options = vars(parse_arguments(arguments))
    output = options.pop("output")
    try:
        made = make_people(output, **options)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{'made' if made else 'there already:'} {describe(output)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
