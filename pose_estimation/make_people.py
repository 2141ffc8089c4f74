"""Make the built-in demo data: drawn people, in the layouts of COCO (source) and MPII (target)."""

import argparse
import inspect
import sys
from pathlib import Path

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.label_noise.corruptions import NOISE_KINDS
from lib.synthetic.generate import describe, make_people
from lib.utils.errors import InputError


def parse_arguments(arguments=None) -> argparse.Namespace:
    kinds = "".join(f"\n  {name:13} {kind.meaning}" for name, kind in NOISE_KINDS.items())
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=f"kinds of label noise:{kinds}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    defaults = {name: given.default for name, given in inspect.signature(make_people).parameters.items()}
    parser.add_argument("--output", default="data/people", help="folder to make (default: %(default)s)")
    for name, what in (
        ("seed", "the same seed gives the same bytes"),
        ("noise", "wrong source labels: KIND:SHARE, or several joined by +"),
        ("mix", "share of source images in the target's look"),
        ("source_people", "source people with noisy labels"),
        ("source_val_people", "source people with right labels"),
        ("target_train_people", "target people to train on"),
        ("test_people", "target people to test on"),
    ):
        default = defaults[name]
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=type(default), default=default, help=f"{what} (default: {default})")
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
